//! The kubelet as a client: probes over HTTP, HTTPS and gRPC.

use crate::deployment::{
    ClientTls, Dialer, DialerPurpose, KnownFrom, Program, ProgramKind, Protocols, Request, Setting, Speaks,
    Stack, Target, Version, Versions,
};
use crate::dialect::kubernetes::{Container, Pod, ProbeAction};
use crate::source::{Located, Span};

/// The kubelet's dials for one container; None without probes over HTTP or gRPC.
///
/// A dialer dials `127.0.0.1` on the container's machine, which stands for the Pod's address. For HTTPS the kubelet
/// verifies nothing and has no certificate (kubernetes.io, "Configure Liveness, Readiness and Startup Probes").
pub(super) fn program(container: &Container, pod: &Pod, title: &str, machine: usize) -> Option<Program> {
    let mut dialers = Vec::new();
    for probe in &container.probes {
        dialers.extend(match &probe.action {
            ProbeAction::Http { https, host, path, port: Some(port), host_header } => {
                // a probe of another host is no probe of this Pod
                if host.as_ref().is_some_and(|host| host.value != "127.0.0.1" && host.value != "localhost") {
                    continue;
                }
                let Some(number) = port_number(port, container, pod) else { continue };
                let host = host_header.as_ref().map_or("127.0.0.1", |host| host.value.as_str());
                let place = Place { probe: probe.span, port: port.span, number };
                Some(over_http(place, https.as_ref(), path, host))
            }
            // the kubelet's gRPC knows no TLS
            ProbeAction::Grpc(Some(port)) => port_number(port, container, pod).map(|number| {
                let target = target(format!("grpc://127.0.0.1:{number}"), port.span, number);
                Dialer { speaks: Speaks::Http2, ..Dialer::new(DialerPurpose::Probe, target, probe.span) }
            }),
            _ => None,
        });
    }
    if dialers.is_empty() {
        return None;
    }
    let versions = Versions {
        program: Version(1, 33, 0),
        known_from: KnownFrom::Default,
        stack: Stack::Go(Version(1, 24, 0)),
    };
    Some(Program {
        file: Some(container.span.file),
        span: Some(container.name.span),
        dialers,
        ..Program::new(ProgramKind::Kubelet, format!("kubelet, for {title}"), versions, machine)
    })
}

/// Where a probe and its port stand.
struct Place {
    probe: Span,
    port: Span,
    number: u16,
}

fn over_http(place: Place, https: Option<&Located<bool>>, path: &str, host: &str) -> Dialer {
    let secure = https.is_some_and(|https| https.value);
    let scheme = if secure { "https" } else { "http" };
    let written = https.map_or(place.probe, |https| https.span);
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url = format!("{scheme}://127.0.0.1:{}{slash}{path}", place.number);
    Dialer {
        tls: secure.then(|| {
            ClientTls::new(
                Setting::Default { value: false, parent: written },
                Setting::Default { value: Protocols::modern(), parent: written },
                written,
            )
        }),
        request: Some(Request {
            method: "GET".to_owned(),
            host: host.to_owned(),
            path: format!("{slash}{path}"),
            headers: Vec::new(),
            from: None,
        }),
        ..Dialer::new(DialerPurpose::Probe, target(url, place.port, place.number), place.probe)
    }
}

fn target(url: String, place: Span, port: u16) -> Target {
    Target { url, host: Located::new("127.0.0.1".to_owned(), place), port, connect_to: None }
}

/// A port by its number, or by a name that a container of the Pod gives it.
fn port_number(port: &Located<String>, container: &Container, pod: &Pod) -> Option<u16> {
    port.value.parse().ok().or_else(|| {
        let ports = container.ports.iter().chain(pod.containers.iter().flat_map(|other| &other.ports));
        let mut named =
            ports.filter(|other| other.name.as_ref().is_some_and(|name| name.value == port.value));
        named.next().map(|port| port.number.value)
    })
}
