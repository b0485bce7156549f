use crate::deployment::Configuration;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// APISIX encrypts private keys in etcd with a key that stands in its documentation.
    ///
    /// `data_encryption.keyring` (2.x: `ssl.key_encrypt_salt`) encrypts what ssl objects and plugins keep in etcd. The
    /// values of the sample configuration are the same for everybody.
    ///
    /// ## Why it matters
    ///
    /// Whoever reads etcd, a snapshot or a backup of it has the private keys of every ssl object.
    ///
    /// ## How to fix
    ///
    /// Write a random value of 16 characters in front; the old ones stay behind it as long as data encrypted with them
    /// is there:
    ///
    /// ```yaml
    /// apisix:
    ///   data_encryption:
    ///     enable_encrypt_fields: true
    ///     keyring:
    ///       - ${{KEYRING}}
    ///       - qeddd145sfvddff3
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: that is the point.
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/admin-api/#ssl>, conf/config.yaml.example
    "published-keyring", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        let keyring = &facts.config.published_keyring;
        // the default is the same, but nobody chose it
        if !keyring.is_given() || !*keyring.value() {
            continue;
        }
        findings.push(RULE.finding(
            format!("{} encrypts private keys with a key of APISIX's documentation", program.name),
            Some("write a random key of 16 characters in its place, for instance ${{KEYRING}}".to_owned()),
            vec![Label { span: keyring.span(), message: "published".to_owned() }],
        ));
    }
}
