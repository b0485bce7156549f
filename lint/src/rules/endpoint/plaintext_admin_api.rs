use crate::deployment::{Configuration, ListenerPurpose};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// `admin_api_mtls` is configured, and the Admin API is served in plaintext all the same.
    ///
    /// APISIX looks at `admin_api_mtls` only when `https_admin` is true. Without it the Admin API is plain HTTP: no
    /// certificate is shown, none is asked for, and no warning is printed.
    ///
    /// ## Why it matters
    ///
    /// The API key travels in the clear, and whoever has it configures the gateway. The configuration reads as if
    /// clients were authenticated.
    ///
    /// ## How to fix
    ///
    /// ```yaml
    /// deployment:
    ///   admin:
    ///     https_admin: true
    ///     admin_api_mtls:
    ///       admin_ssl_cert: /usr/local/apisix/conf/cert/admin.crt
    ///       admin_ssl_cert_key: /usr/local/apisix/conf/cert/admin.key
    ///       admin_ssl_ca_cert: /usr/local/apisix/conf/cert/admin-ca.crt
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing at the server. A client that dials it with https sees `wrong version number`.
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/mtls/>, "Protect Admin API"
    "plaintext-admin-api", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        let Some(admin) = &facts.config.admin else { continue };
        let Some(mtls) = &admin.mtls else { continue };
        let served = program
            .listeners
            .iter()
            .any(|listener| listener.purpose == ListenerPurpose::Admin && listener.tls.is_none());
        if !served || *admin.https.value() {
            continue;
        }
        let mut labels = vec![Label { span: mtls.span, message: "this has no effect".to_owned() }];
        if admin.https.is_given() {
            labels.push(Label { span: admin.https.span(), message: "https_admin is off".to_owned() });
        }
        findings.push(RULE.finding(
            format!(
                "the Admin API of {} is plain HTTP: admin_api_mtls acts only with https_admin: true",
                program.name
            ),
            Some("write https_admin: true beside admin_api_mtls".to_owned()),
            labels,
        ));
    }
}
