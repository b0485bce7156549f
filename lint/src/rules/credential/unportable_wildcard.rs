use std::collections::BTreeSet;

use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A certificate has a wildcard that only some programs accept.
    ///
    /// ## Why it matters
    ///
    /// Everyone accepts `*` as the whole first label above two others, and for one label. `*.test` is accepted by Go
    /// and Envoy and not by OpenSSL, `s*.example.test` by nginx and Envoy and not by Go and curl, a star further right
    /// by nobody.
    ///
    /// ## How to fix
    ///
    /// Write `*.example.test`, or every name by itself.
    ///
    /// ## What you see in the logs
    ///
    /// - Go: the line of `name-mismatch`
    /// - nginx: `upstream SSL certificate does not match "…"`
    ///
    /// ## Reference
    ///
    /// RFC 9525, section 6.3
    "unportable-wildcard", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for planned in &subject.deployment.planned {
        for name in planned.dns_names.iter().filter(|name| is_unportable(&name.value)) {
            if !subject.is_blamed(planned.span) {
                findings.push(
                    RULE.finding(
                        format!(
                            "{} has the wildcard {}, which only some programs accept",
                            planned.name, name.value
                        ),
                        Some(
                            "write *.DOMAIN with a domain of two labels or more, or each name by itself"
                                .to_owned(),
                        ),
                        vec![Label { span: name.span, message: "not everyone accepts it".to_owned() }],
                    ),
                );
            }
        }
    }
    let mut told = BTreeSet::new();
    for presented in &subject.held.presented {
        let Some(first) = presented.chain.first().filter(|first| !first.is_planned()) else { continue };
        let Some(name) = first.dns_names().find(|name| is_unportable(name)) else { continue };
        let path = &presented.credential.certificate.path;
        if subject.is_blamed(first.span) || subject.is_blamed(path.span) || !told.insert(first.span) {
            continue;
        }
        let name = name.escape_debug();
        findings.push(RULE.finding(
            format!(
                "{} of {} has the wildcard {name}, which only some programs accept",
                first.shown, presented.program.name
            ),
            Some(
                "issue it anew with *.DOMAIN, of two labels or more, or with each name by itself".to_owned(),
            ),
            vec![
                Label { span: first.span, message: format!("DNS:{name}") },
                Label { span: path.span, message: "presented from here".to_owned() },
            ],
        ));
    }
}

/// A star that is not the whole first of three labels or more.
fn is_unportable(name: &str) -> bool {
    let Some((first, rest)) = name.split_once('.') else { return name.contains('*') };
    name.contains('*') && (first != "*" || rest.contains('*') || !rest.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::is_unportable;

    #[test]
    fn one_star_above_two_labels_is_for_everyone() {
        for (name, expected) in [
            ("*.example.test", false),
            ("*.web.demo.svc", false),
            ("web", false),
            ("*", true),
            ("*.test", true),
            ("s*.example.test", true),
            ("a.*.test", true),
            ("*.*.example.test", true),
        ] {
            assert_eq!(is_unportable(name), expected, "{name}");
        }
    }
}
