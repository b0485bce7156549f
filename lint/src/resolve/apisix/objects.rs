//! Which objects an APISIX serves: those of its standalone file, or those of etcd that are among the sources.

use super::Given;
use crate::deployment::{Content, Lookup, Refusal};
use crate::dialect::apisix::config::{Area, Provider};
use crate::dialect::apisix::objects::end_flag_missing;
use crate::dialect::apisix::values::Values;
use crate::dialect::apisix::{Config, Environment, Objects};
use crate::finding::Label;
use crate::resolve::Notes;
use crate::source::Located;
use crate::syntax::yaml;

/// Objects, and what could not be seen of them.
pub struct Found {
    /// What was seen.
    pub objects: Objects,
    /// Why ssl objects are unknown; None: those that were seen are all, or some of each name.
    pub ssls_unseen: Option<String>,
}

/// Reads the objects of a configuration.
pub fn read(given: &Given<'_>, config: &Config, environment: &Environment<'_>, notes: &mut Notes) -> Found {
    match config.provider.value() {
        Provider::Yaml => standalone(given, config, "apisix.yaml", environment, notes),
        Provider::Json => standalone(given, config, "apisix.json", environment, notes),
        Provider::Etcd => stored(given),
        Provider::Xds => unseen("the objects come from an xDS server"),
        Provider::ControlPlane => unseen("the objects come from the control plane"),
    }
}

fn unseen(why: &str) -> Found {
    Found { objects: Objects::default(), ssls_unseen: Some(why.to_owned()) }
}

/// apisix.yaml or apisix.json beside config.yaml.
fn standalone(
    given: &Given<'_>,
    config: &Config,
    name: &str,
    environment: &Environment<'_>,
    notes: &mut Notes,
) -> Found {
    let path = Located::new(format!("{}/{name}", given.folder), config.provider.span());
    let file = given.read(&path, &given.folder);
    let text = match file.content {
        Lookup::Found(Content::Bytes(text)) => text,
        Lookup::Found(_) => return unseen(&format!("{} is no file that can be read here", path.value)),
        Lookup::Unseen(why) => return unseen(&why),
        Lookup::Missing(missing) => {
            let refusal = Refusal {
                rule: missing.rule,
                message: missing.message,
                labels: missing.labels,
                help: None,
                log: Some(format!("failed to fetch {} attributes", path.value)),
            };
            let objects = Objects { complete: true, refusals: vec![refusal], ..Objects::default() };
            return Found { objects, ssls_unseen: None };
        }
    };
    let mut objects = Objects { complete: true, ..Objects::default() };
    if name == "apisix.yaml" && end_flag_missing(text.bytes()) {
        let end = text.bytes().len();
        objects.refusals.push(Refusal {
            rule: "refused-object",
            message: "nothing of this file is loaded: its last line is not #END".to_owned(),
            labels: vec![Label { span: text.span(end.saturating_sub(1)..end), message: String::new() }],
            help: Some("write #END as the last line".to_owned()),
            log: Some(format!("missing valid end flag in file {}", path.value)),
        });
        return Found { objects, ssls_unseen: None };
    }
    let parsed = yaml::parse(&text);
    notes.not_yaml(given.world, &parsed);
    if let Some(document) = parsed.documents.first() {
        objects.add_set(&Values::new(environment), document.root(), Some(given.version));
    }
    Found { objects, ssls_unseen: None }
}

/// Objects that live in etcd, as far as they are among the sources.
fn stored(given: &Given<'_>) -> Found {
    let objects = given.world.apisix_objects.clone();
    let nothing = !objects.complete && objects.ssls.is_empty();
    let ssls_unseen = nothing.then(|| {
        "the ssl objects live in etcd; give the object of this name among the paths (as the Admin API returns it)"
            .to_owned()
    });
    Found { objects, ssls_unseen }
}

/// Whether something of an area was not seen, and what.
pub fn unseen_in(config: &Config, areas: &[Area]) -> Vec<String> {
    config.unseen.iter().filter(|(area, _)| areas.contains(area)).map(|(_, why)| why.clone()).collect()
}
