use crate::dialect::kubernetes::EnvironmentValue;
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
                // $(NAME) stands for another variable, whose own value is looked at
                let literal = !text.value.is_empty() && !text.value.starts_with("$(");
                if !literal || !names_a_password(&variable.name.value) {
                    continue;
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
                    vec![Label { span: variable.name.span, message: "its value follows as plain text".to_owned() }],
                ));
            }
        }
    }
}
