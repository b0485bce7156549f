use std::sync::Arc;

use super::*;
use crate::source::{FileId, Piece};

fn text(source: &str) -> Text {
    Text::whole(FileId(0), Arc::new(source.as_bytes().to_vec()))
}

/// Directives as one line: `name [argument] { … }`.
fn shown(directives: &[Directive]) -> String {
    let mut out = String::new();
    for directive in directives {
        out.push_str(&directive.name.value);
        for argument in &directive.arguments {
            out.push_str(&format!("[{}]", argument.value));
        }
        match &directive.block {
            Some(block) => out.push_str(&format!("{{{}}}", shown(block))),
            None => out.push(';'),
        }
    }
    out
}

#[test]
fn words_are_read_as_nginx_reads_them() {
    for (source, expected) in [
        ("a b  c;", "a[b][c];"),
        ("a;b;", "a;b;"),
        ("a\t\"b c\" 'd;e';", "a[b c][d;e];"),
        (r#"a "b\"c\\" 'it\'s' \n;"#, "a[b\"c\\][it's][\n];"),
        (r"rewrite ^/\.a\;b$ c;", r"rewrite[^/\.a\;b$][c];"),
        ("return 200 ${a}b;", "return[200][${a}b];"),
        ("return 200 \"${a} {;}\";", "return[200][${a} {;}];"),
        ("a b#c; # d;\n e f;", "a[b#c];e[f];"),
        ("a b}c;", "a[b}c];"),
        ("http{server{listen 80;}}", "http{server{listen[80];}}"),
        ("if ($a = \"b\") { c; }", "if[($a][=][b][)]{c;}"),
        ("location ~ \"^/x{2}$\" { }", "location[~][^/x{2}$]{}"),
        ("a 'multi\nline';", "a[multi\nline];"),
        ("a \"\";", "a[];"),
        ("\u{feff}user x;", "\u{feff}user[x];"),
        ("", ""),
        ("# only a comment", ""),
    ] {
        let parsed = parse(&text(source));
        assert_eq!(shown(&parsed.directives), expected);
        assert_eq!(parsed.problems, [], "{source}");
    }
}

#[test]
fn lua_blocks_are_opaque_and_balanced() {
    for code in [
        " ngx.say('}') ",
        " local t = {a = {1}} -- }\n ",
        " local s = [[ } ]] ",
        " local s = [==[ ]] } ]==] --[[ } \n } ]] ",
        r#" ngx.say("\"}") "#,
        " a[1] = b[#b] ",
        " # not a comment\n x = 'a;b' ",
    ] {
        let parsed = parse(&text(&format!("content_by_lua_block {{{code}}}\nafter it;")));
        assert_eq!(shown(&parsed.directives), format!("content_by_lua_block[{code}];after[it];"));
        assert_eq!(parsed.problems, []);
    }
    let parsed = parse(&text("set_by_lua_block $x { return 1 } a;"));
    assert_eq!(shown(&parsed.directives), "set_by_lua_block[$x][ return 1 ];a;");
}

#[test]
fn mistakes_are_named_as_nginx_names_them_and_the_rest_is_read() {
    let bad_end = "unexpected end of file, expecting \";\" or \"}\"";
    for (source, logs, place, expected) in [
        ("a; } b;", vec!["unexpected \"}\""], "}", "a;b;"),
        ("h { listen 443 ssl\n} b;", vec!["unexpected \"}\""], "ssl", "h{listen[443][ssl];}b;"),
        ("h { a;", vec!["unexpected end of file, expecting \"}\""], "{", "h{a;}"),
        ("a; b c", vec![bad_end], "c", "a;b[c];"),
        ("a \"b;\nc d;", vec![bad_end], "\"", "a[b];c[d];"),
        ("a;; b;", vec!["unexpected \";\""], ";", "a;b;"),
        (
            // a brace in a regular expression without quotes opens a block
            "location ~ ^/x{2}$ { }",
            vec!["unexpected end of file, expecting \"}\""],
            "{",
            "location[~][^/x]{2}${}}",
        ),
        ("{ a; } b;", vec!["unexpected \"{\""], "{", "b;"),
        ("a \"b\"c d;", vec!["unexpected \"c\""], "c", "a[b][c][d];"),
        (
            "content_by_lua_block { x",
            vec!["unexpected end of file, expecting terminating characters for lua code block"],
            "{",
            "content_by_lua_block[ x];",
        ),
    ] {
        let parsed = parse(&text(source));
        let found: Vec<&str> = parsed.problems.iter().map(|problem| problem.log.as_str()).collect();
        assert_eq!(found, logs, "{source}");
        let span = parsed.problems[0].span;
        assert_eq!(&source[span.start as usize..span.end as usize], place, "{source}");
        assert_eq!(shown(&parsed.directives), expected, "{source}");
    }
}

#[test]
fn an_open_quote_of_more_than_a_buffer_is_a_missing_quote() {
    let parsed = parse(&text(&format!("a \"{}", "x".repeat(5000))));
    assert_eq!(parsed.problems[0].log, "too long parameter, probably missing terminating \"\"\" character");
    let parsed = parse(&text(&format!("a {};", "x".repeat(4096))));
    assert_eq!(parsed.problems[0].log, "too long parameter \"xxxxxxxxxx...\" started");
    assert_eq!(parse(&text(&format!("a {};", "x".repeat(4095)))).problems, []);
    for (quoted, log) in [(4096, "too long parameter, probably"), (4095, "too long parameter \"xxxxxxxxxx")] {
        let parsed = parse(&text(&format!("a \"{}\";", "x".repeat(quoted))));
        assert!(parsed.problems[0].log.starts_with(log), "{:?}", parsed.problems[0].log);
    }
    let parsed = parse(&text(&format!("#{}\na;", "x".repeat(4095))));
    assert_eq!(parsed.problems[0].log, "too long parameter \"#xxxxxxxxx...\" started");
}

#[test]
fn a_comment_in_joined_lines_hides_what_follows_and_is_named() {
    let source = "events {} # workers http { server { listen 80; } }";
    let parsed = parse(&text(&format!("http {{ {source}")));
    assert!(parsed.problems[0].message.contains("folded"), "{:?}", parsed.problems);
    assert_eq!(parse(&text(source)).problems, []);
}

#[test]
fn spans_lead_through_an_embedding() {
    // outer: "x: >\n  a b\n  c;", inner: "a b c;"
    let pieces = vec![
        Piece { inner: 0, outer: 7, outer_len: 3, verbatim: true },
        Piece { inner: 3, outer: 10, outer_len: 3, verbatim: false },
        Piece { inner: 4, outer: 13, outer_len: 2, verbatim: true },
    ];
    let parsed = parse(&Text::mapped(FileId(0), *b"a b c;", pieces));
    let directive = &parsed.directives[0];
    assert_eq!((directive.span.start, directive.span.end), (7, 15));
    assert_eq!((directive.arguments[1].span.start, directive.arguments[1].span.end), (13, 14));
}

#[test]
fn hostile_input_takes_bounded_work() {
    for source in [
        "a{".repeat(200_000),
        "}".repeat(200_000),
        "\"'".repeat(100_000),
        "a \"\\".repeat(100_000),
        "x_by_lua_block {".repeat(50_000),
        "\0\u{1}\u{7f}é".repeat(50_000),
    ] {
        let parsed = parse(&text(&source));
        assert!(parsed.directives.len() <= source.len());
    }
}

#[test]
fn the_line_of_a_problem_is_the_one_nginx_names() {
    assert_eq!(parse(&text("a;\nb;\n}\n")).problems[0].line, 3);
    assert_eq!(parse(&text("a {\nb c\n}\n")).problems[0].line, 3);
    assert_eq!(parse(&text("a \"b;\nc;\n")).problems[0].line, 3);
}
