use super::*;

const FILE: FileId = FileId(7);

fn shell(text: &str) -> Document {
    parse(&Text::excerpt(FILE, 0, text))
}

fn texts(command: &Command) -> Vec<&str> {
    command.words.iter().map(|word| word.text.as_str()).collect()
}

fn at<'t>(text: &'t str, word: &Word) -> &'t str {
    &text[word.span.start as usize..word.span.end as usize]
}

#[test]
fn words_are_what_the_program_gets() {
    for (text, expected) in [
        ("curl -s https://a/", vec!["curl", "-s", "https://a/"]),
        ("curl -H 'Host: a b' \"x\\\"y\"", vec!["curl", "-H", "Host: a b", "x\"y"]),
        ("curl a\\ b $'c\\nd'", vec!["curl", "a b", "c\nd"]),
        ("curl \\\n  -k \\\n  https://a", vec!["curl", "-k", "https://a"]),
        ("curl -k \\     #1\n  https://a \\  #2\n", vec!["curl", "-k", "https://a"]),
        ("curl a # comment", vec!["curl", "a"]),
        ("curl a#b", vec!["curl", "a#b"]),
        ("$ curl a > out 2>&1 < /dev/null", vec!["curl", "a"]),
        ("curl pre'mid'post", vec!["curl", "premidpost"]),
        ("curl ''", vec!["curl", ""]),
        ("curl --resolve=x -d '{\"a\":1}'", vec!["curl", "--resolve=x", "-d", "{\"a\":1}"]),
        ("curl 8 a", vec!["curl", "8", "a"]),
    ] {
        let document = shell(text);
        assert_eq!(document.problems, [], "{text}");
        assert_eq!(texts(&document.commands[0]), expected, "{text}");
    }
}

#[test]
fn commands_part_where_a_shell_parts_them() {
    for (text, expected) in [
        ("echo | openssl s_client -connect a:1", vec!["echo", "openssl"]),
        ("curl a; curl b && curl c", vec!["curl", "curl", "curl"]),
        ("curl a\ncurl b\n", vec!["curl", "curl"]),
        ("", vec![]),
    ] {
        let document = shell(text);
        let names: Vec<_> = document.commands.iter().map(|command| command.words[0].text.as_str()).collect();
        assert_eq!(names, expected, "{text}");
    }
}

#[test]
fn assignments_stand_before_a_command_or_hold_for_the_next() {
    let document = shell("ETCDCTL_CACERT=/ca.pem X='a b' etcdctl get --prefix a=b");
    let command = &document.commands[0];
    let assigned: Vec<_> =
        command.assignments.iter().map(|(name, value)| (name.as_str(), value.text.as_str())).collect();
    assert_eq!(assigned, [("ETCDCTL_CACERT", "/ca.pem"), ("X", "a b")]);
    assert_eq!(texts(command), ["etcdctl", "get", "--prefix", "a=b"]);
    let document =
        shell("CA=/ca.pem\nexport KEY=/k.pem\ncurl --cacert $CA --key \"${KEY}\" --cert $ELSEWHERE/c");
    let words = &document.commands[0].words;
    assert_eq!(texts(&document.commands[0])[..5], ["curl", "--cacert", "/ca.pem", "--key", "/k.pem"]);
    assert_eq!(words[6].unseen.as_deref(), Some("the variable ELSEWHERE is set elsewhere"));
}

#[test]
fn the_output_of_a_command_is_a_word_of_its_own() {
    let text = "curl --cert =(kubectl get secret c -o jsonpath='{ .data.tls\\.crt }' | base64 -d) \
                --key <(cat \"a)b\") -H \"X: $(cat t)\" --cacert \"$(mk ca)\" https://a";
    let document = shell(text);
    assert_eq!(document.problems, []);
    let words = &document.commands[0].words;
    let inner: Vec<_> = words.iter().map(|word| word.substitution.as_deref()).collect();
    assert_eq!(
        inner,
        [
            None,
            None,
            Some("kubectl get secret c -o jsonpath='{ .data.tls\\.crt }' | base64 -d"),
            None,
            Some("cat \"a)b\""),
            None,
            None,
            None,
            Some("mk ca"),
            None
        ]
    );
    assert!(words[6].unseen.is_some());
}

#[test]
fn words_are_where_they_are_written() {
    let text = "X=1 curl 'https://a/' --cert=c\\ d \"e\"";
    let document = shell(text);
    let command = &document.commands[0];
    assert_eq!(at(text, &command.assignments[0].1), "1");
    let written: Vec<_> = command.words.iter().map(|word| at(text, word)).collect();
    assert_eq!(written, ["curl", "https://a/", "--cert=c\\ d", "e"]);
}

#[test]
fn ready_words_are_rendered_with_their_places() {
    let words: Vec<String> =
        ["A=b c", "curl", "-H", "Host: x", "=(kubectl get secret s)"].map(str::to_owned).to_vec();
    let (document, text) = from_words(&words, FILE);
    assert_eq!(text, "'A=b c' curl -H 'Host: x' '=(kubectl get secret s)'");
    let command = &document.commands[0];
    assert_eq!(
        (command.assignments[0].1.text.as_str(), at(&text, &command.assignments[0].1)),
        ("b c", "b c")
    );
    assert_eq!(at(&text, &command.words[2]), "Host: x");
    assert_eq!(command.words[3].substitution.as_deref(), Some("kubectl get secret s"));
    let (document, text) = from_words(&["curl -k https://a".to_owned()], FILE);
    assert_eq!((texts(&document.commands[0]).len(), text.as_str()), (3, "curl -k https://a"));
}

#[test]
fn what_is_not_closed_is_named() {
    for (text, message) in [
        ("curl 'a", "this single quote is not closed"),
        ("curl \"a", "this double quote is not closed"),
        ("curl $(a", "this parenthesis is not closed"),
        ("curl ${a", "this brace is not closed"),
        ("curl `a", "this backquote is not closed"),
        ("curl $'a", "this quote is not closed"),
    ] {
        let document = shell(text);
        assert_eq!(document.problems.len(), 1, "{text}");
        assert_eq!(document.problems[0].message, message, "{text}");
    }
}

#[test]
fn any_text_comes_to_an_end() {
    for text in
        ["(((((", "<", ">>>", "\\", "\\\n", "$", "&|;", "=(", "<(", "'", "1>", "a=", "\u{0}", "é'ü\\é"]
    {
        shell(text);
    }
}

#[test]
fn a_script_keeps_what_is_not_known_and_skips_documents() {
    let text = "X=1\ncat > /a <<EOF\netcd --no\nEOF\nexec etcd --name=`id` $X \"$@\" 1>>/log 2>&1 &\n";
    let text = Text::excerpt(FileId(0), 0, text.as_bytes());
    let commands = script(&text).commands;
    let words: Vec<Vec<&str>> = commands.iter().map(texts).collect();
    assert_eq!(words, [vec![], vec!["cat"], vec!["exec", "etcd", "--name=$(id)", "$X", "$@"]]);
    assert_eq!(commands[0].assignments[0].0, "X");
}
