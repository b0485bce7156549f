//! Manifests → workloads.

use super::workload::{
    Container, ContainerPort, EnvironmentSource, EnvironmentValue, EnvironmentVariable, HostAlias, Item,
    KeyReference, Keys, Pod, Probe, ProbeAction, ProbePurpose, Projection, Volume, VolumeMount, VolumeSource,
    Workload,
};
use super::{Metadata, flag, list, pairs, scalar, text, texts};
use crate::source::{Located, Text};
use crate::syntax::yaml::{Kind, Node};

/// Reads a workload; None if it has no Pod spec.
pub(super) fn workload(object: Node<'_>, metadata: Metadata) -> Option<Workload> {
    let kind = object.get("kind")?.as_str()?.to_owned();
    let spec = object.get("spec")?;
    let (holder, pod_metadata) = match kind.as_str() {
        "Pod" => (object, object.get("metadata")),
        "CronJob" => {
            let template = spec.at(&["jobTemplate", "spec", "template"])?;
            (template, template.get("metadata"))
        }
        _ => {
            let template = spec.get("template")?;
            (template, template.get("metadata"))
        }
    };
    let labels = |key: &str| pod_metadata.and_then(|node| node.get(key)).map(pairs).unwrap_or_default();
    let mut pod = pod(holder.get("spec").filter(|spec| spec.kind() == Kind::Mapping)?);
    // a StatefulSet's claims stand before volumes of the same names
    let claims = spec.get("volumeClaimTemplates").into_iter().flat_map(Node::items).filter_map(|claim| {
        let name = text(claim.get("metadata")?, "name")?;
        let source = VolumeSource::Other("volumeClaimTemplates".to_owned());
        Some(Volume { name, source, span: claim.span() })
    });
    pod.volumes.splice(0..0, claims);
    Some(Workload {
        pod_labels: labels("labels"),
        pod_annotations: labels("annotations"),
        replicas: spec.get("replicas").and_then(Node::as_i64),
        first_ordinal: spec.at(&["ordinals", "start"]).and_then(Node::as_i64),
        has_selector: spec.get("selector").is_some(),
        service_name: text(spec, "serviceName"),
        pod,
        kind,
        metadata,
    })
}

fn pod(spec: Node<'_>) -> Pod {
    let each = |key: &str| spec.get(key).into_iter().flat_map(Node::items);
    Pod {
        containers: list(each("containers").map(container)),
        init_containers: list(each("initContainers").map(container)),
        volumes: list(each("volumes").filter_map(volume)),
        host_network: flag(spec, "hostNetwork").unwrap_or(false),
        hostname: text(spec, "hostname"),
        subdomain: text(spec, "subdomain"),
        host_aliases: each("hostAliases")
            .filter_map(|alias| Some(HostAlias { ip: text(alias, "ip")?, names: texts(alias, "hostnames") }))
            .collect(),
        run_as_user: spec.at(&["securityContext", "runAsUser"]).and_then(Node::as_i64),
        fs_group: spec.at(&["securityContext", "fsGroup"]).and_then(Node::as_i64),
        span: spec.span(),
    }
}

fn container(node: Node<'_>) -> Container {
    let each = |key: &str| node.get(key).into_iter().flat_map(Node::items);
    let probes = [
        ("livenessProbe", ProbePurpose::Liveness),
        ("readinessProbe", ProbePurpose::Readiness),
        ("startupProbe", ProbePurpose::Startup),
    ];
    Container {
        name: text(node, "name").unwrap_or_else(|| Located::new(String::new(), node.span())),
        image: text(node, "image"),
        command: texts(node, "command"),
        args: texts(node, "args"),
        scripts: list(["command", "args"].into_iter().flat_map(each).filter_map(script)),
        env: list(each("env").filter_map(variable)),
        env_from: list(each("envFrom").flat_map(environment_sources)),
        ports: list(each("ports").filter_map(container_port)),
        mounts: list(each("volumeMounts").filter_map(mount)),
        probes: list(probes.into_iter().filter_map(|(key, purpose)| {
            let probe = node.get(key)?;
            Some(Probe { purpose, action: action(probe)?, span: probe.span() })
        })),
        has_hooks: node.get("lifecycle").is_some(),
        restarts: node.get("restartPolicy").and_then(Node::as_str) == Some("Always"),
        run_as_user: node.at(&["securityContext", "runAsUser"]).and_then(Node::as_i64),
        span: node.span(),
    }
}

/// A word with blanks in it, which a shell may be given to run.
fn script(node: Node<'_>) -> Option<Located<Text>> {
    let written = node.as_str().filter(|word| word.trim().contains([' ', '\n', '\t']))?;
    node.text().filter(|text| text.bytes() == written.as_bytes()).map(|text| Located::new(text, node.span()))
}

fn variable(node: Node<'_>) -> Option<EnvironmentVariable> {
    let name = text(node, "name")?;
    let reference = |node: Node<'_>| {
        Some(KeyReference {
            name: text(node, "name")?,
            key: text(node, "key")?,
            optional: flag(node, "optional").unwrap_or(false),
        })
    };
    let value = match (node.get("valueFrom"), node.get("value")) {
        (Some(from), _) if from.kind() == Kind::Mapping => {
            let (kind, source) = from.entries().next()?;
            let other = || Located::new(kind.as_str().unwrap_or_default().to_owned(), from.span());
            match kind.as_str()? {
                "secretKeyRef" => EnvironmentValue::SecretKey(reference(source)?),
                "configMapKeyRef" => EnvironmentValue::ConfigMapKey(reference(source)?),
                "fieldRef" => text(source, "fieldPath")
                    .map_or_else(|| EnvironmentValue::Other(other()), EnvironmentValue::Field),
                _ => EnvironmentValue::Other(other()),
            }
        }
        (_, Some(value)) => {
            EnvironmentValue::Text(scalar(value).unwrap_or_else(|| Located::new(String::new(), value.span())))
        }
        _ => EnvironmentValue::Text(Located::new(String::new(), name.span)),
    };
    Some(EnvironmentVariable { name, value })
}

fn environment_sources(node: Node<'_>) -> Vec<EnvironmentSource> {
    let prefix = node.get("prefix").and_then(Node::as_str).unwrap_or_default();
    [("secretRef", true), ("configMapRef", false)]
        .into_iter()
        .filter_map(|(key, secret)| {
            let source = node.get(key)?;
            Some(EnvironmentSource {
                prefix: prefix.to_owned(),
                secret,
                name: text(source, "name")?,
                optional: flag(source, "optional").unwrap_or(false),
            })
        })
        .collect()
}

fn container_port(node: Node<'_>) -> Option<ContainerPort> {
    let number = node.get("containerPort")?;
    Some(ContainerPort {
        name: text(node, "name"),
        number: Located::new(u16::try_from(number.as_i64()?).ok()?, number.span()),
        host_port: node.get("hostPort").and_then(Node::as_i64).and_then(|port| u16::try_from(port).ok()),
        tcp: node.get("protocol").and_then(Node::as_str).is_none_or(|protocol| protocol == "TCP"),
    })
}

fn mount(node: Node<'_>) -> Option<VolumeMount> {
    Some(VolumeMount {
        volume: text(node, "name")?,
        path: text(node, "mountPath")?,
        sub_path: text(node, "subPath").filter(|path| !path.value.is_empty()),
        sub_path_expr: text(node, "subPathExpr").filter(|path| !path.value.is_empty()),
        span: node.span(),
    })
}

fn volume(node: Node<'_>) -> Option<Volume> {
    let name = text(node, "name")?;
    let source = node.entries().find(|(key, _)| key.as_str().is_some_and(|key| key != "name"));
    let source = match source.and_then(|(key, value)| Some((key.as_str()?, value))) {
        Some(("secret", source)) => VolumeSource::Secret(keys(source, "secretName")),
        Some(("configMap", source)) => VolumeSource::ConfigMap(keys(source, "name")),
        Some(("projected", source)) => VolumeSource::Projected {
            sources: source.get("sources").into_iter().flat_map(Node::items).flat_map(projections).collect(),
            mode: mode(source, "defaultMode"),
        },
        Some(("csi", source))
            if source.get("driver").and_then(Node::as_str) == Some("csi.cert-manager.io") =>
        {
            let attributes = source.get("volumeAttributes").map(pairs).unwrap_or_default();
            VolumeSource::CertManager { attributes }
        }
        Some(("csi", source)) => {
            let driver = source.get("driver").and_then(Node::as_str).unwrap_or("unknown");
            VolumeSource::Other(format!("csi driver {driver}"))
        }
        // a volume of no kind is an emptyDir
        None | Some(("emptyDir", _)) => VolumeSource::EmptyDir,
        Some(("hostPath", source)) => match text(source, "path") {
            Some(path) => VolumeSource::HostPath(path),
            None => VolumeSource::Other("hostPath".to_owned()),
        },
        Some((kind, _)) => VolumeSource::Other(kind.to_owned()),
    };
    Some(Volume { name, source, span: node.span() })
}

fn keys(node: Node<'_>, name: &str) -> Keys {
    Keys {
        name: text(node, name),
        items: node.get("items").filter(|items| items.kind() == Kind::Sequence).map(|items| {
            let item = |node: Node<'_>| {
                Some(Item { key: text(node, "key")?, path: text(node, "path")?, mode: mode(node, "mode") })
            };
            list(items.items().filter_map(item))
        }),
        optional: flag(node, "optional").unwrap_or(false),
        mode: mode(node, "defaultMode"),
        mode_place: node.get("defaultMode").map(Node::span),
        span: node.span(),
    }
}

fn mode(node: Node<'_>, key: &str) -> Option<u32> {
    node.get(key).and_then(Node::as_i64).and_then(|mode| u32::try_from(mode).ok())
}

fn projections(node: Node<'_>) -> Vec<Projection> {
    let one = |(key, source): (Node<'_>, Node<'_>)| {
        let kind = key.as_str()?;
        Some(match kind {
            "secret" => Projection::Secret(keys(source, "name")),
            "configMap" => Projection::ConfigMap(keys(source, "name")),
            _ => {
                let items = source.get("items").into_iter().flat_map(Node::items);
                let mut paths: Vec<String> =
                    items.filter_map(|item| text(item, "path")).map(|path| path.value).collect();
                paths.extend(text(source, "path").map(|path| path.value));
                Projection::Written { paths, kind: kind.to_owned() }
            }
        })
    };
    node.entries().filter_map(one).collect()
}

fn action(probe: Node<'_>) -> Option<ProbeAction> {
    if let Some(http) = probe.get("httpGet") {
        let header = |node: &Node<'_>| {
            node.get("name").and_then(Node::as_str).is_some_and(|name| name.eq_ignore_ascii_case("host"))
        };
        let headers = http.get("httpHeaders").into_iter().flat_map(Node::items);
        return Some(ProbeAction::Http {
            https: text(http, "scheme").map(|scheme| scheme.map(|scheme| scheme == "HTTPS")),
            host: text(http, "host").filter(|host| !host.value.is_empty()),
            path: http.get("path").and_then(Node::as_str).unwrap_or("/").to_owned(),
            port: text(http, "port"),
            host_header: headers.filter(header).find_map(|node| text(node, "value")),
        });
    }
    if let Some(tcp) = probe.get("tcpSocket") {
        return Some(ProbeAction::Tcp(text(tcp, "port")));
    }
    if let Some(grpc) = probe.get("grpc") {
        return Some(ProbeAction::Grpc(text(grpc, "port")));
    }
    let exec = probe.get("exec")?;
    let words = exec.get("command").into_iter().flat_map(Node::items);
    Some(ProbeAction::Exec { command: texts(exec, "command"), scripts: list(words.filter_map(script)) })
}
