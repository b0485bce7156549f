use std::collections::BTreeSet;

use mtls_identity::sorted::Numbers;

use super::nginx::{configurations, rests_on};
use crate::dialect::nginx::{Header, Location, NginxConfig, Server, Subsystem};
use crate::finding::{Finding, Label};
use crate::rules::{Subject, rule};

rule! {
    /// A header with the client's identity is set on one way to the upstream and left alone on another.
    ///
    /// The upstream takes `X-Client-DN` for what the gateway verified. On the way where the gateway does not set it, the value is
    /// the client's own.
    ///
    /// ## Why it matters
    ///
    /// Whoever sends the header on the other way is whoever they want to be.
    ///
    /// ## How to fix
    ///
    /// Set the header wherever that upstream is reached, empty where there is no identity (nginx then sends none):
    ///
    /// ```nginx
    /// location /public {
    ///     proxy_set_header X-Client-DN "";
    ///     proxy_pass https://backend;
    /// }
    /// ```
    ///
    /// `proxy_set_header` is inherited as a whole: a block that sets one header of its own loses all those around it.
    ///
    /// ## What you see in the logs
    ///
    /// Nothing.
    ///
    /// ## Reference
    ///
    /// <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_set_header>
    "spoofable-identity-header", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (program, config) in configurations(subject) {
        let mut upstreams = Numbers::default();
        let mut ways: Vec<Vec<(&Server, &Location)>> = Vec::new();
        for server in config.servers.iter().filter(|server| server.subsystem == Subsystem::Http) {
            for location in &server.locations {
                let Some(pass) = &location.pass else { continue };
                // without a port, or with the default one written out, it is the same upstream
                let port = pass.port.or(pass.default_port).unwrap_or(0);
                let upstream = format!("{}:{port}", pass.host.value.to_ascii_lowercase());
                upstreams.push(&mut ways, upstream, (server, location));
            }
        }
        for ways in &ways {
            let mut told = BTreeSet::new();
            for (server, location) in ways {
                let identities =
                    location.headers.iter().filter(|header| carries_identity(config, server, header));
                for header in identities {
                    let open = ways.iter().find(|(server, other)| {
                        !sets(other, &header.name.value)
                            && !other.drops_headers
                            && server.unseen.is_empty()
                            && other.unseen.is_empty()
                    });
                    let Some((_, open)) = open else { continue };
                    if !told.insert((header.name.value.to_ascii_lowercase(), open.span)) {
                        continue;
                    }
                    let Some(pass) = &open.pass else { continue };
                    findings.push(RULE.finding(
                        format!(
                            "{} sets {} to {} on one way to {} and passes the client's own on another",
                            program.name, header.name.value, header.value.value, pass.host.value
                        ),
                        Some(format!(
                            "write {} {} \"\"; beside this pass",
                            pass.kind.header_directive(),
                            header.name.value
                        )),
                        vec![
                            Label {
                                span: pass.span,
                                message: format!("here {} comes from the client", header.name.value),
                            },
                            Label {
                                span: header.name.span,
                                message: "here it is what nginx verified".to_owned(),
                            },
                        ],
                    ));
                }
            }
        }
    }
}

/// Whether a header's value is of the client's certificate, by way of a `set` or a `map` as well.
fn carries_identity(config: &NginxConfig, server: &Server, header: &Header) -> bool {
    let mapped =
        |name: &str| config.maps.iter().any(|map| map.variable.value.trim_start_matches('$') == name);
    rests_on(server, &header.value.value).iter().any(|name| name.starts_with("ssl_client_") || mapped(name))
}

fn sets(location: &Location, name: &str) -> bool {
    location.headers.iter().any(|header| header.name.value.eq_ignore_ascii_case(name))
}
