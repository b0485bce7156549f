//! From a line of a log to the mistakes that print it: the rules' pages are the data.

use crate::rules::{RULES, Rule};

/// A rule that may have caused a line, and the text of its page that the line shows.
#[derive(Debug, Clone)]
pub struct Cause {
    /// The rule.
    pub rule: &'static Rule,
    /// The text as the page has it, with `…` for what differs from case to case.
    pub text: String,
    /// How much of the line the text accounts for, in bytes.
    weight: usize,
}

/// Shorter pieces of text say too little by themselves.
const SHORTEST: usize = 6;

/// The causes of a line, likeliest first: what accounts for more of it stands before what accounts for less.
pub fn causes(line: &str) -> Vec<Cause> {
    let line = line.to_lowercase();
    let mut found: Vec<Cause> = RULES
        .iter()
        .filter_map(|rule| {
            let texts = texts(rule).into_iter();
            let matching = texts.filter_map(|text| Some(Cause { rule, weight: weight(&line, &text)?, text }));
            matching.max_by_key(|cause| cause.weight)
        })
        .collect();
    found.sort_by_key(|cause| (std::cmp::Reverse(cause.weight), cause.rule.id));
    found
}

/// The literal texts that a rule's page lists under "What you see in the logs".
pub fn texts(rule: &Rule) -> Vec<String> {
    let page = rule.page();
    let section = page.split("## What you see in the logs").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    // every second piece between backticks is literal
    section.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// How many bytes of the line a text accounts for; None unless all its pieces occur, in order.
fn weight(line: &str, text: &str) -> Option<usize> {
    let mut rest = line;
    let mut weight = 0;
    for piece in text.to_lowercase().split(['…', '"']) {
        let piece =
            piece.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '.' | '[' | ']'));
        if piece.is_empty() {
            continue;
        }
        let at = rest.find(piece)?;
        rest = rest.get(at + piece.len()..)?;
        weight += piece.len();
    }
    (weight >= SHORTEST).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_log_leads_to_the_mistakes_that_print_it() {
        for (line, rule) in [
            (
                "2026/11/23 17:25:44 [info] 9#9: *1 client SSL certificate verify error: (10:certificate has expired) \
                 while reading client request headers",
                "expired-certificate",
            ),
            (
                "rejected connection from \"127.0.0.1:4\" (error \"tls: client didn't provide a certificate\")",
                "missing-client-certificate",
            ),
            ("x509: certificate is valid for a.example, not b.example", "name-mismatch"),
            ("upstream SSL certificate does not match \"backend\" while SSL handshaking", "name-mismatch"),
            ("[emerg] no ssl_client_certificate for ssl_verify_client", "verification-without-trust"),
        ] {
            let causes: Vec<&str> = causes(line).iter().map(|cause| cause.rule.id).collect();
            assert_eq!(causes.first(), Some(&rule), "{line}: {causes:?}");
        }
        assert!(causes("all is well").is_empty());
    }

    #[test]
    fn every_literal_text_of_a_page_leads_back_to_its_rule() {
        for rule in RULES {
            // a text that is nothing but placeholders leads nowhere
            for text in texts(rule).iter().filter(|text| weight(&text.to_lowercase(), text).is_some()) {
                let ids: Vec<&str> = causes(text).iter().map(|cause| cause.rule.id).collect();
                assert!(ids.contains(&rule.id), "{}: {text}: {ids:?}", rule.id);
            }
        }
    }
}
