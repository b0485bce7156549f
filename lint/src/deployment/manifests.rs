//! What Kubernetes manifests say beyond programs, references followed.

use std::collections::BTreeMap;

use super::{FileRef, Lookup, Missing, ProgramId, Refusal, Versions};
use crate::dialect::ingress_nginx::Settings;
use crate::dialect::{cert_manager, kubernetes};
use crate::source::{FileId, Located, Span};

/// What manifests say beyond programs, for the rules of Kubernetes and cert-manager.
#[derive(Debug, Clone, Default)]
pub struct ManifestFacts {
    /// Pods and what makes Pods.
    pub workloads: Vec<kubernetes::Workload>,
    /// Ingresses.
    pub ingresses: Vec<kubernetes::Ingress>,
    /// Those that ingress-nginx serves, with the Secrets that their annotations name.
    pub nginx_ingresses: Vec<NginxIngress>,
    /// Certificates; the first of [`Deployment::planned`](super::Deployment::planned) are theirs, in the same order.
    pub certificates: Vec<cert_manager::Certificate>,
    /// Issuers and ClusterIssuers.
    pub issuers: Vec<cert_manager::Issuer>,
    /// The namespace in which cert-manager looks for the Secrets of ClusterIssuers.
    pub cluster_resources: String,
    /// Where ingress controllers of APISIX send configuration.
    pub control_planes: Vec<ControlPlane>,
    /// Ports of machines to which a Service leads, in the order of machines and ports, each once.
    pub exposed: Vec<((usize, u16), ExposedPort)>,
    /// References of an ingress controller's objects that lead nowhere: what names them comes first among the labels.
    pub missing: Vec<Missing>,
    /// Secrets, ConfigMaps and their keys that Pods name in vain: the place where they do comes first among the labels.
    pub lost: Vec<Missing>,
    /// Values that no output may show: those of Secrets, private keys, passwords in environments.
    pub secrets: Vec<Span>,
    /// Secrets as they are written.
    pub stored: Vec<kubernetes::Secret>,
    /// ConfigMaps as they are written.
    pub config_maps: Vec<kubernetes::ConfigMap>,
    /// The names of trust-manager's Bundles: it distributes trust.
    pub bundles: Vec<Located<String>>,
    /// Objects of API versions that are no longer served.
    pub retired: Vec<kubernetes::Retired>,
    /// Certificates whose CA cert-manager writes into webhooks, as `NAMESPACE/NAME`.
    pub injected: Vec<String>,
    /// Files that one kustomization puts together, each with the kustomization's own file.
    pub roots: BTreeMap<FileId, FileId>,
    /// What the API server, a webhook or a controller refuses of the objects.
    pub refusals: Vec<Refusal>,
}

impl ManifestFacts {
    /// The Service that leads to a port of a machine.
    pub fn exposed_at(&self, machine: usize, port: u16) -> Option<&ExposedPort> {
        let wanted = (machine, port);
        let at = self.exposed.partition_point(|(place, _)| *place < wanted);
        self.exposed.get(at).filter(|(place, _)| *place == wanted).map(|(_, exposed)| exposed)
    }

    /// The Certificate that fills the Secret with which a CA issuer signs, if it is among the sources.
    pub fn authority_of(&self, issuer: &cert_manager::Issuer) -> Option<&cert_manager::Certificate> {
        let cert_manager::IssuerSource::Ca { secret: Some(secret) } = &issuer.source else { return None };
        let namespace =
            if issuer.cluster { self.cluster_resources.as_str() } else { issuer.metadata.namespace() };
        self.certificates.iter().find(|certificate| {
            certificate.metadata.namespace() == namespace
                && certificate.secret_name.as_ref().is_some_and(|name| name.value == secret.value)
        })
    }
}

/// An Ingress that ingress-nginx serves.
#[derive(Debug, Clone)]
pub struct NginxIngress {
    /// What its annotations ask for.
    pub settings: Settings,
    /// The nginx within, and its OpenSSL.
    pub versions: Versions,
    /// The Secret of `auth-tls-secret`, where it is named as it should be.
    pub client_secret: Option<Lookup<NamedSecret>>,
    /// The Secret of `proxy-ssl-secret`, likewise.
    pub server_secret: Option<Lookup<NamedSecret>>,
}

/// A Secret that an annotation names.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    /// `Secret edge/clients-ca`.
    pub title: String,
    /// Where it (or the Certificate that fills it) is named.
    pub span: Span,
    /// `ca.crt`, as nginx loads it.
    pub authority: FileRef,
    /// It has `tls.crt` and `tls.key`.
    pub has_pair: bool,
}

/// A Service's port that leads to a Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposedPort {
    /// The Service's name.
    pub service: String,
    /// The Service's port.
    pub port: Located<u16>,
}

/// An address to which an ingress controller of APISIX sends configuration.
#[derive(Debug, Clone)]
pub struct ControlPlane {
    /// `GatewayProxy edge/apisix`.
    pub name: String,
    /// The URL; that of a Service is plain HTTP.
    pub endpoint: Located<String>,
    /// `tlsVerify`.
    pub verify: Option<Located<bool>>,
    /// The Admin API at which it leads.
    pub listener: Lookup<(ProgramId, usize)>,
}
