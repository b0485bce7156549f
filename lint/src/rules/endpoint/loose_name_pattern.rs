use crate::deployment::{NameCheck, StringMatcher};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A pattern for names in certificates matches more names than it seems to.
    ///
    /// ## Why it matters
    ///
    /// Who may connect is decided by this pattern. A dot in a regular expression is any character, so `backend.com`
    /// also accepts `backendXcom`; a suffix without a dot in front, `example.com`, also accepts `evilexample.com`; a
    /// prefix of a SPIFFE ID that does not end at a slash, `spiffe://prod`, also accepts `spiffe://prod.evil/…`;
    /// and what is contained may stand anywhere.
    ///
    /// ## How to fix
    ///
    /// - name one name: `matcher: {exact: backend.example.com}`
    /// - escape the dots: `matcher: {safe_regex: {regex: 'backend[.]example[.]com'}}`
    /// - begin a suffix with a dot: `matcher: {suffix: .example.com}`
    /// - end a prefix with a slash: `matcher: {prefix: spiffe://prod/}`
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// RFC 9525, section 6.3; <https://github.com/envoyproxy/envoy/issues/39496>
    "loose-name-pattern", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let servers = subject.listeners().flat_map(|(program, listener)| {
        let contexts = listener.tls.iter().flat_map(|tls| &tls.contexts);
        contexts.map(move |context| (program, &context.client_auth.checks))
    });
    let clients =
        subject.dialers().filter_map(|(program, dialer)| Some((program, &dialer.tls.as_ref()?.checks)));
    let mut told = Vec::new();
    for (program, checks) in servers.chain(clients) {
        for name in &checks.names {
            let NameCheck::San { kind, matcher } = &name.value else { continue };
            let Some((also, help)) = looseness(kind, matcher) else { continue };
            if told.contains(&name.span) {
                continue;
            }
            told.push(name.span);
            findings.push(RULE.finding(
                format!("{} accepts more names than it seems to: {also}", program.name),
                Some(help),
                vec![Label { span: name.span, message: "this pattern is loose".to_owned() }],
            ));
        }
    }
}

/// A name that the pattern accepts by accident, and what to write.
fn looseness(kind: &str, matcher: &StringMatcher) -> Option<(String, String)> {
    match matcher {
        StringMatcher::Suffix(suffix) if !suffix.starts_with(['.', '@', '/']) => Some((
            format!("the suffix {suffix} also accepts evil{suffix}"),
            format!("write suffix: .{suffix}"),
        )),
        StringMatcher::Prefix(prefix) if kind == "URI" && !prefix.ends_with('/') => Some((
            format!("the prefix {prefix} also accepts {prefix}.evil"),
            format!("write prefix: {prefix}/"),
        )),
        StringMatcher::Prefix(prefix) if kind == "DNS" => Some((
            format!("the prefix {prefix} also accepts {}.evil.example", prefix.trim_end_matches('.')),
            "write exact with the whole name".to_owned(),
        )),
        StringMatcher::Contains(part) => Some((
            format!("{part} may stand anywhere in the name"),
            "write exact with the whole name".to_owned(),
        )),
        StringMatcher::Regex(regex) => {
            let at = bare_dot(regex)?;
            let mut other = regex.clone();
            other.replace_range(at..=at, "X");
            let escaped = escape_bare_dots(regex);
            Some((format!("{regex} also accepts {other}"), format!("write regex: '{escaped}'")))
        }
        _ => None,
    }
}

/// The first dot of a regular expression that stands for any one character: neither escaped, nor in a class, nor
/// followed by a quantifier, which shows that any character is meant.
fn bare_dot(regex: &str) -> Option<usize> {
    let bytes = regex.as_bytes();
    let mut in_class = false;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'.' if !in_class && !matches!(bytes.get(at + 1), Some(b'*' | b'+' | b'?' | b'{')) => {
                return Some(at);
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn escape_bare_dots(regex: &str) -> String {
    let mut escaped = regex.to_owned();
    // each round mends one dot; a pattern is a line, not a book
    for _ in 0..64 {
        let Some(at) = bare_dot(&escaped) else { break };
        escaped.replace_range(at..=at, "[.]");
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dot_that_stands_for_any_one_character_is_bare() {
        for (regex, mended) in [
            ("backend.com", "backend[.]com"),
            ("a.b.c", "a[.]b[.]c"),
            (r"a\.b", r"a\.b"),
            ("a[.]b", "a[.]b"),
            (".*", ".*"),
            (r"spiffe://a/.+", r"spiffe://a/.+"),
        ] {
            assert_eq!(escape_bare_dots(regex), mended, "{regex}");
        }
    }

    #[test]
    fn patterns_that_mean_what_they_say_are_silent() {
        for (kind, matcher) in [
            ("DNS", StringMatcher::Exact("a.test".to_owned())),
            ("DNS", StringMatcher::Suffix(".a.test".to_owned())),
            ("EMAIL", StringMatcher::Suffix("@a.test".to_owned())),
            ("URI", StringMatcher::Prefix("spiffe://a/".to_owned())),
        ] {
            assert_eq!(looseness(kind, &matcher), None, "{matcher:?}");
        }
    }
}
