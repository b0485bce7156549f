//! The kubelet as a client: probes over HTTP and HTTPS.

use crate::deployment::{
    ClientTls, Dialer, DialerPurpose, KnownFrom, Program, ProgramKind, Protocols, Request, Setting, Stack,
    Target, Version, Versions,
};
use crate::dialect::kubernetes::{Container, Pod, ProbeAction};
use crate::source::Located;

/// The kubelet's dials for one container; None without probes over HTTP.
///
/// A dialer dials `127.0.0.1` on the container's machine, which stands for the Pod's address. For HTTPS the kubelet
/// verifies nothing and has no certificate (kubernetes.io, "Configure Liveness, Readiness and Startup Probes").
pub(super) fn program(container: &Container, pod: &Pod, title: &str, machine: usize) -> Option<Program> {
    let mut dialers = Vec::new();
    for probe in &container.probes {
        let ProbeAction::Http { https, host, path, port: Some(port), host_header } = &probe.action else {
            continue;
        };
        // a probe of another host is no probe of this Pod
        if host.as_ref().is_some_and(|host| host.value != "127.0.0.1" && host.value != "localhost") {
            continue;
        }
        let number = port.value.parse().ok().or_else(|| {
            let ports = container.ports.iter().chain(pod.containers.iter().flat_map(|other| &other.ports));
            let mut named =
                ports.filter(|other| other.name.as_ref().is_some_and(|name| name.value == port.value));
            named.next().map(|port| port.number.value)
        });
        let Some(number) = number else { continue };
        let secure = https.as_ref().is_some_and(|https| https.value);
        let scheme = if secure { "https" } else { "http" };
        let place = https.as_ref().map_or(probe.span, |https| https.span);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let target = Target {
            url: format!("{scheme}://127.0.0.1:{number}{slash}{path}"),
            host: Located::new("127.0.0.1".to_owned(), port.span),
            port: number,
            connect_to: None,
        };
        dialers.push(Dialer {
            tls: secure.then(|| {
                ClientTls::new(
                    Setting::Default { value: false, parent: place },
                    Setting::Default { value: Protocols::modern(), parent: place },
                    place,
                )
            }),
            request: Some(Request {
                method: "GET".to_owned(),
                host: host_header.as_ref().map_or_else(|| "127.0.0.1".to_owned(), |host| host.value.clone()),
                path: format!("{slash}{path}"),
                headers: Vec::new(),
                from: None,
            }),
            ..Dialer::new(DialerPurpose::Probe, target, probe.span)
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
