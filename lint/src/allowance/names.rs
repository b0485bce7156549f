//! The names that an ignore can mean: of the resource in which a finding stands, and of the programs it is about.

use mtls_identity::sorted;

use crate::deployment::Deployment;
use crate::dialect::kubernetes;
use crate::finding::Finding;
use crate::source::{FileId, Sources, Span};
use crate::syntax::yaml::{self, Node};

/// The objects of Kubernetes among the sources: where each stands, and `Kind namespace/name`.
#[derive(Debug, Clone, Default)]
pub(super) struct Resources {
    /// Sorted by place.
    list: Vec<(Span, String)>,
}

impl Resources {
    /// None was looked for.
    pub(super) const NONE: Self = Self { list: Vec::new() };

    /// Reads every manifest.
    pub(super) fn read(sources: &Sources) -> Self {
        let mut list = Vec::new();
        for (id, file) in sources.iter() {
            let ending = file.path.rsplit_once('.').map_or("", |(_, ending)| ending);
            if file.path != "-" && !matches!(ending, "yaml" | "yml" | "json") {
                continue;
            }
            let Some(text) = sources.text(id) else { continue };
            yaml::parse_each(&text, &mut Vec::new(), |document| {
                if kubernetes::recognises(document.root()) {
                    let objects = kubernetes::objects(document.root());
                    list.extend(
                        objects.into_iter().filter_map(|object| Some((object.span(), name(object)?))),
                    );
                }
            });
        }
        sorted::sort(&mut list);
        Self { list }
    }

    /// The names that a finding goes by: those of the objects in which its labels stand, and of the programs that its
    /// message speaks of.
    pub(super) fn names<'s>(
        &'s self,
        finding: &'s Finding,
        deployment: &'s Deployment,
    ) -> impl Iterator<Item = &'s str> {
        let objects = finding.labels.iter().filter_map(|label| self.at(label.span.file, label.span.start));
        let programs = deployment.programs.iter().map(|program| program.name.as_str());
        objects.chain(programs.filter(|name| mentions(&finding.message, name)))
    }

    fn at(&self, file: FileId, at: u32) -> Option<&str> {
        let after = self.list.partition_point(|(span, _)| (span.file, span.start) <= (file, at));
        let (span, name) = self.list.get(after.checked_sub(1)?)?;
        (span.file == file && at <= span.end).then_some(name)
    }
}

fn name(object: Node<'_>) -> Option<String> {
    let kind = object.get("kind")?.as_str()?;
    let name = object.at(&["metadata", "name"])?.as_str()?;
    if kind.starts_with("Cluster") {
        return Some(format!("{kind} {name}"));
    }
    let namespace = object.at(&["metadata", "namespace"]).and_then(Node::as_str).unwrap_or("default");
    Some(format!("{kind} {namespace}/{name}"))
}

/// Whether a text has this name as words of its own.
fn mentions(text: &str, name: &str) -> bool {
    let part_of_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '/');
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let mut after = text.get(at + name.len()..).unwrap_or_default().chars();
            // a dot ends a sentence, or goes on with the name
            let next = match after.next() {
                Some('.') => after.next(),
                next => next,
            };
            !before.is_some_and(part_of_word) && !next.is_some_and(part_of_word)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_mentioned_as_words_of_its_own() {
        for (text, expected) in [
            ("Pod demo/etcd refuses", true),
            ("the server is Pod demo/etcd.", true),
            ("Pod demo/etcd-0 refuses", false),
            ("Pod demo/etcd.example refuses", false),
            ("MyPod demo/etcd", false),
        ] {
            assert_eq!(mentions(text, "Pod demo/etcd"), expected, "{text}");
        }
    }
}
