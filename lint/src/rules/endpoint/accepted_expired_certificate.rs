use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// Certificates outside their validity are accepted.
    ///
    /// ## Why it matters
    ///
    /// The end of a certificate's validity is the one revocation that works everywhere. With
    /// `allow_expired_certificate: true` Envoy accepts end-entity certificates and CAs that have expired, and those
    /// that are not yet valid: a stolen key is good for ever.
    ///
    /// ## How to fix
    ///
    /// Remove `allow_expired_certificate`, and renew the certificates that made it necessary. Where a device cannot be
    /// renewed, pin it: `verify_certificate_hash`.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// RFC 5280, section 6.1.3 (a)(2); observed with Envoy 1.40.0
    "accepted-expired-certificate", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let servers = subject.listeners().flat_map(|(program, listener)| {
        let contexts = listener.tls.iter().flat_map(|tls| &tls.contexts);
        contexts.map(move |context| (program, &context.client_auth.checks))
    });
    let clients =
        subject.dialers().filter_map(|(program, dialer)| Some((program, &dialer.tls.as_ref()?.checks)));
    let mut told = Vec::new();
    for (program, checks) in servers.chain(clients) {
        // where everything is accepted, that is the finding
        if checks.accept_untrusted.is_some() {
            continue;
        }
        let Some(span) = checks.allow_expired.filter(|span| !told.contains(span)) else { continue };
        told.push(span);
        findings.push(RULE.finding(
            format!("{} accepts certificates that have expired or are not yet valid", program.name),
            Some("remove allow_expired_certificate".to_owned()),
            vec![Label { span, message: "validity is not looked at".to_owned() }],
        ));
    }
}
