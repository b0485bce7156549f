use crate::deployment::{ClientAuthMode, ListenerPurpose, ProgramKind, Trust};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// etcd requires client certificates and names no CA for them: the operating system's public CAs decide.
    ///
    /// ## Why it matters
    ///
    /// A client of your own CA is rejected. Whoever gets a certificate from a public CA for any name whatever is let
    /// in, as far as that certificate may still be used by clients.
    ///
    /// A warning, and no error: whom the store of the image trusts is not seen.
    ///
    /// ## How to fix
    ///
    /// `--trusted-ca-file=/path/ca.crt` beside `--client-cert-auth`; among members `--peer-trusted-ca-file`.
    ///
    /// ## What you see in the logs
    ///
    /// - `x509: certificate signed by unknown authority`, for every client
    ///
    /// ## Reference
    ///
    /// Go, crypto/tls, `Config.ClientCAs`: nil means the host's root CA set
    "clients-trusted-by-system", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = Vec::new();
    for (program, listener) in subject.listeners().filter(|(program, _)| program.kind == ProgramKind::Etcd) {
        for context in listener.tls.iter().flat_map(|tls| &tls.contexts) {
            let auth = &context.client_auth;
            let span = auth.mode.span();
            let by_system = matches!(auth.trust.as_slice(), [Trust::System(_)]);
            if *auth.mode.value() != ClientAuthMode::Required || !by_system || !program.unseen.is_empty()
                // a connection breaks on it, and is told
                || subject.is_predicted(program, &["missing-trust-bundle"])
                || told.contains(&span)
            {
                continue;
            }
            told.push(span);
            let setting = match listener.purpose {
                ListenerPurpose::Peers => "peer-trusted-ca-file",
                _ => "trusted-ca-file",
            };
            findings.push(RULE.finding(
                format!("{} verifies client certificates with the operating system's CAs", program.name),
                Some(format!("give {setting} with the CA of the clients")),
                vec![Label { span, message: format!("required here, without {setting}") }],
            ));
        }
    }
}
