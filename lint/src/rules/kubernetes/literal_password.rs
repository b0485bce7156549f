use crate::dialect::cert_manager::go_duration;
use crate::dialect::kubernetes::EnvironmentValue;
use crate::dialect::placeholder::is_placeholder;
use crate::finding::{Finding, Label};
use crate::resolve::kubernetes::names_a_password;
use crate::rules::{Subject, rule};

rule! {
    /// A password stands as plain text in the environment of a container.
    ///
    /// ## Why it matters
    ///
    /// Manifests are kept in repositories and printed by `kubectl describe`: whoever reads them has the password. Mutual
    /// TLS is then the only thing between that reader and the service.
    ///
    /// ## How to fix
    ///
    /// Keep the value in a Secret and refer to it:
    ///
    /// ```yaml
    /// env:
    ///   - name: ETCD_ROOT_PASSWORD
    ///     valueFrom:
    ///       secretKeyRef:
    ///         name: etcd-root
    ///         key: password
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.io/docs/tasks/inject-data-application/distribute-credentials-secure/>
    "literal-password", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for workload in &subject.deployment.manifests.workloads {
        for (container, _) in workload.pod.all() {
            for variable in &container.env {
                let EnvironmentValue::Text(text) = &variable.value else { continue };
                let name = &variable.name.value;
                if !names_a_password(name) || is_setting(name) || !is_password(&text.value) {
                    continue;
                }
                let mut labels = vec![Label {
                    span: variable.name.span,
                    message: "its value follows as plain text".to_owned(),
                }];
                // who allows it may write so beside the value
                if !text.value.contains('\n') {
                    labels.push(Label { span: text.span, message: "this value".to_owned() });
                }
                findings.push(RULE.finding(
                    format!(
                        "{} of container {} ({} {}) is written as plain text",
                        variable.name.value,
                        container.name.value,
                        workload.kind,
                        workload.metadata.path()
                    ),
                    Some(format!(
                        "put the value into a Secret and write valueFrom: {{secretKeyRef: {{name: …, key: …}}}} for {}",
                        variable.name.value
                    )),
                    labels,
                ));
            }
        }
    }
}

/// Whether a name that speaks of passwords is that of a setting about them.
fn is_setting(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let endings = ["_NAME", "_TTL", "_HEADER", "_LENGTH", "_EXPIRY", "_EXPIRATION", "_ENABLED", "_URL"];
    // etcd's says which kind of token it hands out
    name == "ETCD_AUTH_TOKEN"
        || name.starts_with("ALLOW_")
        || name.contains("_ALLOW_")
        || name.contains("_RANDOM_")
        || endings.iter().any(|ending| name.ends_with(ending))
}

/// Whether a value can be a password: no switch, number, duration, path, or reference to where the password is kept.
fn is_password(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let word =
        matches!(lower.as_str(), "" | "true" | "false" | "yes" | "no" | "on" | "off" | "none" | "null");
    let kept =
        ["vault:", "arn:", "secret:", "ref+", "op://", "file:"].iter().any(|start| lower.starts_with(start));
    // $(NAME) stands for another variable, whose own value is looked at
    let filled =
        value.starts_with(['$', '{', '<', '[', '_', '%', '@', 'R', 'C', 'Y', 'T']) && is_placeholder(value);
    !(word || kept || filled || value.starts_with('/'))
        && value.parse::<f64>().is_err()
        && go_duration(value).is_none()
}
