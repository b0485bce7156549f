//! The objects that the ingress controller writes for its kinds.

use crate::deployment::{FileRef, Setting};
use crate::dialect::apisix::Objects;
use crate::dialect::apisix::ingress::{ApisixRoute, ApisixTls, ApisixUpstream, Backend, Fragment, Reference};
use crate::dialect::apisix::objects::{
    Client, Pair, PassHost, Route, Scheme, SslKind, SslObject, Upstream, UpstreamNode, UpstreamTls,
};
use crate::source::Located;

/// Reads a key of a Secret: the first of these names that it has.
pub type Secrets<'s> = dyn Fn(&Reference, &[&str]) -> FileRef + 's;

/// Names of keys in Secrets, in the order in which the controller looks for them (internal/ssl/util.go): of a Secret
/// that cert-manager fills for a server or client, that one's own certificate is taken for the CA.
pub(in crate::resolve) const CERTIFICATE: [&str; 2] = ["cert", "tls.crt"];
pub(in crate::resolve) const KEY: [&str; 2] = ["key", "tls.key"];
pub(in crate::resolve) const CA: [&str; 3] = ["cert", "tls.crt", "ca.crt"];

/// Adds what the controller would write.
pub fn add(objects: &mut Objects, fragment: &Fragment, secrets: &Secrets<'_>) {
    objects.ssls.extend(fragment.tls.iter().map(|tls| ssl(tls, secrets)));
    for route in &fragment.routes {
        let named = |name: &str| {
            let same = |upstream: &&ApisixUpstream| {
                upstream.reference.name.value == name && upstream.reference.namespace == route.namespace
            };
            fragment.upstreams.iter().find(same)
        };
        for backend in &route.backends {
            let settings = named(&backend.service.value);
            let port: Option<u16> = backend.port.value.parse().ok();
            let upstream = upstream(route, settings, port, vec![node(route, backend, port)], secrets);
            objects.routes.push(write(route, upstream));
        }
        for reference in &route.upstreams {
            let Some(settings) = named(&reference.value) else { continue };
            let nodes = settings.external.iter();
            let nodes =
                nodes.map(|(host, port)| UpstreamNode { host: host.clone(), port: *port, by_address: false });
            let nodes: Vec<UpstreamNode> = nodes.collect();
            let port = nodes.first().and_then(|node| node.port);
            objects.routes.push(write(route, upstream(route, Some(settings), port, nodes, secrets)));
        }
    }
}

fn ssl(tls: &ApisixTls, secrets: &Secrets<'_>) -> SslObject {
    let pair = tls
        .secret
        .as_ref()
        .map(|secret| Pair { certificate: secrets(secret, &CERTIFICATE), key: Some(secrets(secret, &KEY)) });
    let client = tls.client.as_ref().map(|client| Client {
        ca: client.ca.as_ref().map(|ca| secrets(ca, &CA)),
        depth: match &client.depth {
            Some(depth) => Setting::Given(depth.clone()),
            None => Setting::Default { value: 1, parent: client.span },
        },
        skip_paths: client.skip_paths.clone(),
        unknown: Vec::new(),
        span: client.span,
    });
    SslObject {
        id: Some(tls.name.clone()),
        kind: SslKind::Server,
        enabled: true,
        names: tls.hosts.clone(),
        list: true,
        pairs: pair.into_iter().collect(),
        client,
        protocols: None,
        refusals: Vec::new(),
        span: tls.span,
    }
}

/// The Service's name stands for its Pods (or itself), whose addresses the controller writes.
fn node(route: &ApisixRoute, backend: &Backend, port: Option<u16>) -> UpstreamNode {
    let namespace = route.namespace.as_deref().unwrap_or("default");
    let host = backend.service.clone().map(|service| format!("{service}.{namespace}.svc"));
    UpstreamNode { host, port, by_address: true }
}

fn upstream(
    route: &ApisixRoute,
    settings: Option<&ApisixUpstream>,
    port: Option<u16>,
    nodes: Vec<UpstreamNode>,
    secrets: &Secrets<'_>,
) -> Upstream {
    let span = settings.map_or(route.span, |settings| settings.span);
    let by_port = settings.and_then(|settings| {
        settings.ports.iter().find(|(number, _)| Some(*number) == port).map(|(_, scheme)| scheme.clone())
    });
    let scheme = by_port.or_else(|| settings?.scheme.clone());
    let tls = settings.and_then(|settings| settings.tls_secret.as_ref()).map(|secret| UpstreamTls {
        certificate: Some(secrets(secret, &CERTIFICATE)),
        key: Some(secrets(secret, &KEY)),
        certificate_id: None,
        verify: None,
        unknown: Vec::new(),
        span: secret.name.span,
    });
    Upstream {
        id: None,
        scheme: match scheme {
            Some(scheme) => Setting::Given(scheme),
            None => Setting::Default { value: Scheme::Http, parent: span },
        },
        nodes,
        discovered: None,
        pass_host: match settings.and_then(|settings| settings.pass_host.clone()) {
            Some(pass_host) => Setting::Given(pass_host),
            None => Setting::Default { value: PassHost::Pass, parent: span },
        },
        upstream_host: settings.and_then(|settings| settings.upstream_host.clone()),
        tls,
        refusals: Vec::new(),
        span,
    }
}

fn write(route: &ApisixRoute, upstream: Upstream) -> Route {
    Route {
        id: Some(route.name.clone()),
        enabled: true,
        uris: if route.paths.is_empty() {
            vec![Located::new("/*".to_owned(), route.span)]
        } else {
            route.paths.clone()
        },
        hosts: route.hosts.clone(),
        methods: route.methods.clone(),
        priority: route.priority,
        condition: route.condition.map(|span| Located::new("exprs", span)),
        upstream: Some(upstream),
        upstream_id: None,
        service_id: None,
        plugin_config_id: route.plugin_config.clone(),
        plugins: route.plugins.clone(),
        refusals: Vec::new(),
        span: route.span,
    }
}
