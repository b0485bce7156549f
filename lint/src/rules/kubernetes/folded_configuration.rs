use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A configuration in a ConfigMap is folded: its lines are joined.
    ///
    /// ## Why it matters
    ///
    /// `>` makes one line of lines of the same indent. A comment then swallows what follows it, PEM and YAML fall
    /// apart, and programs name line 1 in every message. nginx without comments survives it, until the first comment is
    /// written.
    ///
    /// ## How to fix
    ///
    /// Write `|` in place of `>`:
    ///
    /// ```yaml
    /// data:
    ///   nginx.conf: |
    ///     events {}
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: `unexpected end of file, expecting "}"` in line 1
    /// - `PEM routines::no start line`
    ///
    /// ## Reference
    ///
    /// <https://yaml.org/spec/1.2.2/#813-folded-style>
    "folded-configuration", Warning, check
}

/// Endings of files in which lines matter.
const LINED: [&str; 9] = [".conf", ".yaml", ".yml", ".pem", ".crt", ".key", ".lua", ".sh", ".properties"];

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for map in &subject.deployment.manifests.config_maps {
        for datum in map.data.iter().filter(|datum| datum.folded) {
            if !LINED.iter().any(|ending| datum.key.value.ends_with(ending)) {
                continue;
            }
            findings.push(RULE.finding(
                format!(
                    "{} in ConfigMap {} is folded: its lines become one",
                    datum.key.value,
                    map.metadata.path()
                ),
                Some(format!("write {}: | in place of >", datum.key.value)),
                vec![Label { span: datum.key.span, message: "folded by the > after it".to_owned() }],
            ));
        }
    }
}
