//! From a line of a log to the mistakes that print it: the rules' pages are the data.

use crate::rules::{RULES, Rule};
use crate::stack::Mistake;

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
/// A line that is only a part of a text has to be this long.
const SHORTEST_PART: usize = 12;

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
    // among equals the mistakes of connections stand first, in the order in which they are met
    let met =
        |rule: &Rule| Mistake::ALL.iter().position(|mistake| mistake.rule() == rule.id).unwrap_or(usize::MAX);
    found.sort_by_key(|cause| (std::cmp::Reverse(cause.weight), met(cause.rule), cause.rule.id));
    found
}

/// The literal texts that a rule's page lists under "What you see in the logs".
pub fn texts(rule: &Rule) -> Vec<String> {
    let page = rule.page();
    let section = page.split("## What you see in the logs").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    // every second piece between backticks is literal
    let texts = section.split('`').skip(1).step_by(2);
    texts.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// How many bytes of the line a text accounts for; None unless all its pieces occur, in order, or the line is a part
/// of one of them.
fn weight(line: &str, text: &str) -> Option<usize> {
    let text = text.to_lowercase();
    // what was cut off where it was copied says nothing
    let part = line.trim().trim_matches(['.', '…']);
    if part.len() >= SHORTEST_PART && text.split('…').any(|piece| piece.contains(part)) {
        return Some(part.len());
    }
    let mut rest = line;
    let mut weight = 0;
    for piece in text.split(['…', '"']) {
        let piece =
            piece.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '.' | '[' | ']'));
        // Go's prefix and OpenSSL's number are often left out by those who paste
        let piece = piece.strip_prefix("x509: ").unwrap_or(piece);
        let piece = numbered(piece).unwrap_or(piece);
        if piece.is_empty() {
            continue;
        }
        let at = rest.find(piece)?;
        rest = rest.get(at + piece.len()..)?;
        weight += piece.len();
    }
    (weight >= SHORTEST).then_some(weight)
}

/// The words of `(10:certificate has expired)`.
fn numbered(piece: &str) -> Option<&str> {
    let (number, words) = piece.strip_prefix('(')?.strip_suffix(')')?.split_once(':')?;
    number.bytes().all(|digit| digit.is_ascii_digit()).then(|| words.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as people paste them, and the rule that has to be among the first three answers.
    const LINES: &str = include_str!("../../fixtures/log-lines.tsv");

    #[test]
    fn a_line_of_a_log_leads_to_the_mistakes_that_print_it() {
        let mut wrong = Vec::new();
        for (number, entry) in LINES.lines().enumerate().filter(|(_, entry)| !entry.starts_with('#')) {
            let (rule, line) = entry.split_once('\t').unwrap();
            assert!(crate::rules::find(rule).is_some(), "line {}: no rule {rule}", number + 1);
            let causes: Vec<&str> = causes(line).iter().map(|cause| cause.rule.id).collect();
            if !causes.iter().take(3).any(|cause| *cause == rule) {
                wrong.push(format!("{line}\n  wanted {rule}, got {causes:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
