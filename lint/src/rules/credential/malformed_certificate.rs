use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// A certificate cannot be parsed, or a program refuses its form.
    ///
    /// ## Why it matters
    ///
    /// What one library reads another refuses: duplicate extensions, negative serial numbers, wrong encodings. The
    /// program that has to load or verify the certificate stops there.
    ///
    /// ## How to fix
    ///
    /// Issue the certificate anew with a maintained tool (cert-manager, `openssl req -x509`, step). `openssl x509
    /// -in FILE -noout -text` shows how far it can be read.
    ///
    /// ## What you see in the logs
    ///
    /// - Go: `x509: malformed certificate`, `certificate contains duplicate extensions`
    /// - nginx: `PEM_read_bio_X509() failed`, `asn1 encoding routines`
    /// - OpenSSL before 3.6, of an extension that stands twice: `X509 V3 routines::invalid certificate`
    /// - Envoy, of its own: `Invalid TLS context has neither subject CN nor SAN names`
    /// - the other side, as an alert: `alert decode error`, Go `remote error: tls: error decoding message`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 4.1; X.690
    "malformed-certificate", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}
