use crate::deployment::Configuration;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// APISIX's Admin API accepts a key that APISIX publishes as its default.
    ///
    /// Up to 3.9, a configuration without `admin_key` has the keys of the documentation, for everybody to read.
    ///
    /// ## Why it matters
    ///
    /// Scanners know these keys. Whoever reaches the Admin API configures the gateway with them.
    ///
    /// ## How to fix
    ///
    /// Write a key of your own, from the environment so that it stays out of the manifest:
    ///
    /// ```yaml
    /// deployment:
    ///   admin:
    ///     admin_key:
    ///       - name: admin
    ///         key: ${{ADMIN_KEY}}
    ///         role: admin
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// A warning at start-up that the default admin key is in use, in versions that print one; otherwise nothing.
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/admin-api/>, CVE-2020-13945
    "published-admin-key", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        let Some(admin) = &facts.config.admin else { continue };
        let Some(key) = admin.keys.iter().find(|key| key.published) else { continue };
        let written = key.span != admin.span;
        let (message, label) = if written {
            (
                "accepts a key that APISIX publishes as its default",
                "this key stands in APISIX's documentation",
            )
        } else {
            (
                "has no admin_key, so it accepts the keys that APISIX publishes as defaults",
                "no admin_key here",
            )
        };
        findings.push(RULE.finding(
            format!("the Admin API of {} ({}) {message}", program.name, program.versions.program),
            Some("write deployment.admin.admin_key with a key of your own, for instance key: ${{ADMIN_KEY}}".to_owned()),
            vec![Label { span: key.span, message: label.to_owned() }],
        ));
    }
}
