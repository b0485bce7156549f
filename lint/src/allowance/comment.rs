//! `# mtls-lint: allow(rule-id, …) reason` in YAML, nginx and PEM text, wherever that is embedded.
//!
//! Comments are found by text, line by line: a ConfigMap holds nginx's comments, a Secret those of a PEM bundle, and no
//! parser of the outer file knows of them. One pass over the lines says what each comment covers.

use super::{Allowance, Covers};
use crate::rules::{RULES, find};
use crate::source::{Located, Text};
use crate::suggestion::did_you_mean;

/// By which a comment is addressed to us.
const ADDRESS: &str = "mtls-lint:";

/// Adds the allowances of a whole file.
pub(super) fn read(text: &Text, allowances: &mut Vec<Allowance>) {
    let Ok(content) = text.as_str() else { return };
    if !content.contains(ADDRESS) {
        return;
    }
    let mut pass =
        Pass { text, allowances, open: Open::default(), waiting: Vec::new(), depth: 0, fresh: true };
    let mut at = 0;
    for line in content.split_inclusive('\n') {
        pass.line(at, line.trim_end_matches(['\n', '\r']));
        at += line.len();
    }
    let open = std::mem::take(&mut pass.open);
    let indented = open.indented.into_iter().flat_map(|(_, _, allowances)| allowances);
    let braces = open.braces.into_iter().flat_map(|(_, allowances)| allowances);
    pass.close(indented.chain(braces).chain(open.pem).chain(open.document), at);
}

struct Pass<'p> {
    text: &'p Text,
    allowances: &'p mut Vec<Allowance>,
    /// What goes on beyond the line it began on.
    open: Open,
    /// Comments on lines of their own whose line has not come yet.
    waiting: Vec<usize>,
    /// How many braces are open within the blocks that are covered.
    depth: usize,
    /// Nothing of this YAML document has come yet.
    fresh: bool,
}

/// Allowances whose cover has not ended, by what ends it.
#[derive(Default)]
struct Open {
    /// The next line that is indented no deeper. Items of a sequence may stand as deep as their key: whether it is one.
    indented: Vec<(usize, bool, Vec<usize>)>,
    /// The brace that leaves this many open.
    braces: Vec<(usize, Vec<usize>)>,
    /// The END line of a PEM block.
    pem: Vec<usize>,
    /// The next `---` or `...`.
    document: Vec<usize>,
}

impl Pass<'_> {
    fn line(&mut self, at: usize, line: &str) {
        let indent = line.len() - line.trim_start().len();
        let content = line.trim();
        if content.is_empty() {
            return;
        }
        if content.starts_with('#') {
            if self.comment(at + indent, content) {
                self.waiting.push(self.allowances.len() - 1);
            }
            return;
        }
        if matches!(content, "---" | "...") || content.starts_with("--- ") {
            let indented = std::mem::take(&mut self.open.indented);
            let document = std::mem::take(&mut self.open.document);
            self.close(indented.into_iter().flat_map(|(_, _, allowances)| allowances).chain(document), at);
            self.fresh = true;
            return;
        }
        let item = content == "-" || content.starts_with("- ");
        while let Some((_, _, over)) = self
            .open
            .indented
            .pop_if(|(own, own_item, _)| indent < *own || (indent == *own && (*own_item || !item)))
        {
            self.close(over, at);
        }
        let end = at + line.len();
        let code = code(line);
        if let Some(start) = comment_of(line)
            && self.comment(at + start, line.get(start..).unwrap_or_default())
        {
            self.cover(self.allowances.len() - 1, at, end);
        }
        let waiting = std::mem::take(&mut self.waiting);
        for allowance in &waiting {
            self.cover(*allowance, at, end);
        }
        if !waiting.is_empty() {
            if content.contains("-----BEGIN ") {
                self.open.pem.extend(waiting);
            } else if code.trim_end().ends_with('{') {
                self.open.braces.push((self.depth, waiting));
            } else if self.fresh && indent == 0 && is_key(content) {
                self.open.document.extend(waiting);
            } else {
                self.open.indented.push((indent, item, waiting));
            }
        }
        self.fresh = false;
        if !self.open.braces.is_empty() {
            self.count(code, end);
        }
        if content.contains("-----END ") {
            let over = std::mem::take(&mut self.open.pem);
            self.close(over, end);
        }
    }

    /// Counts the braces of a line outside of quotes, and ends the blocks that they close.
    fn count(&mut self, code: &str, end: usize) {
        let mut quote = None;
        let mut letters = code.chars();
        while let Some(letter) = letters.next() {
            match (quote, letter) {
                (_, '\\') => {
                    letters.next();
                }
                (Some(open), letter) if letter == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(letter),
                (None, '{') => self.depth += 1,
                (None, '}') => {
                    // what closes before the block has opened belongs to another one: `} else {`
                    let Some(depth) = self.depth.checked_sub(1) else { continue };
                    self.depth = depth;
                    while let Some((_, over)) = self.open.braces.pop_if(|(own, _)| depth <= *own) {
                        self.close(over, end);
                    }
                }
                (None, _) => {}
            }
        }
        if self.open.braces.is_empty() {
            self.depth = 0;
        }
    }

    /// Reads a comment; whether it is addressed to us.
    fn comment(&mut self, at: usize, written: &str) -> bool {
        let Some(said) = written.trim_start_matches('#').trim_start().strip_prefix(ADDRESS) else {
            return false;
        };
        let place = |part: &str| {
            // a part of the comment, so its address is beyond the comment's
            let start = at + (part.as_ptr().addr() - written.as_ptr().addr());
            self.text.span(start..start + part.len())
        };
        let mut allowance = Allowance {
            rules: Vec::new(),
            reason: String::new(),
            expires: None,
            covers: Covers::Range(place(written.get(..0).unwrap_or_default())),
            span: place(written.trim_end()),
            mistake: None,
        };
        match said.trim_start().strip_prefix("allow(").and_then(|rest| rest.split_once(')')) {
            Some((rules, reason)) => {
                let rules = rules.split(',').map(str::trim).filter(|rule| !rule.is_empty());
                allowance.rules = rules.map(|rule| Located::new(rule.to_owned(), place(rule))).collect();
                allowance.reason =
                    reason.trim_start_matches([':', '-', '–', '—', ' ', '\t']).trim_end().to_owned();
                allowance.mistake = mistake(&allowance);
            }
            None => {
                let near = "write # mtls-lint: allow(rule-id) and the reason";
                allowance.mistake = Some(format!("it is not written as an allowance; {near}"));
            }
        }
        self.allowances.push(allowance);
        true
    }

    fn cover(&mut self, allowance: usize, start: usize, end: usize) {
        if let Some(allowance) = self.allowances.get_mut(allowance) {
            // a finding at the end of the line, where something is missing, is on the line
            allowance.covers = Covers::Range(self.text.span(start..end + 1));
        }
    }

    fn close(&mut self, over: impl IntoIterator<Item = usize>, at: usize) {
        for index in over {
            if let Some(Covers::Range(span)) = self.allowances.get_mut(index).map(|one| &mut one.covers) {
                span.end = span.end.max(u32::try_from(at).unwrap_or(u32::MAX));
            }
        }
    }
}

/// What is wrong with an allowance.
fn mistake(allowance: &Allowance) -> Option<String> {
    if allowance.rules.is_empty() {
        return Some("it names no rule; write the rule's id between the brackets".to_owned());
    }
    if let Some(rule) = allowance.rules.iter().find(|rule| find(&rule.value).is_none()) {
        let near = did_you_mean(&rule.value, RULES.iter().map(|rule| rule.id));
        return Some(format!("there is no rule {}{near}", rule.value));
    }
    if !allowance.reason.chars().any(char::is_alphanumeric) {
        return Some("it gives no reason; write behind the bracket why this is not to be mended".to_owned());
    }
    None
}

/// A line of nginx without the comment that ends it.
fn code(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            _ if before == '\\' => {}
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '#') if matches!(before, ' ' | '\t' | ';' | '{' | '}') => {
                return line.get(..at).unwrap_or_default();
            }
            _ => {}
        }
        before = if before == '\\' { ' ' } else { letter };
    }
    line
}

/// Where the comment to us begins that ends a line of YAML or nginx.
fn comment_of(line: &str) -> Option<usize> {
    let found = line.match_indices('#').find(|(at, _)| {
        let before = line.get(..*at).unwrap_or_default();
        let rest = line.get(*at..).unwrap_or_default().trim_start_matches('#').trim_start();
        before.ends_with([' ', '\t', ';', '{', '}']) && rest.starts_with(ADDRESS)
    });
    found.map(|(at, _)| at)
}

/// Whether a line begins a mapping of YAML.
fn is_key(content: &str) -> bool {
    let name = content.split(':').next().unwrap_or_default();
    let after = content.get(name.len()..).unwrap_or_default();
    !name.contains([' ', ';', '{']) && (after == ":" || after.starts_with(": "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    /// Each comment's rules and the text of the lines that it covers.
    fn covered(text: &str) -> Vec<(Vec<String>, String)> {
        let mut sources = Sources::default();
        let file = sources.add("a", text);
        let mut allowances = Vec::new();
        read(&sources.text(file).unwrap(), &mut allowances);
        let shown = allowances.into_iter().map(|allowance| {
            assert_eq!(allowance.mistake, None);
            let Covers::Range(span) = allowance.covers else { panic!("a comment covers a range") };
            let end = (span.end as usize).min(text.len());
            let lines = text[span.start as usize..end].trim_end_matches('\n').to_owned();
            (allowance.rules.into_iter().map(|rule| rule.value).collect(), lines)
        });
        shown.collect()
    }

    fn only(text: &str) -> String {
        let [(_, lines)] = <[_; 1]>::try_from(covered(text)).unwrap();
        lines
    }

    const ALLOW: &str = "# mtls-lint: allow(name-mismatch) because";

    #[test]
    fn a_comment_at_the_end_of_a_line_covers_the_line() {
        assert_eq!(only(&format!("a: 1\nb: 2 {ALLOW}\nc: 3\n")), format!("b: 2 {ALLOW}"));
        assert_eq!(only(&format!("a on;{ALLOW}\nb on;\n")), format!("a on;{ALLOW}"));
        // a value that only looks like one
        assert!(covered(&format!("a: x{ALLOW}\n")).is_empty());
    }

    #[test]
    fn a_comment_above_covers_what_follows_as_a_whole() {
        let entry = "  b:\n    c: 1\n\n    d: 2";
        assert_eq!(only(&format!("a:\n  {ALLOW}\n\n{entry}\n  e: 3\n")), entry);
        let sequence = "  b:\n  - c\n  - d";
        assert_eq!(only(&format!("a:\n  {ALLOW}\n{sequence}\n  e: 3\n")), sequence);
        let item = "- b: 1\n  c: 2";
        assert_eq!(only(&format!("- a: 0\n{ALLOW}\n{item}\n- b: 1\n")), item);
        let document = "apiVersion: v1\nkind: Pod\nspec: {}";
        assert_eq!(only(&format!("a: 1\n---\n{ALLOW}\n{document}\n---\nb: 1\n")), document);
        assert_eq!(only(&format!("{ALLOW}\n---\n{document}\n")), document);
        assert_eq!(only(&format!("a: 1\n{ALLOW}\nb: 1\nc: 2\n")), "b: 1");
    }

    #[test]
    fn a_comment_above_a_block_of_nginx_covers_it_up_to_its_brace() {
        let server = "server {\nlisten 443 ssl; # }\nif ($a ~ \"}\") {\n}\nlocation / { return 200; }\n}";
        assert_eq!(only(&format!("{ALLOW}\n{server}\nserver {{\n}}\n")), server);
        assert_eq!(
            only(&format!("user nginx;\n{ALLOW}\nssl_verify_client off;\nb on;\n")),
            "ssl_verify_client off;"
        );
        let inner = "  location /a {\n  }";
        assert_eq!(only(&format!("server {{\n  {ALLOW}\n{inner}\n  b on;\n}}\n")), inner);
    }

    #[test]
    fn a_comment_above_a_pem_block_covers_it_up_to_its_end() {
        let block = "-----BEGIN CERTIFICATE-----\nAA\nBB\n-----END CERTIFICATE-----";
        assert_eq!(only(&format!("subject=a\n{ALLOW}\n{block}\n{block}\n")), block);
    }

    #[test]
    fn comments_may_stand_above_each_other_and_within_each_other() {
        let text = format!(
            "{ALLOW}\n# mtls-lint: allow(unknown-issuer, weak-key): x\na {{\n  {ALLOW}\n  b {{\n  }}\n}}\nc\n"
        );
        let shown = covered(&text);
        assert_eq!(shown[1].0, ["unknown-issuer", "weak-key"]);
        assert_eq!(shown[0].1, shown[1].1);
        assert!(shown[0].1.ends_with("\n}") && shown[2].1 == "  b {\n  }");
    }

    #[test]
    fn a_comment_that_cannot_be_understood_says_why() {
        for (comment, part) in [
            ("# mtls-lint: allow(name-mismatch)", "no reason"),
            ("# mtls-lint: allow(name-mismatch) --", "no reason"),
            ("# mtls-lint: allow(name-mismach) x", "did you mean name-mismatch?"),
            ("# mtls-lint: allow() x", "names no rule"),
            ("# mtls-lint: ignore name-mismatch", "not written as an allowance"),
            ("# mtls-lint: allow(name-mismatch x", "not written as an allowance"),
        ] {
            let mut sources = Sources::default();
            let file = sources.add("a", format!("{comment}\na: 1\n"));
            let mut allowances = Vec::new();
            read(&sources.text(file).unwrap(), &mut allowances);
            let mistake = allowances[0].mistake.as_deref().unwrap();
            assert!(mistake.contains(part), "{comment}: {mistake}");
        }
    }

    #[test]
    fn many_comments_cost_no_more_than_their_lines() {
        let text = format!("{}a {{\n{}", format!("{ALLOW}\n").repeat(2_000), "  b;\n".repeat(2_000));
        assert_eq!(covered(&text).len(), 2_000);
        let nested: String = (0..2_000).map(|_| format!("{ALLOW}\na {{\n")).collect();
        assert_eq!(covered(&nested).len(), 2_000);
    }
}
