//! The command lines that a container is started with, and those of its probes.

use super::environment::Environment;
use super::launch::is_published;
use crate::deployment::{DialerPurpose, Lookup};
use crate::dialect::kubernetes::{Container, ProbeAction};
use crate::resolve::Variable;
use crate::resolve::command::Invocation;
use crate::source::{Located, Text};
use crate::syntax::command::Word;

/// What a container runs, as far as it is written, each on the container's own machine.
pub(super) fn of(
    container: &Container,
    environment: &Environment,
    title: &str,
    machine: usize,
) -> Vec<Invocation> {
    let own_image = container.image.as_ref().filter(|image| !is_published(&image.value));
    let invocation = |name: String, purpose, words: Vec<Word>, scripts: &[Located<Text>]| {
        may_dial(&words).then(|| Invocation {
            name,
            purpose,
            machine,
            image: container.image.clone(),
            words,
            scripts: scripts.to_vec(),
            environment: environment.variables.iter().map(variable).collect(),
            hidden_variables: environment.hidden().map(str::to_owned),
            own_image: own_image.map(|image| image.value.clone()),
        })
    };
    let expand = |words: &[Located<String>]| words.iter().map(|word| expanded(word, environment)).collect();
    let mut words: Vec<Word> = expand(&container.command);
    words.extend::<Vec<Word>>(expand(&container.args));
    // without a command the image's own program is given the arguments
    if container.command.is_empty() {
        let curl = container.image.as_ref().filter(|image| is_curl(&image.value) && !words.is_empty());
        match curl {
            Some(image) => words.insert(0, Word::known("curl", image.span)),
            None => words.clear(),
        }
    }
    let mut found: Vec<Invocation> =
        invocation(title.to_owned(), DialerPurpose::Command, words, &container.scripts).into_iter().collect();
    for probe in &container.probes {
        let ProbeAction::Exec { command, scripts } = &probe.action else { continue };
        found.extend(invocation(format!("probe of {title}"), DialerPurpose::Probe, expand(command), scripts));
    }
    found
}

/// Whether a client may be among the words: by name, or in a script that is mounted. Of thousands of containers, most
/// run none.
fn may_dial(words: &[Word]) -> bool {
    const CLIENTS: [&str; 3] = ["curl", "etcdctl", "openssl"];
    let named = |word: &Word| CLIENTS.iter().any(|client| word.text.contains(client));
    let script = |word: &Word| {
        let shell = matches!(word.text.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"));
        shell || word.text.ends_with(".sh")
    };
    words.iter().any(named) || words.iter().take(3).any(script)
}

/// Whether an image starts curl.
fn is_curl(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or(image);
    name.rsplit('/').next().and_then(|name| name.split(':').next()) == Some("curl")
}

/// A word with `$(NAME)` replaced; a Secret's value is not looked at.
fn expanded(word: &Located<String>, environment: &Environment) -> Word {
    let (value, secret) = environment.expanded(word);
    let (text, unseen) = match value {
        Lookup::Found(value) if !secret => (value.value, None),
        Lookup::Found(_) => (word.value.clone(), Some("it is a Secret's value".to_owned())),
        Lookup::Missing(missing) => (word.value.clone(), Some(missing.message)),
        Lookup::Unseen(why) => (word.value.clone(), Some(why)),
    };
    Word { unseen, ..Word::known(text, word.span) }
}

fn variable(variable: &Variable) -> (String, Word) {
    let name = &variable.name;
    let word = match &variable.value {
        Lookup::Found(value) if !variable.secret => Word::known(value.value.clone(), value.span),
        hidden => {
            let why = match hidden {
                Lookup::Found(_) => format!("the value of {} is a Secret's", name.value),
                Lookup::Missing(missing) => missing.message.clone(),
                Lookup::Unseen(why) => why.clone(),
            };
            Word { unseen: Some(why), ..Word::known(format!("${}", name.value), name.span) }
        }
    };
    (name.value.clone(), word)
}
