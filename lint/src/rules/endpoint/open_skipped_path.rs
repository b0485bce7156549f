use crate::deployment::Gate;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A pattern of `skip_mtls_uri_regex` lets more paths through than it seems to.
    ///
    /// The patterns are searched anywhere in the path, so that `/open.*` also lets `/private/x/open` through without
    /// a client certificate. Only `^` ties a pattern to the start.
    ///
    /// ## Why it matters
    ///
    /// With `skip_mtls_uri_regex` the handshake accepts every client, even one with an expired or foreign
    /// certificate; this list is all that stands before the routes. Where a route takes any path (`/*`), a caller
    /// appends what the pattern looks for.
    ///
    /// A warning, and no error: which paths are open in the end, the routes say, and a plugin of theirs may insist on
    /// more.
    ///
    /// ## How to fix
    ///
    /// Anchor the pattern at the start, and at the end where it names one path:
    ///
    /// ```yaml
    /// skip_mtls_uri_regex:
    ///   - ^/healthz$
    ///   - ^/open/
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: the request passes.
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/mtls/>, apache/apisix#10709
    "open-skipped-path", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, listener) in subject.listeners() {
        if !matches!(listener.gate, Gate::ApisixData) {
            continue;
        }
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            for pattern in &context.client_auth.skip_paths {
                let text = pattern.value.as_str();
                let parts = alternatives(text);
                let Some((message, help)) = parts.iter().find_map(|part| judge(text, part, parts.len()))
                else {
                    continue;
                };
                let message = format!("{}: {message}", program.name);
                findings.push(RULE.finding(
                    message,
                    help,
                    vec![Label {
                        span: pattern.span,
                        message: "no client certificate is needed for what this finds".to_owned(),
                    }],
                ));
            }
        }
    }
}

/// What is wrong with one of a pattern's alternatives, and what to write.
fn judge(text: &str, part: &str, count: usize) -> Option<(String, Option<String>)> {
    let of = if count > 1 { format!("{part} in {text}") } else { text.to_owned() };
    let bare = part.strip_prefix("(?i)").unwrap_or(part);
    let anchored = bare.strip_prefix('^').or_else(|| bare.strip_prefix("\\A"));
    let rest = anchored.unwrap_or(bare);
    let open = rest.strip_suffix('$').filter(|rest| rest.ends_with(['*', '+'])).unwrap_or(rest);
    // every path begins with a slash
    let everything = matches!(open, "" | "/" | "." | ".*" | ".*?" | ".+" | "/.*" | "/?" | "/*" | "/+")
        || anchored.is_none() && open == "$";
    if everything {
        return Some((format!("{of} lets every path through without a client certificate"), None));
    }
    if matches!(open, "/." | "/.+") {
        return Some((format!("{of} lets every path but / through without a client certificate"), None));
    }
    let loose = [".*", ".+", "/.*", "/.+"].iter().any(|start| rest.starts_with(start));
    if anchored.is_some() && !loose {
        return None;
    }
    // `/healthz` is also the beginning of `/healthz-admin`
    let open = [".*", ".+", "/", "$"].iter().any(|end| bare.ends_with(end));
    let end = if open { "" } else { ", and $ at its end where no longer path is meant" };
    let help = match (loose, count) {
        (true, _) => None,
        (false, 1) => Some(format!("write {}^{bare}{end}", text.strip_suffix(bare).unwrap_or_default())),
        (false, _) => Some(format!("write ^(?:{text}){end}")),
    };
    Some((format!("{of} is found anywhere in a path, and any path that contains it passes"), help))
}

/// The alternatives of an expression outside of groups and classes.
fn alternatives(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut class, mut escaped) = (0, 0_u32, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class => depth = depth.saturating_sub(1),
            '|' if !class && depth == 0 => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alternative_has_to_be_anchored() {
        for (text, expected) in [
            ("^/open/", None),
            ("^/healthz$", None),
            ("(?i)^/open", None),
            ("^/$", None),
            ("^/a|^/b", None),
            ("^/(a|b)$", None),
            ("^/[|]x", None),
            ("", Some("every path through")),
            ("^", Some("every path through")),
            ("/", Some("every path through")),
            (".*", Some("every path through")),
            (".+", Some("every path through")),
            ("^/.*$", Some("every path through")),
            ("^/.+", Some("every path but /")),
            ("^/a|.*", Some(".* in ^/a|.* lets every path")),
            ("/open", Some("anywhere")),
            ("^.*open", Some("anywhere")),
            ("^/a|/b", Some("/b in ^/a|/b is found anywhere")),
        ] {
            let parts = alternatives(text);
            let said = parts.iter().find_map(|part| judge(text, part, parts.len()));
            let message = said.as_ref().map(|(message, _)| message.as_str());
            assert_eq!(message.is_some(), expected.is_some(), "{text}: {message:?}");
            assert!(
                expected.is_none_or(|words| message.unwrap_or_default().contains(words)),
                "{text}: {message:?}"
            );
        }
        let help = |text: &str, part: &str, count| judge(text, part, count).unwrap().1.unwrap();
        assert!(help("(?i)/x", "(?i)/x", 1).starts_with("write (?i)^/x, and $"));
        assert!(help("^/a|/b", "/b", 2).starts_with("write ^(?:^/a|/b), and $"));
    }
}
