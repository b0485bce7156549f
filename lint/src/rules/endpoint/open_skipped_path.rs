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
                // flags may stand before the anchor
                let bare = text.strip_prefix("(?i)").unwrap_or(text);
                let everything = matches!(bare, "^" | "^/" | "^.*" | "^/.*" | "^.*$" | "^/.*$");
                if (bare.starts_with('^') || bare.starts_with("\\A")) && !everything {
                    continue;
                }
                let (message, help) = if everything {
                    (
                        format!(
                            "{text} lets every path of {} through without a client certificate",
                            program.name
                        ),
                        None,
                    )
                } else {
                    (
                        format!(
                            "{text} is searched anywhere in the path: {} lets any path through that contains it",
                            program.name
                        ),
                        Some(format!("write ^{text}")),
                    )
                };
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
