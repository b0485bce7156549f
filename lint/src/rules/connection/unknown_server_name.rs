use crate::deployment::{Configuration, Connection, Lookup};
use crate::finding::Finding;
use crate::rules::endpoint::unsent_server_name;
use crate::rules::{Subject, rule};

rule! {
    /// The server has no certificate for the name that the client sends (SNI), or the client sends none.
    ///
    /// ## Why it matters
    ///
    /// APISIX ends the handshake when no ssl object matches, Envoy when no filter chain does. A client that dials
    /// an IP address sends no name. An ssl object with `status: 0`, or of type client, serves nobody.
    ///
    /// ## How to fix
    ///
    /// Configure a certificate for the name (an ssl object with `snis`, a filter chain with `server_names`), dial a
    /// name that has one, or set APISIX's `fallback_sni`.
    ///
    /// ## What you see in the logs
    ///
    /// - APISIX: `failed to match any SSL certificate by SNI: …`, `failed to find SNI`
    /// - the client: `alert internal error`, `unrecognized name`, `SSL alert number 80`, Go
    ///   `remote error: tls: internal error`
    /// - OpenSSL: `tlsv1 unrecognized name:SSL alert number 112`, `alert handshake failure:SSL alert number 40`
    /// - APISIX: `failed to find any SSL certificate by SNI`, `SSL routines::callback failed`
    /// - Envoy: `no matching filter chain found`
    /// - a server name with a final dot: Go `local error: tls: unexpected message`, its client
    ///   `alert unexpected message`
    ///
    /// ## Reference
    ///
    /// RFC 6066, section 3
    "unknown-server-name", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    // a port of APISIX that nobody is known to call, and for which nobody wrote a certificate, is nobody's mistake
    let mut found = Vec::new();
    subject.named_on(&RULE, &mut found, |connection| {
        connection.client.is_some() || has_objects(subject, connection)
    });
    unsent_server_name::explain(subject, &RULE, &mut found);
    findings.append(&mut found);
}

/// Whether the APISIX that a connection leads to has an ssl object at all; true for other servers.
fn has_objects(subject: &Subject<'_>, connection: &Connection) -> bool {
    let Lookup::Found((server, _)) = connection.server else { return true };
    match subject.deployment.programs.get(server).map(|program| &program.configuration) {
        Some(Configuration::Apisix(facts)) => !facts.objects.ssls.is_empty(),
        _ => true,
    }
}
