use crate::deployment::{Configuration, Version};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// APISIX's Admin API accepts a key that APISIX publishes as its default.
    ///
    /// Up to 3.9, a configuration without `admin_key` has the keys of the documentation, for everybody to read. With
    /// `admin_key: null` there is no key, not even that: nobody is asked for one.
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
        let two = program.versions.program < Version(3, 0, 0);
        let block = if two { "apisix" } else { "deployment.admin" };
        let help =
            format!("write {block}.admin_key with a key of your own, for instance key: ${{{{ADMIN_KEY}}}}");
        // whoever asks for a client certificate has another way to know administrators
        let asks = admin.mtls.as_ref().is_some_and(|mtls| mtls.client_ca.is_some()) && *admin.https.value();
        if let Some(null) = admin.no_keys.filter(|_| program.refusals.is_empty() && !asks) {
            findings.push(RULE.finding(
                format!(
                    "the Admin API of {} ({}) asks nobody for a key: admin_key is null, which removes the default",
                    program.name, program.versions.program
                ),
                Some(help),
                vec![Label { span: null, message: "no key at all".to_owned() }],
            ));
            continue;
        }
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
            Some(help),
            vec![Label { span: key.span, message: label.to_owned() }],
        ));
    }
}
