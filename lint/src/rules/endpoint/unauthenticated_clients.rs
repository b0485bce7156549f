use super::nginx::unsettled;
use crate::deployment::{
    ClientAuthMode, Configuration, ListenerPurpose, Program, ProgramKind, Selection, ServerContext,
};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A server speaks TLS and lets in every client: it asks nobody for a certificate.
    ///
    /// ## Why it matters
    ///
    /// The server is authenticated, its clients are not. For a public site that is how it should be; behind a gateway,
    /// whoever reaches the port bypasses the gateway.
    ///
    /// A warning, and no error: whether clients may come without a certificate is the operator's to say, and a public
    /// site lets everybody in on purpose.
    ///
    /// ## How to fix
    ///
    /// - nginx: `ssl_client_certificate /path/ca.crt;` and `ssl_verify_client on;` in the server block
    /// - etcd: `--trusted-ca-file=/path/ca.crt --client-cert-auth`
    /// - APISIX: `client.ca` in the ssl object; for the Admin API `admin_ssl_ca_cert`
    /// - Envoy: `validation_context` with `trusted_ca`, and `require_client_certificate: true`
    ///
    /// If clients are meant to come without a certificate, allow this rule with a reason.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// RFC 8446, section 4.3.2 (Certificate Request)
    "unauthenticated-clients", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = Vec::new();
    let unsettled = unsettled(subject);
    for (program, listener) in subject.listeners() {
        let asked = matches!(
            listener.purpose,
            ListenerPurpose::Clients | ListenerPurpose::Admin | ListenerPurpose::Peers
        );
        let contexts = listener.tls.iter().filter(|_| asked).flat_map(|tls| &tls.contexts);
        for (index, context) in contexts.clone().enumerate() {
            let off = *context.client_auth.mode.value() == ClientAuthMode::Off;
            let span = context.client_auth.mode.span();
            // of two ssl objects for one name APISIX serves the first
            let apisix =
                listener.tls.as_ref().is_some_and(|tls| matches!(tls.selection, Selection::Apisix { .. }));
            if apisix && is_shadowed(context, contexts.clone().take(index)) {
                continue;
            }
            // a dialer with a certificate makes it the sharper finding
            if !off || context.rejects_handshake || told.contains(&span) || subject.is_offered(context) {
                continue;
            }
            // required by the letter of the configuration: that is the sharper finding
            if super::requirement_without_trust_anchor::required(program, context).is_some() {
                continue;
            }
            // another file may ask for it
            if !context.client_auth.mode.is_given() && unsettled.contains(&context.span) {
                continue;
            }
            // what is refused is read as far as the refusal, and serves nobody
            let refused = match &program.configuration {
                Configuration::Etcd(config) => !config.refusals.is_empty(),
                Configuration::Nginx(_) => !program.refusals.is_empty(),
                _ => false,
            };
            if refused {
                continue;
            }
            // what is not seen of its flags may say more
            if !program.unseen.is_empty() {
                continue;
            }
            // nobody is authenticated there, the server neither
            if super::self_made_certificate::serves_its_own(program, context) {
                continue;
            }
            told.push(span);
            findings.push(RULE.finding(
                format!("{} asks no client for a certificate", shown(program, context)),
                help(program, listener.purpose, Some(context)),
                vec![Label { span, message: "no client certificate is asked for here".to_owned() }],
            ));
        }
    }
}

/// The program; of the servers of an nginx the one that is meant, by its name.
fn shown(program: &Program, context: &ServerContext) -> String {
    let named = context.names.iter().find(|name| !name.value.is_empty() && name.value != "_");
    match named {
        Some(name) if program.kind == ProgramKind::Nginx && program.name.starts_with("nginx ") => {
            format!("nginx {}", name.value)
        }
        _ => program.name.clone(),
    }
}

/// Whether every name of a context is one of those before it.
fn is_shadowed<'c>(context: &ServerContext, before: impl Iterator<Item = &'c ServerContext> + Clone) -> bool {
    let mut names = context.names.iter();
    let taken = |name: &str| {
        let mut others = before.clone().flat_map(|other| &other.names);
        others.any(|other| other.value.eq_ignore_ascii_case(name))
    };
    !context.names.is_empty() && names.all(|name| taken(&name.value))
}

/// An nginx server has a CA for its clients, whom it does not ask.
fn has_authority(program: &Program, context: &ServerContext) -> bool {
    let Configuration::Nginx(config) = &program.configuration else { return false };
    let asks = context.client_auth.mode.span();
    let mut servers = config.servers.iter().filter(|server| server.tls.verify_client.span() == asks);
    servers.next().is_some_and(|server| server.tls.client_certificate.is_some())
}

/// What to write so that clients need a certificate.
pub(in crate::rules) fn help(
    program: &Program,
    purpose: ListenerPurpose,
    context: Option<&ServerContext>,
) -> Option<String> {
    let text = match program.kind {
        ProgramKind::Nginx if context.is_some_and(|context| has_authority(program, context)) => {
            "write ssl_verify_client on; in the server block: its ssl_client_certificate has no effect without it"
        }
        ProgramKind::Nginx => {
            "write ssl_client_certificate with the CA of the clients and ssl_verify_client on; in the server block"
        }
        ProgramKind::Etcd => {
            let Configuration::Etcd(config) = &program.configuration else { return None };
            let peer = purpose == ListenerPurpose::Peers;
            let bundle = config.tls_settings(peer, "--", &["trusted-ca-file"]);
            let switch = match config.file {
                Some(_) => "client-cert-auth: true beside it".to_owned(),
                None => config.tls_settings(peer, "--", &["client-cert-auth"]),
            };
            let whose = if peer { "members" } else { "clients" };
            return Some(format!("give etcd {bundle} with the CA of the {whose}, and {switch}"));
        }
        ProgramKind::Apisix => match purpose {
            ListenerPurpose::Admin => "write admin_ssl_ca_cert with the CA of the clients in admin_api_mtls",
            ListenerPurpose::Peers => "write client_ca_cert with the CA of the data planes in conf_server",
            _ => "write client.ca with the CA of the clients in the ssl object",
        },
        ProgramKind::Envoy => {
            "write require_client_certificate: true and a validation_context with trusted_ca in the \
             DownstreamTlsContext"
        }
        _ => return None,
    };
    Some(text.to_owned())
}
