//! APISIX as a client of its upstreams.

use std::collections::BTreeMap;

use mtls_identity::sorted;

use super::Given;
use super::listeners::depth;
use crate::deployment::{
    ClientTls, Credential, Dialer, DialerPurpose, PathChecks, PathPattern, Program, Protocols, Refusal,
    RouteMatch, Setting, Speaks, Target, Trust, TrustLoader, UnfitCredential, Version,
};
use crate::dialect::apisix::config::{self, Directive, Router};
use crate::dialect::apisix::objects::{
    PassHost, Plugin, Route, Scheme, Service, SslKind, Upstream, UpstreamNode, UpstreamTls,
};
use crate::dialect::apisix::{Config, Objects};
use crate::finding::Label;
use crate::source::Located;
use crate::syntax::url::{bracketed, without_port};

/// The block of nginx.conf that stands for every upstream, and so the name nginx has for it.
const BACKEND: &str = "apisix_backend";

/// Adds the dialers of every route, and what the snippets around them make nginx refuse.
pub fn add(given: &Given<'_>, config: &Config, objects: &Objects, program: &mut Program) {
    let verify = config.nginx.for_requests("proxy_ssl_verify");
    if let Some(directive) = verify.filter(|directive| directive.is_on())
        && config.ssl.trusted.value().is_none()
        && config.nginx.for_requests("proxy_ssl_trusted_certificate").is_none()
    {
        program.refusals.push(Refusal {
            rule: "refused-setting",
            message: "proxy_ssl_verify is on, and apisix.ssl.ssl_trusted_certificate is not set".to_owned(),
            labels: vec![Label { span: directive.name.span, message: String::new() }],
            help: None,
            log: Some("nginx: [emerg] no proxy_ssl_trusted_certificate for proxy_ssl_verify".to_owned()),
        });
    }
    let mut ranks = ranks(config, objects);
    for (index, route) in objects.routes.iter().enumerate().filter(|(_, route)| route.enabled) {
        let service = service(objects, route);
        let Some(upstream) = upstream(objects, route, service) else { continue };
        let matches = ranks.remove(&index).unwrap_or_default();
        let mut refusals = route.refusals.clone();
        if route.upstream.is_none() {
            refusals.extend(upstream.refusals.iter().cloned());
        }
        let call = Call { given, config, objects, route, service, upstream };
        program.dialers.extend(
            upstream.nodes.iter().filter_map(|node| call.dialer(node, matches.clone(), refusals.clone())),
        );
    }
    for route in objects.stream_routes.iter().filter(|route| route.enabled) {
        let Some(upstream) = upstream(objects, route, service(objects, route)) else { continue };
        let listeners = program.listeners.iter().enumerate().filter(|(_, listener)| {
            config.stream.iter().any(|stream| stream.listen.port.span() == listener.span)
        });
        let matches: Vec<RouteMatch> = listeners
            .map(|(index, _)| RouteMatch { listener: Some(index), ..RouteMatch::default() })
            .collect();
        let call = Call { given, config, objects, route, service: None, upstream };
        let dialers = upstream.nodes.iter();
        let dialers = dialers.filter_map(|node| call.dialer(node, matches.clone(), route.refusals.clone()));
        program.dialers.extend(dialers);
    }
}

fn service<'o>(objects: &'o Objects, route: &Route) -> Option<&'o Service> {
    let id = route.service_id.as_ref()?;
    objects.services.iter().find(|service| is(&service.id, id))
}

fn upstream<'o>(
    objects: &'o Objects,
    route: &'o Route,
    service: Option<&'o Service>,
) -> Option<&'o Upstream> {
    let by_id = |id: &Option<Located<String>>| {
        let id = id.as_ref()?;
        objects.upstreams.iter().find(|upstream| is(&upstream.id, id))
    };
    by_id(&route.upstream_id)
        .or(route.upstream.as_ref())
        .or_else(|| by_id(&service?.upstream_id))
        .or_else(|| service?.upstream.as_ref())
}

fn is(id: &Option<Located<String>>, wanted: &Located<String>) -> bool {
    id.as_ref().is_some_and(|id| id.value == wanted.value)
}

/// Every pair of host and path by the index of its route; the greatest priority is tried first.
///
/// lua-resty-radixtree looks for the exact path, then for ever shorter prefixes, and at each for the greatest
/// `priority`; radixtree_host_uri (the default since 3.3) does so for the host first.
fn ranks(config: &Config, objects: &Objects) -> BTreeMap<usize, Vec<RouteMatch>> {
    let by_host = *config.router.value() == Router::HostUri;
    let mut all = Vec::new();
    for (index, route) in objects.routes.iter().enumerate().filter(|(_, route)| route.enabled) {
        let service = service(objects, route);
        let hosts: &[Located<String>] = if route.hosts.is_empty() {
            service.map(|service| service.hosts.as_slice()).unwrap_or_default()
        } else {
            &route.hosts
        };
        let hosts: Vec<Option<&str>> = if hosts.is_empty() {
            vec![None]
        } else {
            hosts.iter().map(|host| Some(host.value.as_str())).collect()
        };
        for host in hosts {
            for uri in &route.uris {
                let (path, specific) = path(&uri.value);
                let host_rank = if by_host {
                    host.map_or(Specific::default(), specific_host)
                } else {
                    Specific::default()
                };
                let key = (route.refusals.is_empty(), host_rank, specific, route.priority);
                let matching = RouteMatch {
                    listener: None,
                    hosts: host.map(str::to_owned).into_iter().collect(),
                    paths: vec![path],
                    methods: route.methods.clone(),
                    priority: 0,
                };
                all.push((key, index, matching));
            }
        }
    }
    // stable: of equals the first in the list is tried first
    sorted::sort_by_key(&mut all, |(key, ..)| std::cmp::Reverse(*key));
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let mut out: BTreeMap<usize, Vec<RouteMatch>> = BTreeMap::new();
    for (place, (_, route, mut matching)) in all.into_iter().enumerate() {
        matching.priority = count - i64::try_from(place).unwrap_or(0);
        out.entry(route).or_default().push(matching);
    }
    out
}

/// How narrow a pattern is: exact before any prefix, then by length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Specific {
    exact: bool,
    length: usize,
}

fn specific_host(host: &str) -> Specific {
    Specific { exact: !host.starts_with('*'), length: host.len() }
}

fn path(uri: &str) -> (PathPattern, Specific) {
    if uri.contains(':') {
        let length = uri.find(':').unwrap_or(uri.len());
        return (PathPattern::Radix(uri.to_owned()), Specific { exact: false, length });
    }
    match uri.find('*') {
        // what follows a star names what it takes
        Some(at) => {
            let prefix = uri.get(..at).unwrap_or_default().to_owned();
            let length = prefix.len();
            (PathPattern::Prefix(prefix), Specific { exact: false, length })
        }
        None => (PathPattern::Exact(uri.to_owned()), Specific { exact: true, length: uri.len() }),
    }
}

/// A route on its way to an upstream.
struct Call<'c> {
    given: &'c Given<'c>,
    config: &'c Config,
    objects: &'c Objects,
    route: &'c Route,
    service: Option<&'c Service>,
    upstream: &'c Upstream,
}

impl Call<'_> {
    fn dialer(
        &self,
        node: &UpstreamNode,
        routes: Vec<RouteMatch>,
        mut refusals: Vec<Refusal>,
    ) -> Option<Dialer> {
        let scheme = *self.upstream.scheme.value();
        let layer_4 = self.route.uris.is_empty();
        let (speaks, default_port) = match scheme {
            Scheme::Http => (Speaks::Http, 80),
            Scheme::Https => (Speaks::Http, 443),
            Scheme::Grpc => (Speaks::Http2, 80),
            Scheme::Grpcs => (Speaks::Http2, 443),
            Scheme::Tcp | Scheme::Tls => (Speaks::Stream, 443),
            Scheme::Udp | Scheme::Kafka => return None,
        };
        if speaks == Speaks::Stream && !layer_4 {
            refusals.push(Refusal {
                rule: "refused-setting",
                message: format!(
                    "the scheme {} is for layer 4; a route's upstream cannot have it",
                    scheme.name()
                ),
                labels: vec![Label { span: self.upstream.scheme.span(), message: String::new() }],
                help: None,
                log: Some(format!("invalid URL prefix in \"{}://{BACKEND}\"", scheme.name())),
            });
        }
        let port = node.port.unwrap_or(default_port);
        let host = &node.host.value;
        let shown = bracketed(host);
        let url = format!("{}://{shown}:{port}", scheme.name());
        let tls = scheme.is_tls().then(|| self.tls(node, layer_4, &mut refusals));
        let asked = self.upstream.tls.as_ref().and_then(|tls| tls.verify.as_ref());
        let asked = asked.is_some_and(|verify| verify.value);
        let unseen = tls.as_ref().filter(|tls| asked && !*tls.verify.value()).and_then(|_| {
            // merged after 3.18; which release has it first, is not known
            (self.given.version >= Version(3, 19, 0)).then(|| {
                format!("whether APISIX {} acts on tls.verify here is not known", self.given.version)
            })
        });
        Some(Dialer {
            tls,
            routes,
            speaks,
            refusals,
            unseen: unseen.into_iter().collect(),
            ..Dialer::new(
                DialerPurpose::Upstream,
                Target { url, host: node.host.clone(), port, connect_to: None },
                self.upstream.span,
            )
        })
    }

    fn tls(&self, node: &UpstreamNode, layer_4: bool, refusals: &mut Vec<Refusal>) -> ClientTls {
        let nginx = &self.config.nginx;
        let grpc = *self.upstream.scheme.value() == Scheme::Grpcs;
        let directive = |name: &str| {
            let prefix = if grpc { "grpc" } else { "proxy" };
            let name = format!("{prefix}_ssl_{name}");
            if layer_4 { nginx.for_stream(&name) } else { nginx.for_requests(&name) }
        };
        let span = self.upstream.tls.as_ref().map_or(self.upstream.span, |tls| tls.span);
        let verify = match directive("verify") {
            Some(written) => Setting::Given(Located::new(written.is_on(), written.name.span)),
            None => Setting::Default { value: false, parent: self.upstream.scheme.span() },
        };
        let names = self.names(node, grpc || layer_4, layer_4, refusals);
        let protocols = directive("protocols").and_then(|written| {
            let words = written.arguments.iter().map(|argument| argument.value.as_str());
            Some(Located::new(config::protocols(words).ok()?, written.name.span))
        });
        let protocols = match protocols {
            Some(protocols) => Setting::Given(protocols),
            None => Setting::Default { value: Protocols::modern(), parent: self.config.nginx.span },
        };
        ClientTls {
            credential: self.credential(&directive, refusals),
            trust: if *verify.value() { self.trust(grpc || layer_4, &directive) } else { Vec::new() },
            server_name: names.server_name,
            reference: names.reference,
            checks: PathChecks {
                depth: Some(depth(directive("verify_depth"), self.config.nginx.span)),
                ..PathChecks::default()
            },
            ciphers: directive("ciphers").and_then(Directive::argument).cloned(),
            names_from_request: names.from_request,
            unfit_credential: UnfitCredential::Dropped,
            ..ClientTls::new(verify, protocols, span)
        }
    }

    /// What verifies an upstream once a snippet turns it on.
    fn trust<'d>(&self, apart: bool, directive: &impl Fn(&str) -> Option<&'d Directive>) -> Vec<Trust> {
        let own = directive("trusted_certificate").and_then(Directive::argument);
        match (self.config.ssl.trusted.value(), own) {
            // the blocks of gRPC and of layer 4 have no trust of their own
            (_, Some(path)) => {
                let file = self.given.read(path, &self.given.folder);
                vec![Trust::File { file, loader: TrustLoader::Anchors }]
            }
            (Some(config::Trusted::File(path)), None) if !apart => {
                let path = Located::new(path.clone(), self.config.ssl.trusted.span());
                let file = self.given.read(&path, &self.given.home);
                vec![Trust::File { file, loader: TrustLoader::Anchors }]
            }
            (Some(config::Trusted::System), None) if !apart => {
                vec![Trust::System(self.config.ssl.trusted.span())]
            }
            _ => Vec::new(),
        }
    }

    /// The client certificate: inline, by id, else the snippet's.
    fn credential<'d>(
        &self,
        directive: &impl Fn(&str) -> Option<&'d Directive>,
        refusals: &mut Vec<Refusal>,
    ) -> Option<Credential> {
        let tls = self.upstream.tls.as_ref();
        if let Some(id) = tls.and_then(|tls| tls.certificate_id.as_ref()) {
            return self.credential_by_id(id, refusals);
        }
        if let Some(UpstreamTls { certificate: Some(certificate), key, .. }) = tls {
            return Some(Credential { certificate: certificate.clone(), key: key.clone(), passphrase: None });
        }
        let path = directive("certificate").and_then(Directive::argument)?;
        let key = directive("certificate_key").and_then(Directive::argument);
        Some(Credential {
            certificate: self.given.read(path, &self.given.folder),
            key: key.map(|key| self.given.read(key, &self.given.folder)),
            passphrase: None,
        })
    }

    fn credential_by_id(&self, id: &Located<String>, refusals: &mut Vec<Refusal>) -> Option<Credential> {
        let known =
            self.objects.ssls.iter().find(|ssl| is(&ssl.id, id)).filter(|ssl| ssl.refusals.is_empty());
        let (message, log) = match known {
            Some(ssl) if ssl.kind == SslKind::Client => {
                let pair = ssl.pairs.first()?;
                return Some(Credential {
                    certificate: pair.certificate.clone(),
                    key: pair.key.clone(),
                    passphrase: None,
                });
            }
            Some(_) => (
                format!(
                    "the ssl object {} is of type server; a client certificate is of type client",
                    id.value
                ),
                "failed to get ssl cert: ssl type should be 'client'".to_owned(),
            ),
            None => (
                format!("there is no ssl object {}", id.value),
                format!("failed to get ssl cert: ssl id [{}] not exits", id.value),
            ),
        };
        if known.is_some() || self.objects.complete {
            let mut labels = vec![Label { span: id.span, message: String::new() }];
            labels.extend(known.map(|ssl| Label { span: ssl.span, message: "this object".to_owned() }));
            refusals.push(Refusal {
                rule: "unknown-client-certificate-id",
                message,
                labels,
                help: None,
                log: Some(log),
            });
            return None;
        }
        let why = format!("the ssl object {} lives in etcd", id.value);
        let file = crate::deployment::FileRef {
            path: id.clone(),
            content: crate::deployment::Lookup::Unseen(why),
            mode: None,
        };
        Some(Credential { certificate: file.clone(), key: Some(file), passphrase: None })
    }

    fn names(&self, node: &UpstreamNode, fixed: bool, layer_4: bool, refusals: &mut Vec<Refusal>) -> Names {
        let backend = Located::new(BACKEND.to_owned(), self.upstream.span);
        if fixed || !*self.config.nginx.sends_server_name.value() {
            // proxy_ssl_name is not set, so nginx takes the name of the upstream block; layer 4 sends it as well
            let server_name = layer_4.then(|| backend.value.clone());
            return Names { server_name, reference: Some(backend), from_request: false };
        }
        let rewritten = self.rewritten_host();
        let name = match self.upstream.pass_host.value() {
            // no certificate bears the address of a Pod as a DNS name, and nothing else is compared
            PassHost::Node if node.by_address => {
                let behind = node.host.clone().map(|host| format!("the address of a Pod behind {host}"));
                return Names { server_name: None, reference: Some(behind), from_request: false };
            }
            PassHost::Node => Some(node.host.clone()),
            PassHost::Rewrite => {
                if self.upstream.upstream_host.is_none() {
                    refusals.push(Refusal {
                        rule: "refused-setting",
                        message: "pass_host is rewrite, and there is no upstream_host to rewrite to"
                            .to_owned(),
                        labels: vec![Label { span: self.upstream.pass_host.span(), message: String::new() }],
                        help: None,
                        log: Some("attempt to concatenate local 'sni' (a nil value)".to_owned()),
                    });
                }
                self.upstream.upstream_host.clone()
            }
            PassHost::Pass => rewritten.cloned(),
        };
        match name {
            Some(name) => {
                let name = name.map(|name| without_port(&name).to_owned());
                // nginx sends no server name for an address
                let server_name = name.value.parse::<std::net::IpAddr>().is_err().then(|| name.value.clone());
                Names { server_name, reference: Some(name), from_request: false }
            }
            None => {
                let client = self.upstream.pass_host.span();
                Names {
                    server_name: Some(String::new()),
                    reference: Some(Located::new(String::new(), client)),
                    from_request: true,
                }
            }
        }
    }

    /// The host that proxy-rewrite puts in place of the client's.
    fn rewritten_host(&self) -> Option<&Located<String>> {
        let holder = self.route.plugin_config_id.as_ref().and_then(|id| {
            self.objects.plugins.iter().find(|holder| holder.kind == "plugin_configs" && is(&holder.id, id))
        });
        let own = self.route.plugins.iter();
        let shared = holder.into_iter().flat_map(|holder| &holder.plugins);
        let inherited = self.service.into_iter().flat_map(|service| &service.plugins);
        let enabled = |plugin: &&Plugin| plugin.name.value == "proxy-rewrite" && !plugin.disabled;
        own.chain(shared).chain(inherited).find(enabled)?.rewrites_host.as_ref()
    }
}

/// The names of a connection to an upstream.
struct Names {
    server_name: Option<String>,
    reference: Option<Located<String>>,
    from_request: bool,
}
