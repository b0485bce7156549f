use crate::deployment::{Configuration, DialerPurpose, Lookup, Program};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};
use crate::stack::Mistake;

rule! {
    /// etcd refuses its own JSON gateway.
    ///
    /// The gateway under `/v3` is a client of etcd's own port and presents the server certificate there. That has to
    /// pass as a client's: clientAuth among its usages, its CA in `trusted-ca-file`. And with
    /// `client-cert-allowed-hostname` no certificate whatever passes: etcd then insists on names of a verified
    /// certificate in both roles, and the gateway does not verify the server.
    ///
    /// ## Why it matters
    ///
    /// etcdctl works, `/health` works, and every request to `/v3` is answered with 503. That is how APISIX reads its
    /// configuration. A warning, since an etcd that only gRPC clients use works as it is; where an APISIX is seen to use the
    /// gateway, its connection is an error.
    ///
    /// ## How to fix
    ///
    /// Add `client auth` to the usages of etcd's server certificate and its CA to `trusted-ca-file`; from etcd 3.6 on,
    /// `--client-cert-file` and `--client-key-file` can name another one. Leave `client-cert-allowed-hostname` out and give the clients a CA of their own; or, where nobody uses the
    /// gateway, turn it off: `enable-grpc-gateway: false`.
    ///
    /// ## What you see in the logs
    ///
    /// - the client: `503 connection error: desc = "transport: authentication handshake failed: client certificate
    ///   authentication failed"`
    /// - the client: `HTTP 503 {"error":"connection closed","code":14}`
    /// - etcd: `rejected connection … remote error: tls: bad certificate`
    /// - APISIX: `got malformed key-put message: … connection closed`, `invalid response code: 503`
    ///
    /// ## Reference
    ///
    /// Seen with etcd 3.4.23; <https://github.com/etcd-io/etcd/issues/15755>;
    /// <https://github.com/etcd-io/etcd/issues/9785>
    "self-refusing-gateway", Warning, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told = Vec::new();
    for program in &subject.deployment.programs {
        let Configuration::Etcd(config) = &program.configuration else { continue };
        // what is refused is read as far as the refusal
        if !config.refusals.is_empty() {
            continue;
        }
        let names = config.client.allowed_hostname.first().or(config.client.allowed_cn.first());
        let https = config.listen_client_urls.value().iter().any(|url| url.value.scheme == "https");
        let (Some(name), true, true) = (names, https, *config.enable_grpc_gateway.value()) else { continue };
        let mut labels = vec![Label { span: name.span, message: "demanded of every client".to_owned() }];
        if config.enable_grpc_gateway.is_given() {
            labels.push(Label {
                span: config.enable_grpc_gateway.span(),
                message: "its own gateway is a client".to_owned(),
            });
        }
        told.push(std::ptr::from_ref(program));
        findings.push(RULE.finding(
            format!("{} refuses its own JSON gateway: /v3 answers 503", program.name),
            Some("leave the allowed names out, or write enable-grpc-gateway: false".to_owned()),
            labels,
        ));
    }
    for (connection, prediction) in subject.deployment.connections.iter().zip(subject.predictions) {
        let Some((program, dialer)) = subject.dialer_of(connection) else { continue };
        let usage = Mistake::MissingClientAuthUsage.rule();
        let Some(why) = prediction.why.first().filter(|why| why.rule == usage) else { continue };
        if dialer.purpose != DialerPurpose::Gateway || told.contains(&std::ptr::from_ref(program)) {
            continue;
        }
        told.push(std::ptr::from_ref(program));
        // a client is seen that needs the gateway: its own connection breaks, and that is told
        if is_needed(subject, program) {
            continue;
        }
        let mut labels = why.labels.clone();
        if let Some(label) = labels.first_mut() {
            label.message = "the gateway presents it as a client, which its usages do not allow".to_owned();
        }
        findings.push(RULE.finding(
            format!("{} refuses its own JSON gateway: /v3 answers 503, and etcdctl works", program.name),
            Some(
                "only clients of the JSON API are concerned (APISIX, curl to /v3): for them issue the certificate \
                 with clientAuth besides serverAuth (cert-manager: usages with server auth and client auth; openssl: \
                 extendedKeyUsage = serverAuth, clientAuth); where there are none, write enable-grpc-gateway: false"
                    .to_owned(),
            ),
            labels,
        ));
    }
}

/// Whether a connection is seen to break because a program refuses its gateway.
fn is_needed(subject: &Subject<'_>, program: &Program) -> bool {
    let mut predictions = subject.deployment.connections.iter().zip(subject.predictions);
    predictions.any(|(connection, prediction)| {
        let Lookup::Found(server) = connection.server else { return false };
        let here = subject.listener(server).is_some_and(|(other, _)| std::ptr::eq(other, program));
        here && prediction.why.iter().any(|why| why.rule == Mistake::GatewayRefused.rule())
            && subject
                .dialer_of(connection)
                .is_some_and(|(_, dialer)| dialer.purpose != DialerPurpose::Gateway)
    })
}
