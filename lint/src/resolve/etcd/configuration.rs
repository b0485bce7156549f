//! etcd's configuration file: which one it reads, and what it is.

use crate::deployment::{Content, Lookup, Program, Refusal};
use crate::dialect::etcd::{self, Variable};
use crate::finding::Label;
use crate::resolve::machine::Machine;
use crate::resolve::{Launch, Notes, World};
use crate::source::{Located, Span, Text};
use crate::syntax::yaml;

/// Where the start script of bitnami/etcd looks for a configuration file.
const BITNAMI_FILE: &str = "/opt/bitnami/etcd/conf/etcd.yaml";

/// The file that arguments or environment name, else the one that the image's start script uses where it is there.
pub(super) struct ConfigurationFile {
    path: Located<String>,
    demanded: bool,
}

impl ConfigurationFile {
    /// Which file it is, if any; `parent` is where one could have been named.
    pub fn of(launch: &Launch, environment: &[Variable<'_>], bitnami: bool, parent: Span) -> Option<Self> {
        match etcd::config_file(&launch.arguments, environment) {
            Some(path) => Some(Self { path, demanded: true }),
            None => {
                bitnami.then(|| Self { path: Located::new(BITNAMI_FILE.to_owned(), parent), demanded: false })
            }
        }
    }

    /// Its text. Err: it is demanded, and cannot be read; the program says why.
    pub fn read(
        self,
        world: &World<'_>,
        machine: &Machine,
        program: &mut Program,
    ) -> Result<Option<(Located<String>, Text)>, ()> {
        let path = self.path;
        match machine.read(&world.index, &path, "/").content {
            Lookup::Found(Content::Bytes(text)) => Ok(Some((path, text))),
            // the start script uses the file where it is there
            _ if !self.demanded => Ok(None),
            Lookup::Missing(missing) => {
                let mut labels = vec![Label { span: path.span, message: String::new() }];
                labels.extend(missing.labels);
                program.refusals.push(Refusal {
                    rule: missing.rule,
                    message: missing.message,
                    labels,
                    help: None,
                    log: Some(format!("open {}: no such file or directory", path.value)),
                });
                Err(())
            }
            Lookup::Unseen(why) => {
                program.unseen.push(why);
                Err(())
            }
            Lookup::Found(_) => {
                program.unseen.push(format!("{} is no file that could be read", path.value));
                Err(())
            }
        }
    }
}

/// A configuration's document; what is wrong with it goes to the notes and the program.
pub(super) fn parse(
    world: &World<'_>,
    text: &Text,
    notes: Option<&mut Notes>,
    program: &mut Program,
) -> Option<yaml::Document> {
    let parsed = yaml::parse(text);
    if let Some(notes) = notes {
        notes.not_yaml(world, &parsed);
    }
    if let Some(lost) = parsed.problems.iter().find(|problem| problem.document_lost) {
        program.refusals.push(Refusal {
            rule: "refused-setting",
            message: format!("etcd cannot parse its configuration: {}", lost.message),
            labels: vec![Label { span: lost.span, message: String::new() }],
            help: Some("put valid YAML here".to_owned()),
            log: None,
        });
        return None;
    }
    let document = parsed.documents.into_iter().next();
    if document.is_none() {
        program.unseen.push("its configuration file is empty".to_owned());
    }
    document
}
