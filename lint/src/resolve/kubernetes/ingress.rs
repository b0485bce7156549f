//! Ingresses of ingress-nginx with the Secrets that their annotations name; the Admin APIs that APISIX's controller dials.

use super::cluster::Cluster;
use super::stores::{Store, Stores};
use crate::deployment::{
    ControlPlane, FileRef, ListenerPurpose, Lookup, Missing, NamedSecret, NginxIngress, Program, ProgramId,
    ProgramKind, Trust, TrustLoader, Versions,
};
use crate::dialect::apisix::ingress::GatewayProxy;
use crate::dialect::ingress_nginx::{Settings, split_name};
use crate::dialect::kubernetes::Ingress;
use crate::finding::Label;
use crate::source::Located;
use crate::syntax::url::Url;

/// Follows the addresses of GatewayProxies.
pub fn control_planes(
    proxies: &[GatewayProxy],
    cluster: &Cluster,
    programs: &[Program],
) -> Vec<ControlPlane> {
    let of = |proxy: &GatewayProxy, endpoint: &Located<String>| ControlPlane {
        name: proxy.name.value.clone(),
        endpoint: endpoint.clone(),
        verify: proxy.verify.clone(),
        listener: admin_api(proxy, endpoint, cluster, programs).map_or_else(
            || Lookup::Unseen(format!("no Admin API is seen at {}", endpoint.value)),
            Lookup::Found,
        ),
    };
    proxies.iter().flat_map(|proxy| proxy.endpoints.iter().map(move |endpoint| of(proxy, endpoint))).collect()
}

fn admin_api(
    proxy: &GatewayProxy,
    endpoint: &Located<String>,
    cluster: &Cluster,
    programs: &[Program],
) -> Option<(ProgramId, usize)> {
    let url = Url::parse(&endpoint.value).ok()?;
    let port = url.port.unwrap_or(if url.scheme == "http" { 80 } else { 443 });
    let namespace = proxy.namespace.as_deref().unwrap_or("default");
    let Lookup::Found(route) = cluster.resolve_from(&url.host, port, namespace)? else {
        return None;
    };
    let backend = route.backends.first()?;
    programs.iter().enumerate().find_map(|(id, program)| {
        let here = program.kind == ProgramKind::Apisix && backend.machines.contains(&program.machine);
        let listener = program.listeners.iter().position(|listener| {
            listener.purpose == ListenerPurpose::Admin
                && listener.binds.iter().any(|bind| bind.port == backend.port)
        })?;
        here.then_some((id, listener))
    })
}

/// Follows the annotations' references.
pub fn nginx(ingresses: &[Ingress], stores: &Stores, versions: &Versions) -> Vec<NginxIngress> {
    let settings = ingresses.iter().filter_map(Settings::read);
    settings
        .map(|settings| NginxIngress {
            versions: versions.clone(),
            client_secret: settings.client_secret.as_ref().and_then(|name| secret(name, stores)),
            server_secret: settings.server_secret.as_ref().and_then(|name| secret(name, stores)),
            settings,
        })
        .collect()
}

fn secret(named: &Located<String>, stores: &Stores) -> Option<Lookup<NamedSecret>> {
    let (namespace, name) = split_name(&named.value)?;
    Some(stores.secret(namespace, name, true).map(|store| NamedSecret {
        title: store.title.clone(),
        span: store.span,
        authority: FileRef { path: named.clone(), content: store.key("ca.crt"), mode: None },
        has_pair: has(store, "tls.crt") && has(store, "tls.key"),
    }))
}

fn has(store: &Store, key: &str) -> bool {
    !matches!(store.key(key), Lookup::Missing(_))
}

impl NginxIngress {
    /// What clients are verified with; None where they are not, or where it is not seen.
    pub fn client_trust(&self) -> Option<Trust> {
        let secret = self.client_secret.as_ref().filter(|_| self.settings.asks_clients())?.found()?;
        Some(Trust::File { file: secret.authority.clone(), loader: TrustLoader::ClientCaList })
    }

    /// References of its annotations that lead nowhere, each with its own place first. A Secret that nothing here
    /// resembles may well be made by hand: it is told only where one of another namespace or a similar name is seen.
    pub(super) fn missing(&self) -> impl Iterator<Item = Missing> {
        let settings = &self.settings;
        let pairs = [
            (settings.client_secret.as_ref(), self.client_secret.as_ref()),
            (settings.server_secret.as_ref(), self.server_secret.as_ref()),
        ];
        pairs.into_iter().filter_map(|(name, found)| {
            let (Some(name), Some(Lookup::Missing(missing))) = (name, found) else { return None };
            let own = Label { span: name.span, message: "named here".to_owned() };
            let labels = std::iter::once(own).chain(missing.labels.iter().cloned()).collect();
            (!missing.labels.is_empty()).then(|| Missing { labels, ..missing.clone() })
        })
    }
}
