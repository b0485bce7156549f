use crate::rules::{Subject, rule};

rule! {
    /// The names in the peer's certificate are matched, and no trust anchor says who may have issued it.
    ///
    /// ## Why it matters
    ///
    /// Anybody can make a certificate that bears any name. A name means something only when an issuer that is trusted
    /// vouches for it. Envoy refuses such a configuration: it does not start.
    ///
    /// ## How to fix
    ///
    /// Envoy: beside `match_typed_subject_alt_names`, in the same validation context, write
    ///
    /// ```yaml
    /// trusted_ca: {filename: /etc/envoy/ca.crt}
    /// ```
    ///
    /// `system_root_certs` and pinned hashes do not count.
    ///
    /// ## What you see in the logs
    ///
    /// `SAN-based verification of peer certificates without trusted CA is insecure and not allowed`
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6; <https://github.com/envoyproxy/envoy/issues/3550>
    "name-check-without-trust-anchor", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<crate::finding::Finding>) {
    subject.named(&RULE, findings);
}
