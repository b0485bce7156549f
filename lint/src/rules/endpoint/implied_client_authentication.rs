use crate::deployment::{Configuration, Setting};
use crate::dialect::etcd::Security;
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// etcd is told not to ask for client certificates, and asks all the same: it has a trust bundle.
    ///
    /// `trusted-ca-file` alone makes etcd require and verify client certificates. `client-cert-auth: false` beside it
    /// changes nothing.
    ///
    /// ## Why it matters
    ///
    /// Whoever reads the configuration takes the port for open to all who trust its certificate. Every client without
    /// a certificate is rejected: probes, metrics scrapers, an APISIX without `deployment.etcd.tls.cert`.
    ///
    /// ## How to fix
    ///
    /// Say what happens, `client-cert-auth: true`. Where clients are meant to come without a certificate, leave
    /// `trusted-ca-file` out.
    ///
    /// ## What you see in the logs
    ///
    /// What `missing-client-certificate` has.
    ///
    /// ## Reference
    ///
    /// etcd, client/pkg/transport/listener.go, `ServerConfig`; <https://github.com/etcd-io/etcd/issues/16663>
    "implied-client-authentication", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for program in &subject.deployment.programs {
        let Configuration::Etcd(config) = &program.configuration else { continue };
        // what is refused is read as far as the refusal
        if !config.refusals.is_empty() {
            continue;
        }
        for (side, peer) in [(&config.client, false), (&config.peer, true)] {
            findings.extend(implied(side).map(|labels| {
                let switch = config.tls_settings(peer, "", &["client-cert-auth"]);
                let written = config.tls_settings(peer, "", &["client-cert-auth: true"]);
                RULE.finding(
                    format!("{} requires client certificates, whatever {switch} says", program.name),
                    Some(format!("write {written}, or leave the trust bundle out")),
                    labels,
                )
            }));
        }
    }
}

/// The switch that says no and the bundle that says yes.
fn implied(side: &Security) -> Option<Vec<Label>> {
    let bundle = side.trusted_ca_file.as_ref()?;
    let Setting::Given(switch) = &side.client_cert_auth else { return None };
    let label = |span, message: &str| Label { span, message: message.to_owned() };
    (!switch.value && !side.is_empty()).then(|| {
        vec![label(switch.span, "not to be asked for"), label(bundle.span, "this alone asks for them")]
    })
}
