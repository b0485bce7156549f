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

#[test]
fn of_a_script_only_what_is_certain_to_run_is_told() {
    fn handed_on(name: &str) -> bool {
        name.starts_with("CTL_")
    }
    for (script, expected) in [
        ("a\nb; c && d | e & f", "a b c d e f"),
        ("set -eu\na", "set a"),
        // a branch, a fallback, what a test decides
        ("if a; then b; elif c; then d; else e; fi; f", "a f"),
        ("a || b; c", "a c"),
        ("a ||\n  b\nc", "a c"),
        ("a || b && c", "a c"),
        ("a || { b; c; }; d", "a d"),
        ("a || ( b; c ); d", "a d"),
        ("[ -f x ] && b && c; d", "[ d"),
        ("[ -f x ] && { b; c; }; d", "[ d"),
        ("command -v a && b\nc", "command c"),
        ("case $X in a) b ;; *) c ;; esac; d", "d"),
        ("( a; b ); c", "a b c"),
        ("{ a; b; }; c", "a b c"),
        // loops: those that run at least once
        ("until a; do b; done; c", "a c"),
        ("while ! a; do b; done; c", "a c"),
        ("while true; do a; done", "true a"),
        ("for x in 1 2; do a $x; done; b", "a b"),
        ("for x in $(ls); do a; done; b", "b"),
        ("for x in *.pem; do a; done; b", "b"),
        // functions, and what ends a script
        ("f() { a; }\nb", "b"),
        ("f ()\n{\n a\n}\nb", "b"),
        // who is called by their name, or an alias, runs nothing that is seen
        ("a() { command a -k; }\na; b", "b"),
        ("function a { command a -k; }\na; b", "b"),
        ("alias a='a -k'; a; b", "alias b"),
        ("a; update-ca-certificates; b", "a update-ca-certificates"),
        ("function f {\n a\n}\nb", "b"),
        ("a; exit 0; b", "a exit"),
        ("a || exit 1; b", "a b"),
        ("exec a; b", "exec"),
        ("a; . /env; b", "a ."),
        ("set -a; b", "set"),
        ("! a; b", "b"),
        ("X=(a -k); b", "b"),
        ("fi; done; } ) esac; a", "a"),
    ] {
        let document = certain(&Text::excerpt(FILE, 0, script), &[], handed_on);
        assert_eq!(document.problems, [], "{script}");
        let names: Vec<&str> =
            document.commands.iter().map(|command| command.words[0].text.as_str()).collect();
        assert_eq!(names.join(" "), expected, "{script}");
    }
}

#[test]
fn a_script_hands_on_its_variables_as_far_as_they_are_certain() {
    let place = Span { file: FILE, start: 0, end: 0 };
    let hidden = Word { unseen: Some("a Secret's".to_owned()), ..Word::known("$CTL_B", place) };
    let environment = [
        ("CTL_A".to_owned(), Word::known("one", place)),
        ("CTL_B".to_owned(), hidden),
        ("OTHER".to_owned(), Word::known("x y", place)),
    ];
    for (script, words, given) in [
        ("run $CTL_A \"$OTHER\"", "run one x y", "CTL_A=one CTL_B=?"),
        ("run $OTHER", "run ?", "CTL_A=one CTL_B=?"),
        ("CTL_A=two\nrun $CTL_A", "run two", "CTL_A=two CTL_B=?"),
        ("CTL_A=two run $CTL_A", "run one", "CTL_A=two CTL_B=?"),
        ("if t; then CTL_A=two; fi; run $CTL_A", "run ?", "CTL_A=? CTL_B=?"),
        ("if t; then\nCTL_A=two\nfi; run", "run", "CTL_A=? CTL_B=?"),
        ("read CTL_A; run $CTL_A", "run ?", "CTL_A=? CTL_B=?"),
        ("export CTL_B=b CTL_C=c; run $CTL_B", "run b", "CTL_A=one CTL_B=b CTL_C=c"),
        ("CTL_C=c; run", "run", "CTL_A=one CTL_B=?"),
        ("CTL_C=c; export CTL_C; run", "run", "CTL_A=one CTL_B=? CTL_C=c"),
        ("CTL_C=$(date); export CTL_C; run", "run", "CTL_A=one CTL_B=? CTL_C=?"),
        ("for x in 1 2; do run $x; done", "run ?", "CTL_A=one CTL_B=?"),
        ("run /backup/$(date +%F).db", "run ?", "CTL_A=one CTL_B=?"),
    ] {
        let document =
            certain(&Text::excerpt(FILE, 0, script), &environment, |name| name.starts_with("CTL_"));
        let run = document.commands.iter().find(|command| command.words[0].text == "run").unwrap();
        let shown = |word: &Word| if word.unseen.is_some() { "?".to_owned() } else { word.text.clone() };
        let said: Vec<String> = run.words.iter().map(shown).collect();
        assert_eq!(said.join(" "), words, "{script}");
        let mut environment: Vec<String> =
            run.assignments.iter().map(|(name, word)| format!("{name}={}", shown(word))).collect();
        environment.sort();
        assert_eq!(environment.join(" "), given, "{script}");
    }
}

#[test]
fn what_may_be_several_words_says_so() {
    for (text, several) in [
        ("$X", true),
        ("\"$X\"", false),
        ("$(x)", true),
        ("`x`", true),
        ("\"$(x)\"", false),
        ("a$X", false),
        ("\"$@\"", true),
        ("<(x)", false),
    ] {
        assert_eq!(shell(&format!("run {text}")).commands[0].words[1].several, several, "{text}");
    }
}

#[test]
fn a_hostile_script_comes_to_an_end() {
    for piece in ["if ", "( ", "{ ", "f() ", "|| ", "case a in ", "done;", "export CTL_A=1;", "a && "] {
        let script = piece.repeat(5_000);
        let begun = std::time::Instant::now();
        certain(&Text::excerpt(FILE, 0, script.as_bytes()), &[], |_| true);
        assert!(begun.elapsed().as_secs() < 2, "{piece}");
    }
}
