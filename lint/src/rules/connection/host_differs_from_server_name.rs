use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// The Host of the request and the name of the handshake (SNI) mean two virtual servers, and the server insists
    /// on one.
    ///
    /// ## Why it matters
    ///
    /// Otherwise a client could authenticate for one virtual server and send its request to another.
    ///
    /// ## How to fix
    ///
    /// Let the client send the same name in both: dial the name that the Host header says.
    ///
    /// ## What you see in the logs
    ///
    /// - nginx: 421 `Misdirected Request`
    /// - nginx's own log: `client attempted to request the server name different from the one that was negotiated`
    /// - APISIX: 400, `client certificate verified with SNI …, but the host is …`
    ///
    /// ## Reference
    ///
    /// RFC 9110, section 15.5.20
    "host-differs-from-server-name", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    subject.named(&RULE, findings);
}
