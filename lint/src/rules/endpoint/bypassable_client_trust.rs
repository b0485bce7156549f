use crate::deployment::{ClientAuthMode, Gate, Selection, ServerContext, Trust};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::source::Span;

rule! {
    /// Servers of one address trust different issuers for client certificates, and the default server verifies too.
    ///
    /// nginx verifies a client's certificate once, in the handshake, with the bundle of the server that the SNI names. A client
    /// without SNI is served by the default server. The Host header then chooses the server again, and that one only asks
    /// whether verification succeeded, not by whose issuers.
    ///
    /// ## Why it matters
    ///
    /// A certificate of the default server's issuers opens every other server of the address: the client leaves SNI out and
    /// names the other server in the Host header. (With SNI nginx answers such a request with 421.)
    ///
    /// ## How to fix
    ///
    /// Let a default server refuse handshakes, so that every client needs the SNI of the server it wants:
    ///
    /// ```nginx
    /// server {
    ///     listen 443 ssl default_server;
    ///     ssl_reject_handshake on;        # since 1.19.4
    /// }
    /// ```
    ///
    /// ## What you see in the logs
    ///
    /// Nothing: the request is answered, as one with a verified certificate.
    ///
    /// ## Reference
    ///
    /// src/http/ngx_http_request.c, ngx_http_set_virtual_server and ngx_http_process_request
    "bypassable-client-trust", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, listener) in
        subject.listeners().filter(|(_, listener)| matches!(listener.gate, Gate::NginxHttp))
    {
        let Some(tls) = &listener.tls else { continue };
        let Selection::Nginx { default } = tls.selection else { continue };
        let Some(first) = tls.contexts.get(default) else { continue };
        // optional_no_ca lets nobody pass as verified whom its bundle does not know: it verifies like the others
        if *first.client_auth.mode.value() == ClientAuthMode::Off || first.rejects_handshake {
            continue;
        }
        let trusted =
            |context: &ServerContext| subject.trusted(&program.versions, &context.client_auth.trust);
        let Some(by_default) = trusted(first) else { continue };
        for other in &tls.contexts {
            let asks =
                matches!(other.client_auth.mode.value(), ClientAuthMode::Required | ClientAuthMode::Optional);
            let named = other.names.iter().find(|name| !name.value.is_empty() && name.value != "_");
            let (true, Some(name), Some(own)) = (asks, named, trusted(other)) else { continue };
            // more trust at the default server is what opens the other
            if by_default.iter().all(|anchor| own.iter().any(|known| known.digest == anchor.digest)) {
                continue;
            }
            let mut labels = vec![Label {
                span: first.client_auth.mode.span(),
                message: "clients without SNI are verified here".to_owned(),
            }];
            labels.extend(
                bundle_span(first).map(|span| Label { span, message: "by these issuers".to_owned() }),
            );
            labels.extend(
                bundle_span(other)
                    .map(|span| Label { span, message: format!("{} trusts these", name.value) }),
            );
            findings.push(RULE.finding(
                format!(
                    "a client of the default server's issuers reaches {} at {} by leaving SNI out",
                    name.value, program.name
                ),
                Some(
                    "add a server with listen … ssl default_server; and ssl_reject_handshake on;".to_owned(),
                ),
                labels,
            ));
            break;
        }
    }
}

fn bundle_span(context: &ServerContext) -> Option<Span> {
    context.client_auth.trust.iter().find_map(|trust| match trust {
        Trust::File { file, .. } => Some(file.path.span),
        Trust::System(_) => None,
    })
}
