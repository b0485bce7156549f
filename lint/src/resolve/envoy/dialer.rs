//! Clusters → dialers, one for each endpoint and Host header.

use super::routes::{Table, UpstreamHost};
use super::{Loader, shown};
use crate::deployment::{
    Dialer, DialerPurpose, Lookup, Program, Refusal, RouteMatch, Speaks, Target, Versions,
};
use crate::dialect::envoy::{
    Cluster, ClusterEndpoint, ConfigSource, Discovery, EnvoyConfig, TransportSocket,
};
use crate::syntax::url::bracketed;

/// One way from a cluster to one of its endpoints.
#[derive(Clone, Copy)]
pub(super) struct Hop<'c> {
    /// All of the configuration.
    pub config: &'c EnvoyConfig,
    /// The cluster.
    pub cluster: &'c Cluster,
    /// Its endpoint.
    pub endpoint: &'c ClusterEndpoint,
    /// The Host header of the requests.
    pub host: &'c UpstreamHost,
}

impl Loader<'_, '_, '_> {
    /// Adds a dialer for each endpoint of each cluster; the first `fixed` clusters are static.
    pub(super) fn dialers(&mut self, config: &EnvoyConfig, fixed: usize, program: &mut Program) {
        let mut table = Table::default();
        for (index, listener) in config.listeners.iter().enumerate() {
            for chain in listener.chains() {
                table.add_chain(index, chain);
            }
        }
        for (index, cluster) in config.clusters.iter().enumerate() {
            let name = cluster.name.as_ref().map_or("", |name| name.value.as_str());
            let mut uses: Vec<(UpstreamHost, Vec<RouteMatch>)> = table
                .routes
                .iter()
                .filter(|((to, _), _)| to == name)
                .map(|((_, host), routes)| (host.clone(), routes.clone()))
                .collect();
            if uses.is_empty() {
                // authorization, tracing, discovery: it dials for itself, unless routes may come from elsewhere
                let host = match config.listener_discovery {
                    Some(ConfigSource::Remote(_)) => UpstreamHost::Unknown,
                    _ => UpstreamHost::Stream,
                };
                uses.push((host, Vec::new()));
            }
            if cluster.endpoints.is_empty() {
                program.dialers.extend(self.unseen_dialer(cluster, &uses));
            }
            for endpoint in &cluster.endpoints {
                for (host, routes) in &uses {
                    let mut fatal = Vec::new();
                    let hop = Hop { config, cluster, endpoint, host };
                    if let Some(mut dialer) = self.dialer(&hop, routes, &program.versions, &mut fatal) {
                        let refusals =
                            if index < fixed { &mut program.refusals } else { &mut dialer.refusals };
                        for refusal in fatal {
                            // endpoints of one cluster share its settings
                            if !refusals.contains(&refusal) {
                                refusals.push(refusal);
                            }
                        }
                        program.dialers.push(dialer);
                    }
                }
            }
        }
        program.answers = table.answers;
    }

    /// A dialer that stands for endpoints outside the sources.
    fn unseen_dialer(
        &mut self,
        cluster: &Cluster,
        uses: &[(UpstreamHost, Vec<RouteMatch>)],
    ) -> Option<Dialer> {
        let name = cluster.name.clone()?;
        let why = match &cluster.discovery {
            Discovery::Eds { source: Some(ConfigSource::Remote(_)), .. } => {
                format!("a management server tells where the cluster {} leads", name.value)
            }
            Discovery::Eds { source: Some(source), .. } => match self.fetch(source) {
                Lookup::Unseen(why) => format!("where cluster {} leads is not seen: {why}", name.value),
                _ => return None,
            },
            Discovery::Other(kind) => {
                format!("the endpoints of the cluster {} are found by {}", name.value, kind.value)
            }
            Discovery::Static | Discovery::Dns { .. } | Discovery::Eds { source: None, .. } => return None,
        };
        let target =
            Target { url: format!("cluster {}", name.value), host: name.clone(), port: 0, connect_to: None };
        Some(Dialer {
            routes: uses.iter().flat_map(|(_, routes)| routes.iter().cloned()).collect(),
            unseen: vec![why],
            ..Dialer::new(DialerPurpose::Upstream, target, cluster.span)
        })
    }

    fn dialer(
        &mut self,
        hop: &Hop<'_>,
        routes: &[RouteMatch],
        versions: &Versions,
        fatal: &mut Vec<Refusal>,
    ) -> Option<Dialer> {
        let Hop { cluster, endpoint, host, .. } = *hop;
        let port = endpoint.address.port?;
        let address = &endpoint.address.host;
        let shown_host = endpoint.hostname.as_ref().unwrap_or(address);
        let target = Target {
            url: String::new(),
            host: shown_host.clone(),
            port,
            connect_to: (shown_host.value != address.value).then(|| (address.value.clone(), port)),
        };
        let mut dialer = Dialer {
            routes: routes.to_vec(),
            speaks: match host {
                UpstreamHost::Stream if !routes.is_empty() => Speaks::Stream,
                _ if cluster.http2 => Speaks::Http2,
                _ => Speaks::Http,
            },
            ..Dialer::new(DialerPurpose::Upstream, target, endpoint.span)
        };
        if cluster.custom_matching.is_some() {
            dialer.unseen.push(format!(
                "the transport socket of cluster {} is chosen by a matcher that is not read",
                shown(cluster.name.as_ref(), cluster.span)
            ));
        }
        match cluster.transport_for(endpoint) {
            TransportSocket::Raw => {}
            TransportSocket::Tls(tls) => {
                dialer.tls = Some(self.client(hop, tls, versions, &mut dialer, fatal));
            }
            TransportSocket::Quic(_) => dialer.unseen.push("the cluster speaks QUIC".to_owned()),
            TransportSocket::StartTls(_) => {
                dialer.unseen.push("the cluster starts without TLS and turns it on when told".to_owned());
            }
            TransportSocket::Other { name, .. } => {
                dialer.unseen.push(format!("the transport socket {} is not read", name.value));
            }
        }
        let scheme = match (dialer.tls.is_some(), dialer.speaks) {
            (true, Speaks::Stream) => "tls",
            (false, Speaks::Stream) => "tcp",
            (true, _) => "https",
            (false, _) => "http",
        };
        let bracketed = bracketed(&shown_host.value);
        dialer.target.url = format!("{scheme}://{bracketed}:{port}");
        Some(dialer)
    }
}
