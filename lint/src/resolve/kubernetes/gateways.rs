//! What the Gateway API refuses, or leads to nothing: references of Gateways and BackendTLSPolicies followed.
//!
//! Sources: the validation rules in the API types (`apis/v1`, CEL), and what their documentation demands of every
//! implementation. An object that is not among the sources is never missing here: controllers make many of them.

use crate::deployment::Refusal;
use crate::dialect::cert_manager::Certificate;
use crate::dialect::gateway_api::{BackendPolicy, Fragment, Gateway, Reference};
use crate::dialect::kubernetes;
use crate::finding::Label;
use crate::source::{Located, Span};

/// Every mistake, with the rule that names it.
pub(super) fn refusals(
    own: &kubernetes::Fragment,
    routes: &Fragment,
    certificates: &[Certificate],
) -> Vec<Refusal> {
    let own = &Objects { own, certificates };
    let mut found = Vec::new();
    for gateway in &routes.gateways {
        let name = format!("Gateway {}", gateway.metadata.path());
        for reference in &gateway.client_certificate {
            kind(reference, &["Secret"], "Secret", &name, &mut found);
            granted(reference, "Secret", gateway, own, routes, &mut found);
        }
        listeners(gateway, own, routes, &mut found);
        validations(gateway, own, routes, &mut found);
    }
    for policy in &routes.policies {
        backend(policy, own, &mut found);
    }
    found
}

/// The objects that references lead to.
struct Objects<'o> {
    own: &'o kubernetes::Fragment,
    certificates: &'o [Certificate],
}

impl std::ops::Deref for Objects<'_> {
    type Target = kubernetes::Fragment;

    fn deref(&self) -> &kubernetes::Fragment {
        self.own
    }
}

fn refuse(
    found: &mut Vec<Refusal>,
    rule: &'static str,
    message: String,
    places: Vec<(Span, String)>,
    log: &str,
) {
    let labels = places.into_iter().map(|(span, message)| Label { span, message }).collect();
    found.push(Refusal { rule, message, labels, help: None, log: Some(log.to_owned()) });
}

fn listeners(gateway: &Gateway, own: &Objects<'_>, routes: &Fragment, found: &mut Vec<Refusal>) {
    let name = format!("Gateway {}", gateway.metadata.path());
    for listener in &gateway.listeners {
        let (Some(protocol), Some(tls)) = (&listener.protocol, &listener.tls) else { continue };
        let mode = tls.mode.as_ref().map_or("Terminate", |mode| mode.value.as_str());
        let plain = matches!(protocol.value.as_str(), "HTTP" | "TCP" | "UDP");
        if plain {
            let message = format!("{name} has a listener of protocol {} with tls", protocol.value);
            let places = vec![
                (tls.span, "only HTTPS and TLS have it".to_owned()),
                (protocol.span, "this protocol has none".to_owned()),
            ];
            let log = "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']";
            refuse(found, "conflicting-listener-protocol", message, places, log);
        } else if protocol.value == "HTTPS" && mode == "Passthrough" {
            let message = format!("{name} has a listener of protocol HTTPS that passes TLS through");
            let places = vec![
                (tls.mode.as_ref().map_or(tls.span, |mode| mode.span), "TLS ends elsewhere".to_owned()),
                (protocol.span, "HTTPS ends at the Gateway".to_owned()),
            ];
            let log = "tls mode must be Terminate for protocol HTTPS";
            refuse(found, "conflicting-listener-protocol", message, places, log);
        } else if mode == "Terminate" && tls.certificates.is_empty() && !tls.has_options {
            let message = format!("{name} has a listener that ends TLS and has no certificate");
            let places = vec![(tls.span, "has no certificateRefs".to_owned())];
            let log = "certificateRefs or options must be specified when mode is Terminate";
            refuse(found, "listener-without-certificate", message, places, log);
        }
        if let Some(span) = tls.frontend_validation {
            let message = format!(
                "{name} verifies clients by frontendValidation of a listener, which moved to spec.tls.frontend"
            );
            let places = vec![(span, "dropped where the field is not known".to_owned())];
            refuse(
                found,
                "misplaced-frontend-validation",
                message,
                places,
                "unknown field \"frontendValidation\"",
            );
        }
        for reference in &tls.certificates {
            kind(reference, &["Secret"], "Secret", &name, found);
            granted(reference, "Secret", gateway, own, routes, found);
        }
    }
}

fn validations(gateway: &Gateway, own: &Objects<'_>, routes: &Fragment, found: &mut Vec<Refusal>) {
    let name = format!("Gateway {}", gateway.metadata.path());
    for validation in &gateway.validations {
        if validation.authorities.is_empty() {
            let message = format!("{name} verifies clients and names no CA for them");
            let places = vec![(validation.span, "has no caCertificateRefs".to_owned())];
            let log = "caCertificateRefs in body should have at least 1 items";
            refuse(found, "frontend-validation-without-ca", message, places, log);
        }
        if let Some(mode) = validation.mode.as_ref().filter(|mode| mode.value == "AllowInsecureFallback") {
            let message =
                format!("{name} lets in clients without a certificate, and with one that nobody trusts");
            let places = vec![(mode.span, "whatever comes passes".to_owned())];
            refuse(found, "insecure-client-fallback", message, places, "");
        }
        // listeners may be added by a ListenerSet
        let sets = gateway.allows_listeners
            || own.others.iter().any(|other| matches!(other.kind.as_str(), "ListenerSet" | "XListenerSet"));
        if let Some(port) = validation.port.as_ref().filter(|_| !sets)
            && gateway.listeners.iter().all(|listener| listener.port != Some(port.value))
        {
            let message = format!("{name} verifies clients on port {}, where no listener is", port.value);
            let places = vec![(port.span, "no listener has this port".to_owned())];
            refuse(found, "unused-frontend-validation", message, places, "");
        }
        for reference in &validation.authorities {
            kind(reference, &["ConfigMap", "Secret"], "", &name, found);
            granted(reference, "ConfigMap", gateway, own, routes, found);
            let namespace =
                reference.namespace.as_ref().map_or(gateway.metadata.namespace(), |n| n.value.as_str());
            authority(reference, namespace, own, found);
        }
    }
}

fn backend(policy: &BackendPolicy, own: &Objects<'_>, found: &mut Vec<Refusal>) {
    let name = format!("BackendTLSPolicy {}", policy.metadata.path());
    let place = policy.validation.unwrap_or(policy.metadata.name.span);
    match (policy.authorities.first(), &policy.well_known) {
        (None, None) => {
            let message = format!("{name} verifies the backend and trusts nobody");
            let fields = policy.fields;
            let neither = format!("neither {} nor {} is given", fields.authorities, fields.well_known);
            let places = vec![(place, neither)];
            refuse(found, "backend-policy-without-trust", message, places, fields.neither);
        }
        (Some(first), Some(system)) => {
            let message = format!("{name} names a CA of its own and the system's besides");
            let places = vec![
                (system.span, "the public CAs".to_owned()),
                (first.name.span, "and a CA of its own".to_owned()),
            ];
            let log = "must not contain both CACertificateRefs and WellKnownCACertificates";
            refuse(found, "conflicting-backend-trust", message, places, log);
        }
        _ => {}
    }
    match &policy.hostname {
        None => {
            let message = format!("{name} does not say which name the backend's certificate must bear");
            let places = vec![(place, "has no hostname".to_owned())];
            let log = format!("spec.{}.hostname: Required value", policy.fields.validation);
            refuse(found, "backend-policy-without-hostname", message, places, &log);
        }
        Some(host) if host.value.contains('*') || host.value.parse::<std::net::IpAddr>().is_ok() => {
            let message =
                format!("{name} demands the name {}, and a precise host name is wanted", host.value);
            let places = vec![(host.span, "no pattern and no address".to_owned())];
            let log = format!("spec.{}.hostname in body should match", policy.fields.validation);
            refuse(found, "backend-policy-without-hostname", message, places, &log);
        }
        Some(_) => {}
    }
    for reference in &policy.authorities {
        kind(reference, &["ConfigMap", "Secret"], "", &name, found);
        authority(reference, policy.metadata.namespace(), own, found);
    }
    for target in &policy.targets {
        target_port(target, policy, &name, own, found);
    }
}

/// A policy for one port of a Service that has no port of that name applies to nothing.
fn target_port(
    target: &Reference,
    policy: &BackendPolicy,
    name: &str,
    own: &Objects<'_>,
    found: &mut Vec<Refusal>,
) {
    let named =
        |kind: &Option<Located<String>>, word: &str| kind.as_ref().is_some_and(|kind| kind.value == word);
    let core = target.group.as_ref().is_none_or(|group| group.value.is_empty());
    let Some(section) = target.section.as_ref().filter(|_| core && named(&target.kind, "Service")) else {
        return;
    };
    let mut services = own.services.iter();
    let Some(service) = services.find(|service| {
        service.metadata.namespace() == policy.metadata.namespace()
            && service.metadata.name.value == target.name.value
    }) else {
        return;
    };
    let ports: Vec<&str> =
        service.ports.iter().filter_map(|port| port.name.as_ref()).map(|name| name.value.as_str()).collect();
    if ports.contains(&section.value.as_str()) {
        return;
    }
    let has = if ports.is_empty() { "no named port".to_owned() } else { ports.join(", ") };
    let message =
        format!("{name} is for port {} of Service {}, which has {has}", section.value, target.name.value);
    let places = vec![
        (section.span, "no port has this name".to_owned()),
        (service.metadata.name.span, format!("has {has}")),
    ];
    refuse(found, "unattached-backend-policy", message, places, "TargetNotFound");
}

/// A kind of Kubernetes' own that holds no certificate, or a group that it is not in.
fn kind(reference: &Reference, fit: &[&str], default: &str, name: &str, found: &mut Vec<Refusal>) {
    let kind = reference.kind.as_ref().map_or(default, |kind| kind.value.as_str());
    let group = reference.group.as_ref().map_or("", |group| group.value.as_str());
    let place = |located: &Option<Located<String>>| located.as_ref().map_or(reference.name.span, |l| l.span);
    let wanted = fit.join(" or a ");
    if group.is_empty() && !kind.is_empty() && !fit.contains(&kind) {
        let message = format!(
            "{name} takes a certificate from {kind} {}, and a {wanted} is wanted",
            reference.name.value
        );
        let places = vec![(place(&reference.kind), "holds no certificate for a Gateway".to_owned())];
        refuse(found, "unsupported-certificate-reference", message, places, "InvalidKind");
    // Kong takes core for the core group
    } else if matches!(group, "v1" | "core/v1") && matches!(kind, "Secret" | "ConfigMap") {
        let message = format!("{name} looks for {kind} {} in the group {group}", reference.name.value);
        let places = vec![(place(&reference.group), "the core group is written as \"\"".to_owned())];
        refuse(found, "unsupported-certificate-reference", message, places, "InvalidKind");
    }
}

/// A ConfigMap or Secret that is among the sources and has no `ca.crt`.
fn authority(reference: &Reference, namespace: &str, own: &Objects<'_>, found: &mut Vec<Refusal>) {
    let is = |metadata: &kubernetes::Metadata| {
        metadata.namespace() == namespace && metadata.name.value == reference.name.value
    };
    let kind = reference.kind.as_ref().map_or("", |kind| kind.value.as_str());
    let store = match kind {
        "ConfigMap" => {
            own.config_maps.iter().find(|map| is(&map.metadata)).map(|map| (&map.metadata, &map.data))
        }
        "Secret" => own
            .secrets
            .iter()
            .find(|secret| is(&secret.metadata))
            .map(|secret| (&secret.metadata, &secret.data)),
        _ => None,
    };
    let Some((metadata, data)) = store else { return };
    // an object with an owner is filled by it (trust-manager, cert-manager's injector), and where there is one key some
    // implementations take that
    let filled = kind == "Secret"
        && own.certificates.iter().any(|certificate| {
            certificate.metadata.namespace() == namespace
                && certificate.secret_name.as_ref().is_some_and(|name| name.value == reference.name.value)
        });
    if data.iter().any(|datum| datum.key.value == "ca.crt") || data.len() < 2 || filled {
        return;
    }
    let has: Vec<&str> = data.iter().map(|datum| datum.key.value.as_str()).collect();
    let has = has.join(", ");
    let message = format!(
        "{kind} {} has no key ca.crt, from which a Gateway takes the CA; it has {has}",
        metadata.path()
    );
    let places = vec![
        (reference.name.span, "the CA is taken from here".to_owned()),
        (metadata.name.span, format!("has {has}")),
    ];
    refuse(found, "missing-key", message, places, "InvalidCACertificateRef");
}

/// Whether the other namespace lets a Gateway refer to its object; said only where that object is among the sources.
fn granted(
    reference: &Reference,
    default: &str,
    gateway: &Gateway,
    own: &Objects<'_>,
    routes: &Fragment,
    found: &mut Vec<Refusal>,
) {
    let Some(namespace) = &reference.namespace else { return };
    let home = gateway.metadata.namespace();
    if namespace.value == home || gateway.metadata.namespace.is_none() {
        return;
    }
    let kind = reference.kind.as_ref().map_or(default, |kind| kind.value.as_str());
    let is = |metadata: &kubernetes::Metadata| {
        metadata.namespace.as_ref().is_some_and(|n| n.value == namespace.value)
            && metadata.name.value == reference.name.value
    };
    let seen = match kind {
        "ConfigMap" => own.config_maps.iter().map(|map| &map.metadata).find(|metadata| is(metadata)),
        "Secret" => own.secrets.iter().map(|secret| &secret.metadata).find(|metadata| is(metadata)),
        _ => None,
    };
    let open = routes.grants.iter().any(|grant| {
        grant.namespace == namespace.value
            && grant.from.iter().any(|(from, space)| from == "Gateway" && space == home)
            && grant.to.iter().any(|(to, name)| {
                to == kind && name.as_ref().is_none_or(|name| *name == reference.name.value)
            })
    });
    let Some(object) = seen.filter(|_| !open) else { return };
    let message = format!(
        "Gateway {} takes {kind} {} from namespace {}, which does not allow it",
        gateway.metadata.path(),
        reference.name.value,
        namespace.value
    );
    let places = vec![
        (namespace.span, "another namespace, without a ReferenceGrant".to_owned()),
        (object.name.span, "lies here".to_owned()),
    ];
    refuse(found, "missing-reference-grant", message, places, "RefNotPermitted");
}
