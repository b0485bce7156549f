use super::*;
use crate::source::Sources;

fn source(text: &str) -> (Sources, Text) {
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", text.as_bytes());
    let text = sources.text(file).unwrap();
    (sources, text)
}

fn only(text: &str) -> Document {
    let parsed = parse(&source(text).1);
    assert_eq!(parsed.problems, vec![], "{text}");
    let mut documents = parsed.documents;
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0)
}

fn slice(text: &str, span: Span) -> &str {
    &text[span.start as usize..span.end as usize]
}

/// Writes a tree in one line, to compare whole shapes.
fn shown(node: Node<'_>) -> String {
    match node.kind() {
        Kind::Null => "null".to_owned(),
        Kind::Scalar if node.is_plain() => node.as_str().unwrap().to_owned(),
        Kind::Scalar => format!("{:?}", node.as_str().unwrap()),
        Kind::Sequence => format!("[{}]", node.items().map(shown).collect::<Vec<_>>().join(", ")),
        Kind::Mapping => {
            let entry = |(key, value): (Node<'_>, Node<'_>)| format!("{}: {}", shown(key), shown(value));
            format!("{{{}}}", node.entries().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

#[test]
fn a_document_reads_as_kubectl_reads_it() {
    for (text, tree) in [
        ("a: 1\nb: [x, \"y\"]\n", "{a: 1, b: [x, \"y\"]}"),
        ("a:\nb: ~\n", "{a: null, b: null}"),
        ("- a\n-\n- - b\n", "[a, null, [b]]"),
        ("a: &x {k: v}\nb: *x\n", "{a: {k: v}, b: {k: v}}"),
        ("b: &b {x: 1, y: 2}\na: {<<: *b, y: 3, z: 4}\n", "{b: {x: 1, y: 2}, a: {y: 3, z: 4, x: 1}}"),
        (
            "p: &p {x: 1}\nq: &q {x: 2, y: 2}\nr: {<<: [*p, *q]}\n",
            "{p: {x: 1}, q: {x: 2, y: 2}, r: {x: 1, y: 2}}",
        ),
        ("a: !!str 12\nb: !x y\nc: !!int \"3\"\n", "{a: \"12\", b: \"y\", c: 3}"),
        ("a: !!binary aGVsbG8=\n", "{a: \"hello\"}"),
        ("a: \"x\\ty\\u00e9\"\nb: 'it''s'\n", "{a: \"x\\ty\u{e9}\", b: \"it's\"}"),
        ("a: one\n  two\n\n  three\n", "{a: one two\nthree}"),
        (
            "{\"a\": [1, true, null], \"b\": {\"c\": \"d\"}}",
            "{\"a\": [1, true, null], \"b\": {\"c\": \"d\"}}",
        ),
        (
            "{\"a\": \"\\ud83e\\udd80 \\ud800 \\/\", \"b\": -1.5e3, \"c\": [], \"d\": {}}",
            "{\"a\": \"🦀 \u{fffd} /\", \"b\": -1.5e3, \"c\": [], \"d\": {}}",
        ),
        ("{a: [b, {c: d}], \"e\": f g}", "{a: [b, {c: d}], \"e\": f g}"),
        ("{\n\t\"a\": [\n\t\t1\n\t]\n}\n", "{\"a\": [1]}"),
        ("\u{feff}a: 1\n", "{a: 1}"),
        ("a: 1\r\nb:\r\n  - c\r\n", "{a: 1, b: [c]}"),
        ("? a\n: b\n", "{a: b}"),
        ("%YAML 1.1\n---\na: b\n...\n", "{a: b}"),
    ] {
        assert_eq!(shown(only(text).root()), tree, "{text}");
    }
}

#[test]
fn a_node_spans_what_was_written() {
    let text = "# é\nkey: plain\nquoted: \"dé\"\nlist:\n  - a\n  - b\nflow: {x: [1]} # c\nempty:\nanchored: &q 'v'\nlast: |\n  one\n  two\nend: ü\n";
    let document = only(text);
    let root = document.root();
    let at = |key: &str| slice(text, root.get(key).unwrap().span());
    for (key, written) in [
        ("key", "plain"),
        ("quoted", "dé"),
        ("list", "- a\n  - b"),
        ("flow", "{x: [1]}"),
        ("empty", ":"),
        ("anchored", "v"),
        ("last", "one\n  two"),
        ("end", "ü"),
    ] {
        assert_eq!(at(key), written, "{key}");
        assert_eq!(slice(text, root.key_span(key).unwrap()), key);
    }
    assert!(slice(text, root.span()).ends_with("end: ü"));
    assert!(slice(text, root.span()).starts_with("key"));
}

#[test]
fn every_character_of_a_scalar_maps_to_where_it_was_written() {
    for (text, value, part, written) in [
        ("a: >-\n  foo\n  bar\n", "foo bar", "bar", "bar"),
        ("a: >-\n  x:\n    ssl: on\n    c: d\n  y: z\n", "x:\n  ssl: on\n  c: d\ny: z", "y: z", "y: z"),
        ("a: >\n\n  one\n  two\n\n\n  three\nb: c\n", "\none two\n\nthree\n", "three", "three"),
        ("a: |\n  one\n\n    two\n  three\n", "one\n\n  two\nthree\n", "  two", "  two"),
        ("a: |2\n    lead\n  x\nb: 1\n", "  lead\nx\n", "x", "x"),
        ("a: &n |-\n  one\n  two\n", "one\ntwo", "two", "two"),
        ("a: !!str >2-\n\n    lead\n  x\n", "\n  lead\nx", "lead", "lead"),
        ("a: |+\n  one\n\n\nb: c\n", "one\n\n\n", "one", "one"),
        ("a: |\r\n  one\r\n  two\r\n", "one\ntwo\n", "two", "two"),
        ("- \"-----BEGIN\\nab\\ncd\\n\"\n", "-----BEGIN\nab\ncd\n", "cd", "cd"),
        ("- \"a\\\n  b  c\n  d\"\n", "ab  c d", "d", "d"),
        ("- \"\\u00e9x\"\n", "éx", "x", "x"),
        ("- \"\\u00e9x\"\n", "éx", "é", "\\u00e9"),
        ("- 'it''s\n  me'\n", "it's me", "me", "me"),
        ("- one\n  two\n", "one two", "two", "two"),
        ("- é two\n", "é two", "two", "two"),
        ("- >\n  é\n  ü two\n", "é ü two\n", "two", "two"),
    ] {
        let document = only(text);
        let root = document.root();
        let node = root.get("a").or_else(|| root.items().next()).unwrap();
        let scalar = node.text().unwrap();
        assert_eq!(scalar.as_str(), Ok(value), "{text}");
        assert_eq!(node.as_str(), Some(value), "{text}");
        let start = value.rfind(part).unwrap();
        assert_eq!(slice(text, scalar.span(start..start + part.len())), written, "{text}");
        for (at, character) in value.char_indices().filter(|(_, c)| c.is_alphanumeric() && c.is_ascii()) {
            assert_eq!(slice(text, scalar.span(at..at + 1)), character.to_string(), "{text} at {at}");
        }
    }
}

#[test]
fn embedding_maps_through_several_layers() {
    let text = "outer: >-\n  inner: |\n    deep: \"x\\ty\"\n    more: 1\n";
    let document = only(text);
    let middle = parse(&document.root().get("outer").unwrap().text().unwrap());
    let inner = parse(&middle.documents[0].root().get("inner").unwrap().text().unwrap());
    let deep = inner.documents[0].root().get("deep").unwrap();
    assert_eq!(deep.as_str(), Some("x\ty"));
    assert_eq!(slice(text, deep.span()), "x\\ty");
    assert_eq!(slice(text, deep.text().unwrap().span(2..3)), "y");
    assert_eq!(slice(text, inner.documents[0].root().get("more").unwrap().span()), "1");
}

#[test]
fn a_problem_names_its_place_and_costs_one_document_only() {
    for (text, place, words) in [
        ("a:\n\tb: 1\n", "\t", "a tab indents this line"),
        ("a: \"open\nb: 1\n", "\"", "has no closing \""),
        ("a: 'open\n", "'", "has no closing '"),
        ("a: *nowhere\n", "*nowhere", "does not define"),
        ("a: b: c\n", ":", "quote the value"),
        ("a: &x [*x]\n", "*x", "inside the value"),
        ("a: [1, 2\nb: 1\n", ":", "is not closed"),
        ("a: @x\n", "@", "cannot start with @"),
        ("a: 'x' y\n", "y", "follows a closing quote"),
        ("a: {{ .Values.x }}\n", "{ .Values.x }", "cannot be a key"),
        ("a: 1\u{7}\n", "\u{7}", "control character 0x07"),
        ("a: 1\n<<: 3\n", "3", "takes a mapping"),
        ("a: \"\\q\"\n", "\"", "an escape that YAML does not know"),
    ] {
        let stream = format!("first: 1\n---\n{text}---\nlast: 1\n");
        let parsed = parse(&source(&stream).1);
        let trees: Vec<String> = parsed.documents.iter().map(|document| shown(document.root())).collect();
        assert_eq!(trees, ["{first: 1}", "{last: 1}"], "{text}");
        let [problem] = parsed.problems.as_slice() else { panic!("{text}: {:?}", parsed.problems) };
        assert!(problem.message.contains(words), "{text}: {}", problem.message);
        assert!(problem.document_lost);
        if !place.is_empty() {
            assert_eq!(slice(&stream, problem.span), place, "{text}");
        }
    }
}

#[test]
fn equal_keys_are_named_and_the_last_one_counts() {
    let text = "a:\n  k: 1\n  x: 0\n  k: 2\n";
    let parsed = parse(&source(text).1);
    let [problem] = parsed.problems.as_slice() else { panic!("{:?}", parsed.problems) };
    assert_eq!((problem.span.start, problem.related.unwrap().start), (19, 5));
    assert!(problem.message.contains("written here and 2 lines above"), "{}", problem.message);
    assert!(!problem.document_lost);
    assert_eq!(parsed.documents[0].root().at(&["a", "k"]).unwrap().as_i64(), Some(2));
    let many: String = (0..40).map(|index| format!("k{index}: {index}\n")).collect();
    assert_eq!(parse(&source(&many).1).problems, vec![]);
    assert_eq!(parse(&source(&format!("{many}k7: 1\n")).1).problems.len(), 1);
}

#[test]
fn streams_yield_their_documents() {
    for (text, trees) in [
        ("---\na: 1\n---\n---\n# nothing\n---\nb: 2\n", vec!["{a: 1}", "{b: 2}"]),
        ("# Source: chart/templates/a.yaml\n---\n# Source: x\na: 1\n", vec!["{a: 1}"]),
        ("{\"a\": 1}\n{\"b\": 2}\n", vec!["{\"a\": 1}", "{\"b\": 2}"]),
        ("{\"é\": 1}\n{\"ü\": 2} {\"c\": 3}", vec!["{\"é\": 1}", "{\"ü\": 2}", "{\"c\": 3}"]),
        ("a: 1\n...\n%YAML 1.1\n---\nb: 2\n", vec!["{a: 1}", "{b: 2}"]),
        ("a: |\n  x\n---\nb: 2\n", vec!["{a: \"x\\n\"}", "{b: 2}"]),
        ("--- {a: 1}\n--- text\n", vec!["{a: 1}", "text"]),
        ("a: |\n  -----BEGIN X-----\n", vec!["{a: \"-----BEGIN X-----\\n\"}"]),
        ("", vec![]),
        ("# only a comment\n", vec![]),
    ] {
        let parsed = parse(&source(text).1);
        assert_eq!(parsed.problems, vec![], "{text}");
        let found: Vec<String> = parsed.documents.iter().map(|document| shown(document.root())).collect();
        assert_eq!(found, trees, "{text}");
    }
}

#[test]
fn booleans_and_numbers_are_those_of_yaml_1_1() {
    for (text, boolean, integer) in [
        ("yes", Some(true), None),
        ("Off", Some(false), None),
        ("\"yes\"", None, None),
        ("0400", None, Some(256)),
        ("0o400", None, Some(256)),
        ("0x1F", None, Some(31)),
        ("1_000", None, Some(1000)),
        ("-7", None, Some(-7)),
        ("+-7", None, None),
        ("9223372036854775808", None, None),
        ("\"7\"", None, None),
        ("7.5", None, None),
    ] {
        let text = format!("- {text}\n");
        let document = only(&text);
        let node = document.root().items().next().unwrap();
        assert_eq!((node.as_bool(), node.as_i64()), (boolean, integer), "{text}");
    }
}

#[test]
fn json_values_in_a_row_take_time_by_their_number() {
    let lines = "{\"a\": \"é\"}\n".repeat(10_000);
    let start = std::time::Instant::now();
    assert_eq!(parse(&source(&lines).1).documents.len(), 10_000);
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn hostile_input_is_bounded() {
    let laughs: String = (1..30)
        .map(|index| format!("l{index}: &l{index} [*l{0},*l{0},*l{0},*l{0}]\n", index - 1))
        .fold("l0: &l0 x\n".to_owned(), |all, line| all + &line);
    let parsed = parse(&source(&laughs).1);
    assert_eq!(parsed.problems.len(), 1);
    assert!(parsed.problems[0].message.contains("multiply"), "{:?}", parsed.problems);
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "a:\n".to_owned()] {
        let parsed = parse(&source(&text).1);
        assert!(parsed.problems.len() <= 1);
    }
    let chain: String = (1..2000)
        .map(|index| format!("c{index}: &c{index} [*c{}]\n", index - 1))
        .fold("c0: &c0 x\n".to_owned(), |all, line| all + &line);
    assert!(parse(&source(&chain).1).problems[0].message.contains("deeper"));
}

#[test]
fn every_span_lies_in_its_file_whatever_the_input() {
    let seed = "a: &x {k: \"v\\n\", l: 'm''n'}\nb: >-\n  é one\n   two\n\n  three\nc: *x\nd:\n- |+\n  t\n\n- !!str 1\n---\n<<: {q: r}\ne: [1, {f: g}]\n";
    let alphabet: Vec<char> = "\"'\\&*!|>-:#{}[], \n\t\r%?ab0é<~@`".chars().collect();
    let mut state: u64 = 7;
    let mut random = |limit: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % limit
    };
    for _ in 0..4000 {
        let mut characters: Vec<char> = seed.chars().collect();
        for _ in 0..=random(4) {
            let at = random(characters.len());
            match random(3) {
                0 => characters[at] = alphabet[random(alphabet.len())],
                1 => characters.insert(at, alphabet[random(alphabet.len())]),
                _ => {
                    characters.remove(at);
                }
            }
        }
        let text: String = characters.into_iter().collect();
        let parsed = parse(&source(&text).1);
        let within = |span: Span| {
            assert!(span.start <= span.end && span.end as usize <= text.len(), "{span:?} in {text:?}");
            assert!(text.get(span.start as usize..span.end as usize).is_some(), "{span:?} in {text:?}");
        };
        for problem in &parsed.problems {
            within(problem.span);
        }
        for document in &parsed.documents {
            for index in 0..document.len() {
                let node = Node { document, index: u32::try_from(index).unwrap() };
                within(node.span());
                if let Some(inner) = node.text() {
                    let value = inner.as_str().unwrap();
                    value.char_indices().for_each(|(at, c)| within(inner.span(at..at + c.len_utf8())));
                    assert_eq!(Some(value), node.as_str());
                }
            }
        }
    }
}
