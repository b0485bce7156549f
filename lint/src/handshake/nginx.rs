//! What an nginx server answers beside its own verification of the client: pages for errors, and conditions on the
//! certificate.

use super::outcome::{End, Step, Stop, unknown, why};
use super::request::Met;
use super::wire::Wire;
use super::{Outcome, Side};
use crate::deployment::{ClientAuthMode, Configuration, Program, ServerContext};
use crate::dialect::nginx::{Condition, ErrorPage, Location, Matcher, NginxConfig, Server, variables};
use crate::finding::Label;
use crate::stack::Mistake;

/// nginx's own status for a certificate that it does not accept.
pub const CERTIFICATE_ERROR: u16 = 495;
/// nginx's own status for a client without the certificate that is required.
pub const NO_CERTIFICATE: u16 = 496;
/// nginx's own status for a request without TLS at a port for TLS.
pub const TO_HTTPS: u16 = 497;

/// The end of a refused request, where an `error_page` of the server has something to say of its status.
///
/// Seen on 1.22.1: a page of the server's own keeps a status of 400 and more; `=CODE` and `=` replace it, and a URL of
/// another place is a redirect. A page for 400 is none for 495 or 496.
pub fn refused(program: &Program, context: &ServerContext, status: u16, stop: Stop) -> Stop {
    let page = settings(program, context).and_then(|(_, server)| page_for(server, status));
    let Some(page) = page else { return stop };
    let replaced = page.answer.is_some_and(|code| code < 400) || !page.uri.value.starts_with(['/', '@']);
    match stop {
        Stop::End(mut end) if !replaced => {
            end.client_sees = page.answer.map(|code| format!("HTTP {code}"));
            Stop::End(end)
        }
        Stop::End(_) => unknown(vec![format!(
            "the request is refused with {status}, and error_page {status} answers with {} instead",
            page.uri.value
        )]),
        unknown @ Stop::Unknown(_) => unknown,
    }
}

/// The conditions on the client's certificate that a request meets on its way (`if` with a `return`).
///
/// # Errors
/// A condition refuses the request, or may.
pub fn conditions(wire: &Wire<'_, '_>, context: &ServerContext, met: &Met) -> Step {
    let (_, program, _) = wire.server;
    let Some((config, server)) = settings(program, context) else { return Ok(()) };
    let asks = |location: &&Location| is_about_client(config, server, location);
    // where no request is known, only the server's own are met for certain
    let request = wire.request();
    let path = request.as_ref().map(|request| request.path.split(['?', '#']).next().unwrap_or("/"));
    // what nginx makes of an encoded path, of dots and of empty segments is not followed
    let path = path.filter(|path| !path.contains('%') && !path.contains("//") && !path.contains("/."));
    let chosen = path.and_then(|path| server.location_for(path).ok());
    let at = |index: usize| server.locations.get(index);
    if let Some(why) = unseen_answer(context, server, chosen.and_then(at)) {
        return Err(unknown(vec![why.to_owned()]));
    }
    if !server.locations.iter().any(|location| asks(&location)) {
        return Ok(());
    }
    let moves = at(0).is_some_and(|whole| whole.moves) || chosen.and_then(at).is_some_and(|own| own.moves);
    // the server's own come before those of a location
    let of_server = |location: &&Location| location.parent == Some(0);
    let first = server.locations.iter().filter(of_server);
    let then = server.locations.iter().filter(|location| !of_server(location));
    for location in first.chain(then).filter(asks) {
        let Matcher::If(written) = &location.matcher else { continue };
        let named = location
            .parent
            .and_then(|parent| server.locations.get(parent))
            .is_some_and(|parent| matches!(parent.matcher, Matcher::Named(_)));
        let sure = location.parent == Some(0) || (chosen.is_some() && location.parent == chosen);
        // a named location is reached from within: whether this request does, is not known
        let possible = sure || (request.is_some() && (named || chosen.is_none() || moves));
        let code = match location.return_code {
            Some(code) if code >= 400 => code,
            // elsewhere, another one may be waiting
            None if location.moves && possible && holds(location, met) != Some(false) => {
                return Err(unknown(vec![format!(
                    "if {written} the request is answered elsewhere, which is not followed here"
                )]));
            }
            _ => continue,
        };
        if !possible {
            continue;
        }
        let holds = holds(location, met);
        match holds {
            Some(false) => {}
            Some(true) if sure => return Err(turned_away(wire, context, met, (location, written, code))),
            _ => {
                return Err(unknown(vec![format!(
                    "if {written} answers {code}, and whether it does for this request is not known"
                )]));
            }
        }
    }
    match chosen.and_then(at).and_then(|location| Some((chosen, location, location.return_code?))) {
        Some((chosen, location, code)) if code >= 400 => {
            // one that only sets something, or stands behind the `return`, keeps nobody from it
            let before = |inner: &&Location| {
                let (Some(own), Some(returns)) = (inner.returns, location.returns) else { return false };
                own.start < returns.start && inner.return_code.is_none_or(|code| code < 400)
            };
            let within = server.locations.iter().filter(|inner| inner.parent == chosen);
            let spared = within.filter(asks).filter(before);
            spared_else_refused(wire, context, met, (location, code), spared.collect())
        }
        _ => Ok(()),
    }
}

/// An include that may look at what the server only asks for, where the request comes by it.
fn unseen_answer<'s>(
    context: &ServerContext,
    server: &'s Server,
    chosen: Option<&'s Location>,
) -> Option<&'s str> {
    let asks =
        matches!(*context.client_auth.mode.value(), ClientAuthMode::Optional | ClientAuthMode::OptionalNoCa);
    let places = server.locations.first().into_iter().chain(chosen).filter(|_| asks);
    places.flat_map(Location::may_answer).next()
}

/// `if ($ssl_client_verify = SUCCESS) { return 200; } return 403;`: refused, unless one of the conditions holds.
fn spared_else_refused(
    wire: &Wire<'_, '_>,
    context: &ServerContext,
    met: &Met,
    (location, code): (&Location, u16),
    conditions: Vec<&Location>,
) -> Step {
    let mut written = Vec::new();
    for condition in &conditions {
        let Matcher::If(text) = &condition.matcher else { continue };
        match holds(condition, met) {
            Some(true) => return Ok(()),
            Some(false) => written.push(format!("not {text}")),
            None => {
                return Err(unknown(vec![format!(
                    "it answers {code} unless {text}, and whether that holds for this request is not known"
                )]));
            }
        }
    }
    if written.is_empty() {
        return Ok(());
    }
    Err(turned_away(wire, context, met, (location, &written.join(" and "), code)))
}

/// Whether the condition of an `if` holds; None where that cannot be told.
fn holds(location: &Location, met: &Met) -> Option<bool> {
    let Matcher::If(written) = &location.matcher else { return None };
    Condition::read(written).and_then(|condition| condition.holds(|name| value(name, met)))
}

/// A request that a condition refuses.
fn turned_away(
    wire: &Wire<'_, '_>,
    context: &ServerContext,
    met: &Met,
    (location, written, code): (&Location, &str, u16),
) -> Stop {
    let (_, program, _) = wire.server;
    let status = format!("HTTP {code}");
    let label = Label { span: location.span, message: format!("answers {code} then") };
    let stop = match &met.fault {
        Some(fault) => match wire.server_refuses(context, fault, Outcome::RequestRejected) {
            Stop::End(mut end) => {
                end.client_sees = Some(status);
                end.server_logs = None;
                if let Some(first) = end.why.first_mut() {
                    first.labels.push(label);
                }
                Stop::End(end)
            }
            unknown @ Stop::Unknown(_) => unknown,
        },
        None if !met.presented => {
            let dialer = wire.client.map(|(_, _, dialer)| dialer);
            let client = dialer.map(|dialer| dialer.tls.as_ref().map_or(dialer.span, |tls| tls.span));
            let client =
                client.map(|span| Label { span, message: "the client presents no certificate".to_owned() });
            let reason = why(
                Mistake::MissingClientCertificate,
                format!("the server answers {code} if {written}, and the client presents no certificate"),
                client.into_iter().chain([label]).collect(),
            );
            End::new(Outcome::RequestRejected, Side::Server, reason).seen(status).stop()
        }
        None => unknown(vec![format!("the server answers {code} if {written}")]),
    };
    refused(program, context, code, stop)
}

/// What a variable holds, as far as it is known.
fn value(name: &str, met: &Met) -> Option<String> {
    match (name, &met.fault) {
        ("ssl_client_verify", _) if !met.presented => Some("NONE".to_owned()),
        ("ssl_client_verify", None) => Some("SUCCESS".to_owned()),
        ("ssl_client_verify", Some(fault)) => Some(format!("FAILED:{}", fault.text)),
        (name, _) if name.starts_with("ssl_client_") && !met.presented => Some(String::new()),
        _ => None,
    }
}

/// Whether a block is an `if` over something of the client's certificate, itself or through `map` and `set`.
fn is_about_client(config: &NginxConfig, server: &Server, location: &Location) -> bool {
    let Matcher::If(condition) = &location.matcher else { return false };
    variables(condition).into_iter().any(|name| {
        let derived = server.derived.iter().filter(|(derived, _)| derived == name);
        name.starts_with("ssl_client_")
            || server.decided.iter().any(|decided| decided == name)
            || derived.flat_map(|(_, value)| variables(&value.value)).any(|of| of.starts_with("ssl_client_"))
            || config.maps.iter().any(|map| map.variable.value.trim_start_matches('$') == name)
    })
}

fn page_for(server: &Server, status: u16) -> Option<&ErrorPage> {
    server.error_pages.iter().find(|page| page.codes.contains(&status))
}

/// The configuration, and the server of which a context was made.
fn settings<'p>(program: &'p Program, context: &ServerContext) -> Option<(&'p NginxConfig, &'p Server)> {
    let Configuration::Nginx(config) = &program.configuration else { return None };
    let server = config.servers.iter().find(|server| server.span == context.span)?;
    Some((config, server))
}

#[cfg(test)]
mod tests {
    use crate::assume::Assume;
    use crate::handshake::{Outcome, Prediction};
    use crate::source::Sources;
    use crate::{Options, lint};

    /// What becomes of a connection to a server with this in it; of a curl without a certificate, if there is a command.
    fn predicted(http: &str, command: Option<&str>) -> Prediction {
        let mut sources = Sources::default();
        sources.root = true;
        sources.add("etc/nginx/nginx.conf", format!("events {{}} http {{ {http} }}"));
        sources.add("etc/hosts", "127.0.0.1 server.example.test");
        let pki = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/pki");
        for file in ["ca.pem", "server.pem", "server.key"] {
            sources.add(format!("etc/tls/{file}"), std::fs::read(format!("{pki}/{file}")).unwrap());
        }
        let options = Options {
            at: 1_795_392_000,
            assume: Assume::parse(&["nginx=1.26.3"]).unwrap(),
            expires_within: 0,
            command: command.map(|command| command.split(' ').map(str::to_owned).collect()),
        };
        lint(&sources, &options).connections.remove(0).prediction
    }

    fn server(name: &str, inside: &str) -> String {
        format!(
            "server {{ listen 8443 ssl; server_name {name}; ssl_certificate /etc/tls/server.pem;
             ssl_certificate_key /etc/tls/server.key; {inside} }}"
        )
    }

    const VERIFIES: &str = "ssl_client_certificate /etc/tls/ca.pem; ssl_verify_client";
    const CURL: &str = "curl --cacert /etc/tls/ca.pem https://server.example.test:8443/";

    #[test]
    fn pages_and_conditions_decide_what_a_client_without_a_certificate_gets() {
        use Outcome::{Completes, RequestRejected, Undetermined};
        for (inside, outcome, seen) in [
            ("on;", RequestRejected, Some("400 No required SSL certificate was sent")),
            (
                "on; error_page 400 =200 /x;",
                RequestRejected,
                Some("400 No required SSL certificate was sent"),
            ),
            ("on; error_page 496 /x;", RequestRejected, None),
            ("on; error_page 495 496 =403 @x; location @x { }", RequestRejected, Some("HTTP 403")),
            ("on; error_page 496 =200 @x; location @x { }", Undetermined, None),
            ("on; error_page 496 = @x; location @x { }", Undetermined, None),
            ("on; error_page 496 https://help.example.test/;", Undetermined, None),
            ("optional;", Completes, None),
            (
                "optional; if ($ssl_client_verify != SUCCESS) { return 403; }",
                RequestRejected,
                Some("HTTP 403"),
            ),
            ("optional; if ($ssl_client_verify != SUCCESS) { return 301 https://x; }", Completes, None),
            (
                "optional; location / { if ($ssl_client_verify = NONE) { return 401; } }",
                RequestRejected,
                Some("HTTP 401"),
            ),
            ("optional; location /b { if ($ssl_client_verify = NONE) { return 401; } }", Completes, None),
            ("optional; if ($ok = 0) { return 403; }", Undetermined, None),
            (
                "optional; set $in 0; if ($ssl_client_verify = SUCCESS) { set $in 1; } if ($in = 0) { return 403; }",
                Undetermined,
                None,
            ),
            ("optional; set $dn $ssl_client_s_dn; if ($dn = '') { return 403; }", Undetermined, None),
            (
                "optional; location / { if ($ssl_client_verify = SUCCESS) { return 200; } return 403; }",
                RequestRejected,
                Some("HTTP 403"),
            ),
            (
                "optional; location / { if ($ssl_client_verify = NONE) { return 200; } return 403; }",
                Completes,
                None,
            ),
            (
                "optional; location / { if ($ssl_client_verify = SUCCESS) { set $in 1; } return 403; }",
                Completes,
                None,
            ),
            (
                "optional; location / { return 403; if ($ssl_client_verify = SUCCESS) { return 200; } }",
                Completes,
                None,
            ),
            (
                "optional; location / { if ($ssl_client_verify != SUCCESS) { rewrite ^ /x last; } }",
                Undetermined,
                None,
            ),
            (
                "optional; location = / { rewrite ^ /g last; } location /g { if ($ssl_client_verify = NONE) { return 403; } }",
                Undetermined,
                None,
            ),
            (
                "optional; location / { auth_request /a; } location = /a { if ($ssl_client_verify = NONE) { return 401; } }",
                Undetermined,
                None,
            ),
            (
                "optional; if ($ssl_client_s_dn !~ CN=other) { return 403; }",
                RequestRejected,
                Some("HTTP 403"),
            ),
            (
                "optional; error_page 403 =200 /x; if ($ssl_client_verify = NONE) { return 403; }",
                Undetermined,
                None,
            ),
        ] {
            let server = server("server.example.test", &format!("{VERIFIES} {inside}"));
            let http = format!("map $ssl_client_verify $ok {{ SUCCESS 1; default 0; }} {server}");
            let prediction = predicted(&http, Some(CURL));
            assert_eq!((prediction.outcome, prediction.client_sees.as_deref()), (outcome, seen), "{inside}");
        }
    }

    #[test]
    fn an_address_is_not_taken_for_that_of_whoever_listens_on_its_port() {
        let upstream = |address: &str| {
            let server = server(
                "server.example.test",
                &format!("location / {{ proxy_pass https://{address}:2379; }}"),
            );
            let mut sources = Sources::default();
            sources.add("nginx.conf", format!("events {{}} http {{ {server} }}"));
            sources.add(
                "etcd.conf.yml",
                "listen-client-urls: https://0.0.0.0:2379\nadvertise-client-urls: https://10.1.1.1:2379\n\
                 client-transport-security: {cert-file: a, key-file: b}\n",
            );
            let options =
                Options { at: 1_795_392_000, assume: Assume::default(), expires_within: 0, command: None };
            let connections = lint(&sources, &options).connections;
            connections.iter().find(|connection| connection.client.kind == "nginx").unwrap().server.kind
        };
        assert_eq!(
            (upstream("10.1.1.1"), upstream("127.0.0.1"), upstream("10.9.9.9")),
            ("etcd", "etcd", "unseen")
        );
    }

    #[test]
    fn who_verifies_nothing_needs_a_server_that_starts() {
        let mut sources = Sources::default();
        sources.add(
            "etcd.conf.yml",
            "listen-client-urls: https://10.0.0.1:2379\nadvertise-client-urls: https://10.0.0.1:2379\n\
             client-transport-security: {cert-file: /unseen.crt, key-file: /unseen.key}\n",
        );
        let options =
            Options { at: 1_795_392_000, assume: Assume::default(), expires_within: 0, command: None };
        let connections = lint(&sources, &options).connections;
        // any client, and its own gateway
        assert_eq!(connections.len(), 2);
        assert!(connections.iter().all(|connection| connection.prediction.outcome == Outcome::Undetermined));
    }

    #[test]
    fn groups_and_suites_that_are_set_have_one_in_common_or_not() {
        use Outcome::{Completes, HandshakeFails, Undetermined};
        for (inside, options, outcome) in [
            // as seen with nginx 1.22.1, curl 7.88.1 and OpenSSL 3.0
            ("", "curl --curves X25519", Completes),
            ("ssl_ecdh_curve secp384r1;", "curl", Completes),
            ("ssl_ecdh_curve secp384r1;", "curl --curves X25519", HandshakeFails),
            ("ssl_ecdh_curve X25519:secp384r1;", "curl --curves P-384", Completes),
            ("ssl_ecdh_curve auto;", "curl --curves P-384", Completes),
            ("ssl_conf_command Groups secp384r1;", "curl --curves X25519", HandshakeFails),
            ("", "curl --tls-max 1.2 --curves X25519", HandshakeFails),
            ("", "curl --tls-max 1.2 --curves X25519:prime256v1", Completes),
            ("ssl_ecdh_curve secp384r1;", "curl --tls-max 1.2", Completes),
            ("ssl_conf_command Ciphersuites TLS_AES_128_CCM_SHA256;", "curl", HandshakeFails),
            ("ssl_conf_command Ciphersuites TLS_AES_128_CCM_SHA256;", "curl --tls-max 1.2", Completes),
            ("", "curl --tls13-ciphers TLS_AES_128_CCM_SHA256", HandshakeFails),
            ("", "curl --tls13-ciphers TLS_AES_128_GCM_SHA256", Completes),
            // not known
            ("ssl_ecdh_curve brainpoolP256r1;", "curl", Undetermined),
            ("ssl_ecdh_curve ffdhe2048;", "curl", Undetermined),
            ("ssl_ecdh_curve secp384r1;", "curl --tls-max 1.2 --curves X25519:prime256v1", Undetermined),
            ("", "curl --tls13-ciphers TLS_SM4_GCM_SM3", Undetermined),
        ] {
            let command = format!("{options} --cacert /etc/tls/ca.pem https://server.example.test:8443/");
            let prediction = predicted(&server("server.example.test", inside), Some(&command));
            assert_eq!(prediction.outcome, outcome, "{inside} {options}: {prediction:?}");
        }
        for (options, outcome) in [
            ("-groups X25519", Completes),
            ("-curves X25519 -tls1_2", HandshakeFails),
            ("-ciphersuites TLS_AES_128_CCM_SHA256", HandshakeFails),
        ] {
            let command = format!(
                "openssl s_client -connect server.example.test:8443 -CAfile /etc/tls/ca.pem {options}"
            );
            let prediction = predicted(&server("server.example.test", ""), Some(&command));
            assert_eq!(prediction.outcome, outcome, "{options}: {prediction:?}");
        }
    }

    #[test]
    fn an_upstream_is_dialled_with_the_groups_and_suites_that_are_set() {
        use Outcome::{Completes, HandshakeFails, Undetermined};
        for (inside, outcome) in [
            ("", Completes),
            ("proxy_ssl_conf_command Ciphersuites TLS_AES_128_CCM_SHA256;", HandshakeFails),
            ("proxy_ssl_conf_command Groups X448:P-256;", Completes),
            ("proxy_ssl_conf_command Curves brainpoolP256r1;", Undetermined),
        ] {
            let pass = format!(
                "server {{ listen 80; location / {{ proxy_pass https://server.example.test:8443;
                 proxy_ssl_protocols TLSv1.3; {inside} }} }}"
            );
            let http = format!("{pass} {}", server("server.example.test", ""));
            let prediction = predicted(&http, None);
            assert_eq!(prediction.outcome, outcome, "{inside}: {prediction:?}");
        }
    }

    #[test]
    fn groups_and_suites_are_those_of_the_default_server() {
        let default = server("a.example.test", "ssl_ecdh_curve secp384r1;");
        let chosen = server("server.example.test", "ssl_ecdh_curve X25519;");
        let curl = CURL.replace("curl", "curl --curves X25519");
        let prediction = predicted(&format!("{default} {chosen}"), Some(&curl));
        assert_eq!(prediction.outcome, Outcome::HandshakeFails, "{prediction:?}");
        assert_eq!(prediction.server_logs.as_deref(), Some("no suitable key share"));
        let prediction = predicted(&format!("{chosen} {default}"), Some(&curl));
        assert_eq!(prediction.outcome, Outcome::Completes, "{prediction:?}");
    }

    #[test]
    fn plaintext_at_a_port_for_tls_is_answered_by_its_page() {
        let plain = "curl http://server.example.test:8443/";
        for (inside, outcome) in [
            ("", Outcome::RequestRejected),
            ("error_page 497 =301 https://server.example.test:8443/;", Outcome::Undetermined),
        ] {
            let prediction = predicted(&server("server.example.test", inside), Some(plain));
            assert_eq!(prediction.outcome, outcome, "{inside}");
        }
    }

    #[test]
    fn unknown_callers_of_a_shared_port_are_verified_by_the_name_they_ask_for() {
        let verifying = server("a.example.test", &format!("{VERIFIES} on;"));
        let rejecting = "server { listen 8443 ssl default_server; ssl_reject_handshake on; }";
        let open = server("b.example.test", "");
        let by_name = "server { listen 8443 ssl; ssl_certificate /etc/tls/$ssl_server_name.pem;
            ssl_certificate_key /etc/tls/$ssl_server_name.key; }";
        for (http, outcome, client) in [
            (verifying.clone(), Outcome::Completes, Some(true)),
            (open.clone(), Outcome::Completes, Some(false)),
            (format!("{verifying} {open}"), Outcome::Completes, None),
            (format!("{rejecting} {verifying}"), Outcome::Completes, Some(true)),
            (by_name.to_owned(), Outcome::Undetermined, None),
        ] {
            let prediction = predicted(&http, None);
            assert_eq!((prediction.outcome, prediction.client_authenticated), (outcome, client), "{http}");
        }
    }
}
