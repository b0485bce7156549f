use crate::finding::Finding;
use crate::rules::endpoint::unsent_server_name;
use crate::rules::{Subject, rule};

rule! {
    /// The server rejects handshakes for this name.
    ///
    /// ## Why it matters
    ///
    /// nginx's `ssl_reject_handshake on` answers every name that no other server block has.
    ///
    /// ## How to fix
    ///
    /// Dial a name that a server block has, or give this one a certificate.
    ///
    /// ## What you see in the logs
    ///
    /// - the client: `unrecognized name`, `SSL alert number 112`
    /// - nginx, as a client: `peer closed connection in SSL handshake`
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake>
    "rejected-handshake", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    subject.named(&RULE, &mut found);
    unsent_server_name::explain(subject, &RULE, &mut found);
    findings.append(&mut found);
}
