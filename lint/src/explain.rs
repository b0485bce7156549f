//! From a line of a log to the mistakes that print it: the rules' pages are the data.

use std::collections::HashSet;
use std::sync::LazyLock;

use mtls_identity::sorted;

use crate::rules::{RULES, Rule};
use crate::stack::Mistake;

/// A rule that may have caused a line, and the text of its page that the line shows.
#[derive(Debug, Clone)]
pub struct Cause {
    /// The rule.
    pub rule: &'static Rule,
    /// The text as the page has it, with `…` for what differs from case to case.
    pub text: String,
    /// How much of the line the text accounts for, in bytes of its words.
    weight: usize,
}

/// Fewer bytes say too little by themselves.
const SHORTEST: usize = 7;
/// So does a single word, unless it is a long one.
const SHORTEST_WORD: usize = 11;

/// The pages are taken apart once.
static TEXTS: LazyLock<Vec<(&'static Rule, Vec<Text>)>> =
    LazyLock::new(|| RULES.iter().map(|rule| (rule, texts(rule))).collect());

/// The causes of a line, likeliest first: what accounts for more of it stands before what accounts for less.
pub fn causes(line: &str) -> Vec<Cause> {
    let line = words(line);
    let heard: HashSet<&str> = line.iter().map(String::as_str).collect();
    let mut found: Vec<Cause> = TEXTS
        .iter()
        .filter_map(|(rule, texts)| {
            let matching = texts.iter().filter_map(|text| Some((text.weight(&line, &heard)?, text)));
            let (weight, text) = matching.max_by_key(|(weight, _)| *weight)?;
            Some(Cause { rule, text: text.written.clone(), weight })
        })
        .collect();
    // among equals the mistakes of connections stand first, in the order in which they are met
    let met =
        |rule: &Rule| Mistake::ALL.iter().position(|mistake| mistake.rule() == rule.id).unwrap_or(usize::MAX);
    sorted::sort_by_key(&mut found, |cause| {
        (std::cmp::Reverse(cause.weight), met(cause.rule), cause.rule.id)
    });
    found
}

/// The literal texts that a rule's page lists under "What you see in the logs".
fn texts(rule: &Rule) -> Vec<Text> {
    let page = rule.page();
    let section = page.split("## What you see in the logs").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    code_spans(section).map(Text::new).collect()
}

/// What stands between as many backticks as open it (CommonMark section 6.1).
fn code_spans(markdown: &str) -> impl Iterator<Item = &str> {
    let mut rest = markdown;
    std::iter::from_fn(move || {
        let opened = rest.get(rest.find('`')?..)?;
        let inside = opened.trim_start_matches('`');
        let fence = opened.get(..opened.len() - inside.len())?;
        let (span, after) = inside.split_once(fence)?;
        rest = after;
        Some(span)
    })
}

/// A literal text of a page.
#[derive(Debug)]
struct Text {
    /// As the page has it, in one line.
    written: String,
    /// The words between what differs from case to case.
    pieces: Vec<Vec<String>>,
}

impl Text {
    fn new(written: &str) -> Self {
        let written = written.split_whitespace().collect::<Vec<_>>().join(" ");
        let pieces = written.replace("...", "…").split('…').map(words).collect();
        Self { written, pieces }
    }

    /// How many bytes of the line it accounts for; None unless all its pieces occur, in order, or the line is a part
    /// of one of them. `heard` are the line's words.
    fn weight(&self, line: &[String], heard: &HashSet<&str>) -> Option<usize> {
        let is_part = |piece: &Vec<String>| piece.len() > line.len() && place(piece, line).is_some();
        if telling(line) && self.pieces.iter().any(is_part) {
            // behind a text that is there as a whole
            return Some(size(line) - 1);
        }
        // most texts are ruled out by a word
        let last_is_heard =
            |piece: &Vec<String>| piece.last().is_none_or(|word| heard.contains(word.as_str()));
        if !self.pieces.iter().all(last_is_heard) {
            return None;
        }
        let mut rest = line;
        let mut matched: Vec<&[String]> = Vec::new();
        for piece in &self.pieces {
            let whole = place(rest, piece).map(|at| (at, piece.as_slice()));
            let (at, piece) = whole.or_else(|| {
                let piece = without_prefix(piece)?;
                Some((place(rest, piece)?, piece))
            })?;
            matched.push(piece);
            rest = rest.get(at + piece.len()..)?;
        }
        let matched = matched.concat();
        telling(&matched).then(|| size(&matched))
    }
}

/// The words of a text: what quotes, escapes and joins them differs from one program, and one log, to the next.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Where some words first occur, one after the other, among others.
fn place(among: &[String], words: &[String]) -> Option<usize> {
    match words {
        [] => Some(0),
        _ => among.windows(words.len()).position(|window| window == words),
    }
}

/// Go's prefixes and OpenSSL's number are often left out by those who paste, and stand or not by version.
fn without_prefix(piece: &[String]) -> Option<&[String]> {
    let (first, rest) = piece.split_first()?;
    let number = first.len() < 3 && first.bytes().all(|byte| byte.is_ascii_digit());
    ((number || matches!(first.as_str(), "x509" | "tls")) && rest.len() > 1).then_some(rest)
}

/// Whether words say enough to be looked for.
fn telling(words: &[String]) -> bool {
    size(words) >= if words.len() > 1 { SHORTEST } else { SHORTEST_WORD }
}

fn size(words: &[String]) -> usize {
    words.iter().map(String::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as people paste them, and the rule that has to be among the first three answers.
    const LINES: &str = include_str!("../../fixtures/log-lines.tsv");

    /// What nginx, Envoy and the journal put around a line.
    const AROUND: &[(&str, &str)] = &[
        ("", ""),
        (
            "2026/11/23 17:25:44 [error] 9#9: *1 ",
            ", client: 10.0.0.7, server: shop.example.com, request: \"GET / HTTP/1.1\", host: \"shop.example.com\"",
        ),
        (
            "[2026-11-23 17:25:44.100][12][debug][connection] [source/common/tls/ssl_socket.cc:246] [Tags: \"ConnectionId\":\"0\"] ",
            "",
        ),
        ("Nov 23 17:25:44 node-1 etcd[1234]: ", ""),
    ];

    /// What etcd and the Kubernetes controllers put around one, whose quotes they escape.
    const ESCAPED_WITHIN: &[(&str, &str)] = &[
        (
            r#"{"level":"warn","ts":"2026-11-23T17:25:44.100Z","caller":"embed/config_logging.go:169","msg":""#,
            r#""}"#,
        ),
        (
            r#"E1123 17:25:44.100000       1 controller.go:167] "Unhandled Error" err=""#,
            r#"" logger="cert-manager""#,
        ),
    ];

    /// Lines of programs that have nothing to complain of.
    const ORDINARY: &[&str] = &[
        "all is well",
        r#"10.0.0.7 - - [23/Nov/2026:17:25:44 +0000] "GET /certs HTTP/1.1" 200 512 "https://shop.example.com/" "curl/8.14.1""#,
        r#"10.0.0.7 - - [23/Nov/2026:17:25:44 +0000] "POST /deny HTTP/1.1" 403 162 "-" "curl/8.14.1""#,
        "subject: CN=shop.example.com",
        "SSL certificate verify ok.",
        "ssl_client_verify=SUCCESS",
        "ssl_client_verify=NONE",
        "I1123 17:25:44.100000 7 main.go:1] starting with -v=3 at https://10.0.0.7:6443",
        r#"{"level":"info","msg":"serving client traffic securely","address":"10.0.0.7:2379"}"#,
        r#"I1123 17:25:44.100000 1 issuing_controller.go:1] "Certificate issued" commonName="shop.example.com""#,
    ];

    fn ids(line: &str) -> Vec<&'static str> {
        causes(line).iter().map(|cause| cause.rule.id).collect()
    }

    #[test]
    fn a_line_of_a_log_leads_to_the_mistakes_that_print_it() {
        let mut wrong = Vec::new();
        for (number, entry) in LINES.lines().enumerate().filter(|(_, entry)| !entry.starts_with('#')) {
            let (rule, line) = entry.split_once('\t').unwrap();
            assert!(crate::rules::find(rule).is_some(), "line {}: no rule {rule}", number + 1);
            let escaped = line.replace('\\', r"\\").replace('"', "\\\"");
            let plain = AROUND.iter().map(|(before, after)| format!("{before}{line}{after}"));
            let within = ESCAPED_WITHIN.iter().map(|(before, after)| format!("{before}{escaped}{after}"));
            for line in plain.chain(within) {
                let ids = ids(&line);
                if !ids.iter().take(3).any(|id| *id == rule) {
                    wrong.push(format!("{line}\n  wanted {rule}, got {ids:?}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn an_ordinary_line_leads_nowhere() {
        for line in ORDINARY {
            assert_eq!(ids(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn every_literal_text_of_a_page_leads_back_to_its_rule() {
        for rule in RULES {
            for Text { written, .. } in texts(rule) {
                // names and numbers in the prose are no lines of a log
                if telling(&words(&written)) {
                    assert!(ids(&written).contains(&rule.id), "{}: {written}: {:?}", rule.id, ids(&written));
                }
            }
        }
    }

    #[test]
    fn a_code_span_ends_with_as_many_backticks_as_it_began() {
        let spans: Vec<&str> =
            code_spans("- `one`, ``with `ticks` within``, `two` and ` left open").collect();
        assert_eq!(spans, ["one", "with `ticks` within", "two"]);
    }
}
