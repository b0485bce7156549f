use super::never_issued;
use crate::dialect::cert_manager::{Certificate, IssuerSource};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A CA issuer signs with a certificate that is no CA.
    ///
    /// ## Why it matters
    ///
    /// The Secret of the issuer comes from a Certificate without `isCA: true`: no verifier accepts what it signs.
    ///
    /// ## How to fix
    ///
    /// Write `isCA: true` into the CA's Certificate.
    ///
    /// ## What you see in the logs
    ///
    /// - OpenSSL: `invalid CA certificate`
    /// - Go: `x509: certificate is not authorized to sign other certificates`
    /// - cert-manager: `signing certificate is not a CA`
    /// - nginx, whose Secret is never made: `BIO_new_file() failed`
    ///
    /// ## Reference
    ///
    /// <https://cert-manager.io/docs/configuration/ca/>
    "issuer-without-ca", Error, check
}

const HELP: &str = "write isCA: true in the spec of the Certificate that fills the issuer's Secret";

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    never_issued(subject, &RULE, HELP, &mut found);
    // an issuer that nobody uses yet
    let manifests = &subject.deployment.manifests;
    for issuer in &manifests.issuers {
        let IssuerSource::Ca { secret: Some(secret) } = &issuer.source else { continue };
        let namespace =
            if issuer.cluster { manifests.cluster_resources.as_str() } else { issuer.metadata.namespace() };
        let told = found.iter().flat_map(|finding| &finding.labels).any(|label| label.span == secret.span);
        // the bytes that stand there already are judged as they are
        let written = manifests.stored.iter().any(|other| {
            other.metadata.namespace() == namespace && other.metadata.name.value == secret.value
        });
        let filling = manifests.authority_of(issuer);
        let Some(certificate) = filling.filter(|certificate| !certificate.is_ca.value() && !told && !written)
        else {
            continue;
        };
        found.push(RULE.finding(
            format!("{} signs with {}, which is no CA", issuer.title(), title(certificate)),
            Some(HELP.to_owned()),
            vec![
                Label { span: secret.span, message: format!("{} signs with it", issuer.title()) },
                Label { span: certificate.is_ca.span(), message: "isCA is not true here".to_owned() },
            ],
        ));
    }
    findings.append(&mut found);
}

fn title(certificate: &Certificate) -> String {
    format!("Certificate {}", certificate.metadata.path())
}
