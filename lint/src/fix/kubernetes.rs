//! Kubernetes: volumes, ports and names.

use super::edit::{lines, replace, yaml};
use super::site::Site;
use super::{fix, nearest};
use crate::finding::Fix;
use crate::source::Span;
use crate::syntax::yaml::Node;

/// The only volume of the Pod that nothing mounts.
pub fn correct_volume(site: &Site<'_>) -> Option<Fix> {
    let span = site.finding.labels.iter().find(|label| label.message == "no volume has this name")?.span;
    let name = site.in_yaml(span, |path| {
        let pod = path.iter().rev().find_map(|node| pod(*node))?;
        let mounted: Vec<&str> = containers(pod)
            .flat_map(|container| container.get("volumeMounts").into_iter().flat_map(Node::items))
            .filter_map(|mount| mount.get("name")?.as_str())
            .collect();
        let names = pod.get("volumes")?.items().filter_map(|volume| volume.get("name")?.as_str());
        let mut free = names.filter(|name| !mounted.contains(name));
        let first = free.next()?;
        free.next().is_none().then(|| first.to_owned())
    })?;
    fix(format!("mount the volume {name}"), [replace(span, name)])
}

/// The port of the Pods behind a Service that is meant: the only one with a name, or the only one like it.
pub fn correct_target_port(site: &Site<'_>) -> Option<Fix> {
    let written = site.written(site.span)?;
    let pods = site.finding.labels.iter().skip(1);
    let names: Option<Vec<String>> = pods
        .map(|label| {
            site.in_yaml(label.span, |path| {
                let pod = path.iter().rev().find_map(|node| pod(*node))?;
                let ports = containers(pod)
                    .flat_map(|container| container.get("ports").into_iter().flat_map(Node::items));
                let names: Vec<Option<&str>> = ports.map(|port| port.get("name")?.as_str()).collect();
                match names.as_slice() {
                    [only] => only.map(str::to_owned),
                    names => nearest(written, names.iter().flatten().copied()).map(str::to_owned),
                }
            })
        })
        .collect();
    let mut names = names?;
    names.dedup();
    let [name] = names.as_slice() else { return None };
    fix(format!("write targetPort: {name}"), [replace(site.span, name.clone())])
}

/// The name of a Secret or ConfigMap that is one slip away from the only one like it in its namespace.
pub fn correct_reference(site: &Site<'_>) -> Option<Fix> {
    let kind = if site.finding.rule == "missing-secret" { "Secret" } else { "ConfigMap" };
    let ends = [format!("this {kind} is mounted"), " signs with it".to_owned()];
    let mut labels = site.finding.labels.iter();
    let span = labels.find(|label| ends.iter().any(|end| label.message.ends_with(end.as_str())))?.span;
    let written = site.written(span)?;
    let namespace = site.in_yaml(span, namespace)?;
    let mut names = Vec::new();
    site.each_resource(|resource| {
        let here = namespace == self::namespace(&[resource]).unwrap_or_default();
        let name = match resource.get("kind").and_then(Node::as_str) {
            Some(own) if own == kind => resource.at(&["metadata", "name"]),
            Some("Certificate") if kind == "Secret" => resource.at(&["spec", "secretName"]),
            _ => None,
        };
        names.extend(name.and_then(Node::as_str).filter(|_| here).map(str::to_owned));
    });
    let name = nearest(written, names.iter().map(String::as_str))?;
    fix(format!("write {name}"), [replace(span, name)])
}

/// A key of a Secret or ConfigMap that is one slip away from the only one like it that is there.
pub fn correct_key(site: &Site<'_>) -> Option<Fix> {
    let (missing, there) = site.finding.message.split_once(" has no key ")?.1.split_once("; it has ")?;
    let missing = missing.split(',').next()?;
    let name = nearest(missing, there.split(", "))?;
    // where it is written: as a key, or at the end of the path that leads to it
    let span = site.finding.labels.iter().map(|label| label.span).find(|span| {
        site.written(*span).is_some_and(|written| written.rsplit('/').next() == Some(missing))
    })?;
    let length = u32::try_from(missing.len()).ok()?;
    let span = Span { start: span.end.checked_sub(length)?, ..span };
    fix(format!("write {name}"), [replace(span, name)])
}

/// The namespace of the resource around a place; `default` is written or not.
fn namespace(path: &[Node<'_>]) -> Option<String> {
    let resource =
        path.iter().rev().find(|node| node.get("kind").is_some() && node.get("metadata").is_some())?;
    let written = resource.at(&["metadata", "namespace"]).and_then(Node::as_str);
    Some(written.unwrap_or("default").to_owned())
}

/// The name of a Secret with its namespace.
pub fn qualify_secret(site: &Site<'_>) -> Option<Fix> {
    let qualified = site.finding.help.as_deref()?.strip_prefix("write ")?;
    let (_, name) = qualified.rsplit_once('/')?;
    (site.written(site.span)? == name)
        .then(|| fix(format!("write {qualified}"), [replace(site.span, qualified)]))?
}

/// The permissions in octal, as they were meant. JSON has no octal numbers.
pub fn octal_mode(site: &Site<'_>) -> Option<Fix> {
    let octal = site.finding.help.as_deref()?.strip_prefix("write ")?;
    let before = lines::lead(site.bytes(site.span), site.span.start as usize)?;
    let verbatim = site.written(site.span).is_some_and(|written| octal.strip_prefix('0') == Some(written));
    (verbatim && !before.contains('"')).then(|| fix(format!("write {octal}"), [replace(site.span, octal)]))?
}

/// A text whose lines stay lines: `|` in the place of `>`.
pub fn keep_lines(site: &Site<'_>) -> Option<Fix> {
    let bytes = site.bytes(site.span);
    let end = site.span.end as usize;
    let rest = std::str::from_utf8(bytes.get(end..lines::end(bytes, end))?).ok()?;
    let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
    let indicator = rest.strip_prefix(':')?.trim_start();
    indicator.starts_with('>').then_some(())?;
    let at = u32::try_from(lines::end(bytes, end) - indicator.len()).ok()?;
    let span = Span { start: at, end: at.checked_add(1)?, ..site.span };
    fix("write | in place of >", [replace(span, "|")])
}

/// Clients without a certificate that is trusted are turned away.
pub fn valid_clients_only(site: &Site<'_>) -> Option<Fix> {
    site.swap("AllowInsecureFallback", "AllowValidOnly", "write mode: AllowValidOnly")
}

/// A pattern with the end that its help gives it.
pub fn end_pattern(site: &Site<'_>) -> Option<Fix> {
    let pattern = site.finding.help.as_deref()?.strip_prefix("write \"")?.strip_suffix('"')?;
    let written = site.written(site.span)?;
    let verbatim = pattern.starts_with(written) && !pattern.contains(['\'', '"', '\\', '\n']);
    let quoted = yaml::quoted(site.bytes(site.span), site.span) != site.span;
    let text = if quoted { pattern.to_owned() } else { format!("'{pattern}'") };
    verbatim.then(|| fix(format!("write {pattern}"), [replace(site.span, text)]))?
}

/// The specification of a Pod, of a workload's template, or itself.
fn pod(node: Node<'_>) -> Option<Node<'_>> {
    let ways: [&[&str]; 3] = [&[], &["spec"], &["spec", "template", "spec"]];
    ways.iter().filter_map(|way| node.at(way)).find(|spec| spec.get("containers").is_some())
}

fn containers(pod: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    ["initContainers", "containers"].into_iter().filter_map(move |key| pod.get(key)).flat_map(Node::items)
}
