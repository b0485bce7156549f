use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// `auth-tls-match-cn` lets more subjects through than it seems to.
    ///
    /// ingress-nginx searches the expression in the whole subject (`CN=orders,OU=shop,O=Example`): nothing anchors it.
    ///
    /// ## Why it matters
    ///
    /// `CN=admin` is found in `CN=administrator` and in `CN=admin.attacker.example` as well. Whoever gets a certificate
    /// of that CA with a longer name gets in.
    ///
    /// ## How to fix
    ///
    /// Say where the name ends, and escape dots:
    ///
    /// ```yaml
    /// nginx.ingress.kubernetes.io/auth-tls-match-cn: "CN=orders\\.example\\.com(,|$)"
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// - a client that does not match: 403 with `client certificate unauthorized`
    ///
    /// ## Reference
    ///
    /// <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#client-certificate-authentication>;
    /// RFC 9525, section 1.4 (common names)
    "loose-common-name-pattern", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for ingress in super::all(subject) {
        let settings = &ingress.settings;
        let Some(pattern) = &settings.match_common_name else { continue };
        // what has no CN= is not looked at, and without a CA nothing is
        if settings.client_secret.is_none() || !pattern.value.contains("CN=") {
            continue;
        }
        let text = pattern.value.trim_end_matches(')');
        let ends = text.ends_with(['$', ',']) || pattern.value.contains("(,|$)");
        if ends {
            continue;
        }
        findings.push(RULE.finding(
            format!(
                "{} lets in every subject that has {} in it: the name may go on",
                settings.name.value, pattern.value
            ),
            Some(format!("write \"{}(,|$)\"", pattern.value)),
            vec![Label { span: pattern.span, message: "not anchored at its end".to_owned() }],
        ));
    }
}
