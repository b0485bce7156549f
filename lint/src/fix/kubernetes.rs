//! Kubernetes: volumes, ports and names.

use super::edit::replace;
use super::fix;
use super::site::Site;
use crate::finding::Fix;
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

/// The only named port of the Pods behind a Service.
pub fn correct_target_port(site: &Site<'_>) -> Option<Fix> {
    let pods = site.finding.labels.iter().skip(1);
    let names: Option<Vec<String>> = pods
        .map(|label| {
            site.in_yaml(label.span, |path| {
                let pod = path.iter().rev().find_map(|node| pod(*node))?;
                let ports = containers(pod)
                    .flat_map(|container| container.get("ports").into_iter().flat_map(Node::items));
                let mut names = ports.map(|port| port.get("name")?.as_str());
                let first = names.next()??;
                names.next().is_none().then(|| first.to_owned())
            })
        })
        .collect();
    let mut names = names?;
    names.dedup();
    let [name] = names.as_slice() else { return None };
    fix(format!("write targetPort: {name}"), [replace(site.span, name.clone())])
}

/// The specification of a Pod, of a workload's template, or itself.
fn pod(node: Node<'_>) -> Option<Node<'_>> {
    let ways: [&[&str]; 3] = [&[], &["spec"], &["spec", "template", "spec"]];
    ways.iter().filter_map(|way| node.at(way)).find(|spec| spec.get("containers").is_some())
}

fn containers(pod: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    ["initContainers", "containers"].into_iter().filter_map(move |key| pod.get(key)).flat_map(Node::items)
}
