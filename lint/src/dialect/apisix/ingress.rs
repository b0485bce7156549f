//! The ingress controller's kinds: ApisixTls, ApisixUpstream, ApisixRoute (v2, v2beta3 and v1).
//!
//! A reference stays a name here; `resolve` follows it and writes the objects that the controller would.

use super::objects::{PassHost, Plugin, Scheme, conf};
use crate::source::{Located, Span};
use crate::syntax::yaml::{Kind, Node};

/// Every object of the controller that was read.
#[derive(Debug, Clone, Default)]
pub struct Fragment {
    /// ApisixTls.
    pub tls: Vec<ApisixTls>,
    /// ApisixUpstream.
    pub upstreams: Vec<ApisixUpstream>,
    /// The rules of ApisixRoute.
    pub routes: Vec<ApisixRoute>,
    /// GatewayProxy.
    pub proxies: Vec<GatewayProxy>,
}

/// Where the controller sends configuration: the Admin API of an APISIX.
#[derive(Debug, Clone)]
pub struct GatewayProxy {
    /// `GatewayProxy edge/apisix`.
    pub name: Located<String>,
    /// Its namespace; None: `default`.
    pub namespace: Option<String>,
    /// `spec.provider.controlPlane.endpoints`; or `service`, which the controller dials by plain HTTP, whatever its port
    /// speaks (internal/adc/translator/gatewayproxy.go).
    pub endpoints: Vec<Located<String>>,
    /// `spec.provider.controlPlane.tlsVerify`.
    pub verify: Option<Located<bool>>,
}

/// A name of an object in a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its name.
    pub name: Located<String>,
    /// Its namespace; None: that of the object that names it, or `default` of kubectl.
    pub namespace: Option<String>,
}

/// What an ssl object is made of.
#[derive(Debug, Clone)]
pub struct ApisixTls {
    /// `ApisixTls edge/shop`.
    pub name: Located<String>,
    /// `spec.hosts`.
    pub hosts: Vec<Located<String>>,
    /// `spec.secret`.
    pub secret: Option<Reference>,
    /// `spec.client`.
    pub client: Option<TlsClient>,
    /// The object.
    pub span: Span,
}

/// `spec.client` of an ApisixTls.
#[derive(Debug, Clone)]
pub struct TlsClient {
    /// `caSecret`.
    pub ca: Option<Reference>,
    /// `depth`.
    pub depth: Option<Located<u32>>,
    /// `skip_mtls_uri_regex`.
    pub skip_paths: Vec<Located<String>>,
    /// The block.
    pub span: Span,
}

/// How the controller speaks to a Service of the same name.
#[derive(Debug, Clone)]
pub struct ApisixUpstream {
    /// The Service's (and its own) name.
    pub reference: Reference,
    /// `spec.scheme`.
    pub scheme: Option<Located<Scheme>>,
    /// `spec.passHost`.
    pub pass_host: Option<Located<PassHost>>,
    /// `spec.upstreamHost`.
    pub upstream_host: Option<Located<String>>,
    /// `spec.tlsSecret`.
    pub tls_secret: Option<Reference>,
    /// `spec.portLevelSettings`: schemes by port.
    pub ports: Vec<(u16, Located<Scheme>)>,
    /// `spec.externalNodes`: host, port.
    pub external: Vec<(Located<String>, Option<u16>)>,
    /// The object.
    pub span: Span,
}

/// One rule of an ApisixRoute.
#[derive(Debug, Clone)]
pub struct ApisixRoute {
    /// `ApisixRoute edge/shop`, and the rule's name.
    pub name: Located<String>,
    /// The namespace of its backends.
    pub namespace: Option<String>,
    /// Hosts.
    pub hosts: Vec<Located<String>>,
    /// Paths.
    pub paths: Vec<Located<String>>,
    /// Methods.
    pub methods: Vec<String>,
    /// `priority`.
    pub priority: i64,
    /// `exprs` or remote addresses, which nothing here evaluates.
    pub condition: Option<Span>,
    /// Services and ports.
    pub backends: Vec<Backend>,
    /// `upstreams`: ApisixUpstreams with external nodes.
    pub upstreams: Vec<Located<String>>,
    /// `plugins`.
    pub plugins: Vec<Plugin>,
    /// `plugin_config_name`.
    pub plugin_config: Option<Located<String>>,
    /// The rule.
    pub span: Span,
}

/// A Service behind a route.
#[derive(Debug, Clone)]
pub struct Backend {
    /// `serviceName`.
    pub service: Located<String>,
    /// `servicePort`: a number; a port's name is resolved with the Service.
    pub port: Located<String>,
}

impl Fragment {
    /// Takes in one Kubernetes object; false if it is none of the controller's.
    pub fn read(&mut self, object: Node<'_>) -> bool {
        let version = object.get("apiVersion").and_then(Node::as_str).unwrap_or_default();
        if !version.starts_with("apisix.apache.org/") {
            return false;
        }
        match object.get("kind").and_then(Node::as_str) {
            Some("ApisixTls") => self.tls.push(tls(object)),
            Some("ApisixUpstream") => self.upstreams.extend(upstream(object)),
            Some("ApisixRoute") => routes(object, &mut self.routes),
            Some("GatewayProxy") => self.proxies.push(proxy(object)),
            _ => {}
        }
        true
    }
}

fn text(node: Option<Node<'_>>) -> Option<Located<String>> {
    let node = node?;
    Some(Located::new(node.as_str().filter(|text| !text.is_empty())?.to_owned(), node.span()))
}

fn texts(node: Option<Node<'_>>) -> Vec<Located<String>> {
    node.map(|node| node.items().filter_map(|item| text(Some(item))).collect()).unwrap_or_default()
}

fn namespace(object: Node<'_>) -> Option<String> {
    text(object.at(&["metadata", "namespace"])).map(|namespace| namespace.value)
}

fn name(object: Node<'_>, kind: &str) -> Located<String> {
    let name = text(object.at(&["metadata", "name"]));
    let shown = name.as_ref().map_or("?", |name| name.value.as_str());
    let span = name.as_ref().map_or(object.span(), |name| name.span);
    let namespace = namespace(object).unwrap_or_else(|| "default".to_owned());
    Located::new(format!("{kind} {namespace}/{shown}"), span)
}

/// A reference by `name` and `namespace`, from an object of a namespace.
fn reference(node: Option<Node<'_>>, from: Option<&String>) -> Option<Reference> {
    let node = node?;
    let name = text(node.get("name"))?;
    let namespace = text(node.get("namespace")).map(|namespace| namespace.value).or_else(|| from.cloned());
    Some(Reference { name, namespace })
}

fn tls(object: Node<'_>) -> ApisixTls {
    let from = namespace(object);
    let spec = object.get("spec");
    let get = |key: &str| spec.and_then(|spec| spec.get(key));
    let client = get("client").filter(|node| node.kind() == Kind::Mapping).map(|node| TlsClient {
        ca: reference(node.get("caSecret"), from.as_ref()),
        depth: node
            .get("depth")
            .and_then(|depth| Some(Located::new(u32::try_from(depth.as_i64()?).ok()?, depth.span()))),
        skip_paths: texts(node.get("skip_mtls_uri_regex")),
        span: node.span(),
    });
    ApisixTls {
        name: name(object, "ApisixTls"),
        hosts: texts(get("hosts")),
        secret: reference(get("secret"), from.as_ref()),
        client,
        span: object.span(),
    }
}

fn proxy(object: Node<'_>) -> GatewayProxy {
    let plane = object.at(&["spec", "provider", "controlPlane"]);
    let verify = plane.and_then(|plane| plane.get("tlsVerify"));
    let namespace = namespace(object);
    let mut endpoints = texts(plane.and_then(|plane| plane.get("endpoints")));
    if endpoints.is_empty() {
        let service = plane.and_then(|plane| plane.get("service"));
        endpoints.extend(service.and_then(|service| {
            let host = text(service.get("name"))?.value;
            let port = u16::try_from(service.get("port")?.as_i64()?).ok()?;
            let namespace = namespace.as_deref().unwrap_or("default");
            Some(Located::new(format!("http://{host}.{namespace}.svc:{port}"), service.span()))
        }));
    }
    GatewayProxy {
        name: name(object, "GatewayProxy"),
        namespace,
        endpoints,
        verify: verify.and_then(|node| Some(Located::new(node.as_bool()?, node.span()))),
    }
}

fn scheme(node: Option<Node<'_>>) -> Option<Located<Scheme>> {
    let word = text(node)?;
    Some(Located::new(Scheme::parse(&word.value)?, word.span))
}

fn upstream(object: Node<'_>) -> Option<ApisixUpstream> {
    let namespace = namespace(object);
    let spec = object.get("spec");
    let get = |key: &str| spec.and_then(|spec| spec.get(key));
    let pass_host = text(get("passHost")).and_then(|word| {
        let value = match word.value.as_str() {
            "pass" => PassHost::Pass,
            "node" => PassHost::Node,
            "rewrite" => PassHost::Rewrite,
            _ => return None,
        };
        Some(Located::new(value, word.span))
    });
    let port = |node: Node<'_>| u16::try_from(node.get("port")?.as_i64()?).ok();
    Some(ApisixUpstream {
        reference: Reference { name: text(object.at(&["metadata", "name"]))?, namespace: namespace.clone() },
        scheme: scheme(get("scheme")),
        pass_host,
        upstream_host: text(get("upstreamHost")),
        tls_secret: reference(get("tlsSecret"), namespace.as_ref()),
        ports: get("portLevelSettings")
            .map(|list| {
                list.items().filter_map(|item| Some((port(item)?, scheme(item.get("scheme"))?))).collect()
            })
            .unwrap_or_default(),
        external: get("externalNodes")
            .map(|list| list.items().filter_map(|item| Some((text(item.get("name"))?, port(item)))).collect())
            .unwrap_or_default(),
        span: object.span(),
    })
}

fn routes(object: Node<'_>, out: &mut Vec<ApisixRoute>) {
    let from = namespace(object);
    let own = name(object, "ApisixRoute");
    for rule in object.at(&["spec", "http"]).into_iter().flat_map(Node::items) {
        let matching = rule.get("match");
        let part = |key: &str| matching.and_then(|matching| matching.get(key));
        let backends = rule.get("backends").into_iter().flat_map(Node::items).chain(rule.get("backend"));
        let rule_name = text(rule.get("name"));
        out.push(ApisixRoute {
            name: match &rule_name {
                Some(name) => Located::new(format!("{} {}", own.value, name.value), name.span),
                None => own.clone(),
            },
            namespace: from.clone(),
            hosts: texts(part("hosts")),
            paths: texts(part("paths")),
            methods: texts(part("methods")).into_iter().map(|method| method.value).collect(),
            priority: rule.get("priority").and_then(Node::as_i64).unwrap_or(0),
            condition: part("exprs").or_else(|| part("remoteAddrs")).map(Node::span),
            backends: backends.filter_map(backend).collect(),
            upstreams: rule
                .get("upstreams")
                .map(|list| list.items().filter_map(|item| text(item.get("name"))).collect())
                .unwrap_or_default(),
            plugins: rule.get("plugins").into_iter().flat_map(Node::items).filter_map(plugin).collect(),
            plugin_config: text(rule.get("plugin_config_name")),
            span: rule.span(),
        });
    }
    // v1: rules by host, with paths
    for rule in object.at(&["spec", "rules"]).into_iter().flat_map(Node::items) {
        let host = text(rule.get("host"));
        for path in rule.at(&["http", "paths"]).into_iter().flat_map(Node::items) {
            out.push(ApisixRoute {
                name: own.clone(),
                namespace: from.clone(),
                hosts: host.iter().cloned().collect(),
                paths: text(path.get("path")).into_iter().collect(),
                methods: Vec::new(),
                priority: 0,
                condition: None,
                backends: path.get("backend").and_then(backend).into_iter().collect(),
                upstreams: Vec::new(),
                plugins: Vec::new(),
                plugin_config: None,
                span: path.span(),
            });
        }
    }
}

fn plugin(item: Node<'_>) -> Option<Plugin> {
    let config = item.get("config");
    Some(Plugin {
        name: text(item.get("name"))?,
        disabled: item.get("enable").and_then(Node::as_bool) == Some(false),
        rewrites_host: config
            .filter(|_| item.get("name").and_then(Node::as_str) == Some("proxy-rewrite"))
            .and_then(|config| text(config.get("host"))),
        conf: config.and_then(|config| conf(config.get("conf")?)),
        span: item.span(),
    })
}

fn backend(node: Node<'_>) -> Option<Backend> {
    Some(Backend { service: text(node.get("serviceName"))?, port: text(node.get("servicePort"))? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;
    use crate::syntax::yaml;

    fn read(text: &str) -> Fragment {
        let mut sources = Sources::default();
        let id = sources.add("x.yaml", text);
        let mut fragment = Fragment::default();
        for document in &yaml::parse(&sources.text(id).unwrap()).documents {
            assert!(fragment.read(document.root()), "{text}");
        }
        fragment
    }

    #[test]
    fn a_tls_object_names_its_secrets_in_its_own_namespace_unless_another_is_written() {
        let fragment = read(
            "apiVersion: apisix.apache.org/v2\nkind: ApisixTls\nmetadata: {name: shop, namespace: edge}\nspec:\n  hosts: [shop.example, '*.shop.example']\n  secret: {name: server}\n  client: {caSecret: {name: ca, namespace: pki}, depth: 2, skip_mtls_uri_regex: [^/open]}\n",
        );
        let tls = fragment.tls.first().unwrap();
        assert_eq!(tls.name.value, "ApisixTls edge/shop");
        assert_eq!(tls.hosts.len(), 2);
        assert_eq!(tls.secret.as_ref().unwrap().namespace.as_deref(), Some("edge"));
        let client = tls.client.as_ref().unwrap();
        assert_eq!(client.ca.as_ref().unwrap().namespace.as_deref(), Some("pki"));
        assert_eq!(client.depth.as_ref().unwrap().value, 2);
        assert_eq!(client.skip_paths.len(), 1);
    }

    #[test]
    fn routes_of_every_version_have_hosts_paths_and_backends() {
        for text in [
            "apiVersion: apisix.apache.org/v2\nkind: ApisixRoute\nmetadata: {name: r}\nspec:\n  http:\n  - name: one\n    match: {hosts: [a.example], paths: [/*]}\n    backends: [{serviceName: web, servicePort: 443}]\n",
            "apiVersion: apisix.apache.org/v1\nkind: ApisixRoute\nmetadata: {name: r}\nspec:\n  rules:\n  - host: a.example\n    http:\n      paths:\n      - path: /*\n        backend: {serviceName: web, servicePort: 443}\n",
        ] {
            let fragment = read(text);
            let route = fragment.routes.first().unwrap();
            assert_eq!(route.hosts.first().unwrap().value, "a.example");
            assert_eq!(route.paths.first().unwrap().value, "/*");
            let backend = route.backends.first().unwrap();
            assert_eq!((backend.service.value.as_str(), backend.port.value.as_str()), ("web", "443"));
        }
    }

    #[test]
    fn an_upstream_may_have_schemes_by_port_and_nodes_outside() {
        let fragment = read(
            "apiVersion: apisix.apache.org/v2\nkind: ApisixUpstream\nmetadata: {name: web, namespace: edge}\nspec:\n  scheme: https\n  passHost: rewrite\n  upstreamHost: web.example\n  tlsSecret: {name: client, namespace: edge}\n  portLevelSettings: [{port: 80, scheme: http}]\n  externalNodes: [{type: Domain, name: web.example, port: 443}]\n",
        );
        let upstream = fragment.upstreams.first().unwrap();
        assert_eq!(upstream.scheme.as_ref().unwrap().value, Scheme::Https);
        assert_eq!(upstream.pass_host.as_ref().unwrap().value, PassHost::Rewrite);
        assert_eq!(upstream.ports.first().unwrap().0, 80);
        assert_eq!(upstream.external.first().unwrap().1, Some(443));
    }

    #[test]
    fn the_controller_dials_a_service_by_plain_http_and_endpoints_as_they_are_written() {
        for (plane, want) in [
            ("{service: {name: admin, port: 9180}}", "http://admin.edge.svc:9180"),
            ("{endpoints: ['https://a.test:9180']}", "https://a.test:9180"),
            (
                "{endpoints: ['https://a.test:9180'], service: {name: admin, port: 9180}}",
                "https://a.test:9180",
            ),
        ] {
            let fragment = read(&format!(
                "apiVersion: apisix.apache.org/v1alpha1\nkind: GatewayProxy\nmetadata: {{name: p, namespace: edge}}\nspec: {{provider: {{type: ControlPlane, controlPlane: {plane}}}}}\n"
            ));
            let endpoints = &fragment.proxies.first().unwrap().endpoints;
            assert_eq!(endpoints.iter().map(|url| url.value.as_str()).collect::<Vec<_>>(), [want]);
        }
    }
}
