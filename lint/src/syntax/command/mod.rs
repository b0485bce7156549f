//! A shell command line → simple commands of located words.
//!
//! What a shell does before a program starts is done as far as the text alone tells: quotes, escapes, continued lines,
//! comments, variables that the text itself sets. The output of other commands (`$(…)`, `<(…)`, zsh's `=(…)`) and
//! variables from outside are not known: such a word says so, and keeps what stands within.

mod flow;
mod parser;
#[cfg(test)]
mod tests;
mod word;

use crate::source::{FileId, Span, Text};
use flow::Flow;
use parser::Parser;

/// The commands of a text, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// Commands, whether `;`, `&&`, `|` or a line's end parts them.
    pub commands: Vec<Command>,
    /// What a shell would not take.
    pub problems: Vec<Problem>,
}

/// One simple command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// `NAME=value` before the first word.
    pub assignments: Vec<(String, Word)>,
    /// The program's name and its arguments, redirections left out.
    pub words: Vec<Word>,
}

/// One word, after the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What the program is given, as far as it is known.
    pub text: String,
    /// Where it is written, without the quotes around the whole of it.
    pub span: Span,
    /// A part of it is not known; completes "… was not seen: ".
    pub unseen: Option<String>,
    /// The word is nothing but the output of this command.
    pub substitution: Option<String>,
    /// It begins, unquoted, with what is not known: a shell may make several words of it, or none.
    pub several: bool,
}

impl Word {
    /// A word that is known.
    pub fn known(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), span, unseen: None, substitution: None, several: false }
    }
}

/// Text that a shell would not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
}

/// Parses a shell text: one command or a small script.
pub fn parse(text: &Text) -> Document {
    match text.as_str() {
        Ok(content) => Parser::new(text, content).run(),
        Err(at) => Document {
            commands: Vec::new(),
            problems: vec![Problem {
                span: text.span(at..at + 1),
                message: "this byte is not UTF-8".to_owned(),
            }],
        },
    }
}

/// Parses a script of which no value is known: variables and output of commands stay as they are written, and a command
/// that only sets variables, `export` among them, is one of the commands.
pub fn script(text: &Text) -> Document {
    match text.as_str() {
        Ok(content) => Parser::script(text, content).run(),
        Err(_) => parse(text),
    }
}

/// Parses a script as far as it is certain what it runs: commands of a branch, after `||`, in a function or after `exit`
/// are left out, and a variable that is set there is not known.
///
/// The script begins with an environment. Of its variables, those that `hands_on` names are given to its commands.
pub fn certain(text: &Text, environment: &[(String, Word)], hands_on: fn(&str) -> bool) -> Document {
    match text.as_str() {
        Ok(content) => Parser::certain(text, content, Flow::new(environment, hands_on)).run(),
        Err(_) => parse(text),
    }
}

/// Takes words that a shell has already made, as after `--`; a single word with blanks in it is a shell text.
///
/// Also gives the text to which the spans refer.
pub fn from_words(words: &[String], file: FileId) -> (Document, String) {
    if let [line] = words
        && line.contains(char::is_whitespace)
    {
        let document = parse(&Text::excerpt(file, 0, line.as_bytes()));
        return (document, line.clone());
    }
    let mut rendered = String::new();
    let mut command = Command::default();
    for word in words {
        if !rendered.is_empty() {
            rendered.push(' ');
        }
        let quoted = word.is_empty() || !word.chars().all(is_plain);
        if quoted {
            rendered.push('\'');
        }
        let start = rendered.len();
        rendered.push_str(word);
        let span = span(file, start, rendered.len());
        if quoted {
            rendered.push('\'');
        }
        let assignment = word.split_once('=').filter(|(name, _)| command.words.is_empty() && is_name(name));
        match assignment {
            Some((name, value)) => {
                let span = Span { start: span.end.saturating_sub(length(value)), ..span };
                command.assignments.push((name.to_owned(), literal(value, span)));
            }
            None => command.words.push(literal(word, span)),
        }
    }
    (Document { commands: vec![command], problems: Vec::new() }, rendered)
}

/// A word that needs no shell; `=(…)` and `<(…)` are still what they are, for texts pasted within quotes.
fn literal(text: &str, span: Span) -> Word {
    let inner = ["=(", "<(", "$("].iter().find_map(|open| text.strip_prefix(open)?.strip_suffix(')'));
    let unseen = inner.map(|_| "it is the output of another command".to_owned());
    Word { unseen, substitution: inner.map(str::to_owned), ..Word::known(text, span) }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// What needs no quotes.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_./:=@,+%".contains(character)
}

fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

fn span(file: FileId, start: usize, end: usize) -> Span {
    let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    Span { file, start: clamp(start), end: clamp(end) }
}
