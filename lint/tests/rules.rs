//! Every rule has a page with all its parts, and an id of its own.

use mtls_lint::rules::RULES;

#[test]
fn every_rule_has_a_whole_page() {
    for rule in RULES {
        let page = rule.page();
        let first = page.split("\n\n").next().unwrap();
        assert!(first.ends_with('.'), "{}: the first sentence says what it is: {first}", rule.id);
        for part in ["## Why it matters", "## How to fix", "## What you see in the logs", "## Reference"] {
            let text = page.split(part).nth(1).unwrap_or_else(|| panic!("{} has no part {part:?}", rule.id));
            let text = text.split("\n## ").next().unwrap();
            assert!(text.trim().len() > 5, "{}: {part} is empty", rule.id);
        }
    }
}

/// It looks at what all others found.
#[test]
fn unused_allowances_are_looked_for_last() {
    assert_eq!(RULES.last().map(|rule| rule.id), Some("unused-allowance"));
}

#[test]
fn rules_are_listed_once() {
    let mut ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), RULES.len());
}
