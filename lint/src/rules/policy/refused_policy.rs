use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// The filter cannot read its policy.
    ///
    /// ## Why it matters
    ///
    /// A filter without a policy decides nothing, so it lets nobody in. Envoy does not start, whatever the failure
    /// policy; an update by discovery is rejected, and the old policy stays in force. APISIX answers 503 on every
    /// request of the route.
    ///
    /// ## How to fix
    ///
    /// The finding says what is wrong, at the place. In Envoy give the policy as text; a `Struct` arrives in the filter
    /// as binary protobuf:
    ///
    /// ```yaml
    /// configuration:
    ///   '@type': type.googleapis.com/google.protobuf.StringValue
    ///   value: |
    ///     certificate: {from: envoy}
    ///     identities:
    ///       web: {spiffe: spiffe://example.org/web}
    ///     rules:
    ///       - {path: /**, allow: web}
    /// ```
    ///
    /// In APISIX, `conf` of the plugin holds the text.
    ///
    /// ## What you see in the logs
    ///
    /// The filter's own line, `mtls-guard: the configuration is refused: …`, which names the key and the position.
    ///
    /// ## Reference
    ///
    /// `mtls_identity::policy`, the configuration reference
    "refused-policy", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for given in super::policies(subject) {
        let program = &given.program.name;
        let Some(read) = given.read() else {
            let (message, help) = match given.type_name {
                Some("google.protobuf.StringValue" | "google.protobuf.BytesValue") => {
                    ("the policy is no text".to_owned(), "write the policy as its value".to_owned())
                }
                Some(other) => (
                    format!("the policy is given as {other}, which arrives in the filter as binary protobuf"),
                    "write '@type': type.googleapis.com/google.protobuf.StringValue with the policy as value"
                        .to_owned(),
                ),
                None if given.in_envoy => (
                    "the filter has no policy, and denies every request".to_owned(),
                    "write configuration with a google.protobuf.StringValue that holds the policy".to_owned(),
                ),
                // an object, which APISIX re-encodes
                None => continue,
            };
            findings.push(RULE.finding(
                format!("{program}: {message}"),
                Some(help),
                vec![Label { span: given.span, message: String::new() }],
            ));
            continue;
        };
        let Err(error) = read else { continue };
        let span = error.at.map_or(given.span, |at| given.line_from(at.offset));
        findings.push(RULE.finding(
            format!("{program} cannot read its policy: {}", error.message),
            error.help,
            vec![Label { span, message: "here".to_owned() }],
        ));
    }
}
