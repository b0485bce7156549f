//! A text as commands: what parts them, assignments, redirections, comments.

use std::collections::BTreeMap;

use super::flow::{Flow, Joint};
use super::{Command, Document, Problem, Word, is_name, length};
use crate::source::{Span, Text};

/// Words that are read: no command takes as many.
const MOST_WORDS: usize = 20_000;

/// Reads a text to its end.
pub(super) struct Parser<'t> {
    pub(super) text: &'t Text,
    pub(super) content: &'t str,
    pub(super) at: usize,
    pub(super) variables: BTreeMap<String, String>,
    /// A script: its variables may change between their setting and their use.
    pub(super) is_script: bool,
    /// What is certain to run, where only that is asked for.
    flow: Option<Flow>,
    /// Ends of the documents (`<<END`) that begin after this line.
    documents: Vec<String>,
    document: Document,
    words: usize,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t Text, content: &'t str) -> Self {
        Self {
            text,
            content,
            at: 0,
            variables: BTreeMap::new(),
            is_script: false,
            flow: None,
            documents: Vec::new(),
            document: Document::default(),
            words: 0,
        }
    }

    pub(super) fn script(text: &'t Text, content: &'t str) -> Self {
        Self { is_script: true, ..Self::new(text, content) }
    }

    pub(super) fn certain(text: &'t Text, content: &'t str, mut flow: Flow) -> Self {
        Self { variables: flow.variables(), flow: Some(flow), ..Self::new(text, content) }
    }

    pub(super) fn run(mut self) -> Document {
        let mut command = Command::default();
        while let Some(next) = self.peek() {
            match next {
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    let (joint, width) = Joint::of(self.rest());
                    self.at += width;
                    self.part(&mut command, joint);
                    if next == '\n' {
                        self.skip_documents();
                    }
                }
                '#' => self.skip_comment(),
                '\\' if self.continuation() => {}
                _ if next.is_whitespace() => self.at += next.len_utf8(),
                '<' | '>' if !self.rest().starts_with("<(") => self.redirection(),
                '0'..='9' if self.is_descriptor() => self.redirection(),
                _ => {
                    let Some(word) = self.word() else { break };
                    self.take(word, &mut command);
                }
            }
            if self.words > MOST_WORDS {
                self.problem(self.at, self.at, "there are more words here than any command takes");
                break;
            }
        }
        self.finish(&mut command);
        self.document
    }

    fn take(&mut self, word: Word, command: &mut Command) {
        self.words += 1;
        // a prompt pasted along
        if command.words.is_empty()
            && command.assignments.is_empty()
            && matches!(word.text.as_str(), "$" | "%")
        {
            return;
        }
        match assignment(&word).filter(|_| command.words.is_empty()) {
            Some(assigned) => command.assignments.push(assigned),
            None => command.words.push(word),
        }
    }

    /// Ends a command where another one may begin.
    fn part(&mut self, command: &mut Command, joint: Joint) {
        if joint == Joint::Head
            && let Some(flow) = &mut self.flow
        {
            // the word before it is a function's name, and runs nothing
            let name = std::mem::take(command).words.pop();
            flow.redefine(name.as_ref().map_or("", |name| &name.text));
            flow.part(joint, true, false);
            return;
        }
        let empty = *command == Command::default();
        let assigned = command.assignments.last().filter(|_| command.words.is_empty());
        let array = assigned.is_some_and(|(_, value)| value.text.is_empty())
            || command.words.last().is_some_and(|word| word.text.ends_with('='));
        self.finish(command);
        if let Some(flow) = &mut self.flow {
            flow.part(joint, empty, array);
        }
    }

    /// Ends a command; assignments by themselves hold for what follows.
    fn finish(&mut self, command: &mut Command) {
        let command = std::mem::take(command);
        if let Some(flow) = &mut self.flow {
            if command != Command::default() {
                self.document.commands.extend(flow.take(command, &mut self.variables));
            }
            return;
        }
        if self.is_script {
            if !command.words.is_empty() || !command.assignments.is_empty() {
                self.document.commands.push(command);
            }
            return;
        }
        if command.words.is_empty() {
            for (name, value) in command.assignments {
                if value.unseen.is_none() {
                    self.variables.insert(name, value.text);
                }
            }
            return;
        }
        if command.words.first().is_some_and(|word| word.text == "export") {
            for word in command.words.iter().skip(1).filter(|word| word.unseen.is_none()) {
                if let Some((name, value)) = word.text.split_once('=') {
                    self.variables.insert(name.to_owned(), value.to_owned());
                }
            }
            return;
        }
        self.document.commands.push(command);
    }

    /// A backslash that ends the line, blanks and a comment after it forgiven: it joins the next line. Pasted examples
    /// have them so (`\   #1`), and to a shell that backslash would end the command.
    pub(super) fn continuation(&mut self) -> bool {
        let Some(after) = self.rest().strip_prefix('\\') else { return false };
        let body = after.trim_start_matches([' ', '\t', '\r']);
        let blanks = after.len() - body.len();
        let length = match body.chars().next() {
            None => 1 + after.len(),
            Some('\n') => 2 + blanks,
            Some('#') if blanks > 0 => 1 + blanks + body.find('\n').map_or(body.len(), |end| end + 1),
            Some(_) => return false,
        };
        self.at += length;
        true
    }

    fn skip_comment(&mut self) {
        let length = self.rest().find('\n').unwrap_or(self.rest().len());
        self.at += length;
    }

    /// `>file`, `2>&1`, `<<<text`: neither is a word of the command.
    fn redirection(&mut self) {
        let operator =
            |character: char| character.is_ascii_digit() || matches!(character, '<' | '>' | '&' | '|');
        let length = self.rest().find(|character| !operator(character)).unwrap_or(self.rest().len());
        let opens =
            self.rest().get(..length).is_some_and(|text| text.ends_with("<<") && !text.ends_with("<<<"));
        let duplicates = self
            .rest()
            .get(..length)
            .is_some_and(|text| text.contains('&') && text.ends_with(|c: char| c.is_ascii_digit()));
        self.at += length;
        if duplicates {
            return;
        }
        while self.peek().is_some_and(|next| next == ' ' || next == '\t') {
            self.at += 1;
        }
        if self.peek().is_some_and(|next| !matches!(next, '\n' | ';' | '&' | '|')) {
            let word = self.word();
            self.documents.extend(word.filter(|_| opens).map(|word| word.text));
        }
    }

    /// The lines of a document (`<<END`, `<<-END`) are the input of a command.
    fn skip_documents(&mut self) {
        for end in std::mem::take(&mut self.documents) {
            let end = end.trim_start_matches('-');
            while !self.rest().is_empty() {
                let line = self.rest().split_inclusive('\n').next().unwrap_or_default();
                self.at += line.len();
                if line.trim() == end {
                    break;
                }
            }
        }
    }

    /// A digit that belongs to a redirection.
    fn is_descriptor(&self) -> bool {
        let after = self.rest().trim_start_matches(|character: char| character.is_ascii_digit());
        let starts_word = self.at == 0
            || self
                .content
                .get(..self.at)
                .is_some_and(|before| before.ends_with(|c: char| c.is_whitespace()));
        starts_word && after.starts_with(['<', '>'])
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn rest(&self) -> &'t str {
        self.content.get(self.at..).unwrap_or_default()
    }

    pub(super) fn problem(&mut self, start: usize, end: usize, message: &str) {
        let span = self.text.span(start..end);
        self.document.problems.push(Problem { span, message: message.to_owned() });
    }
}

/// `NAME=value` as name and value.
pub(super) fn assignment(word: &Word) -> Option<(String, Word)> {
    let (name, value) = word.text.split_once('=').filter(|(name, _)| is_name(name))?;
    let start = word.span.end.saturating_sub(length(value));
    let span = Span { start: start.max(word.span.start), ..word.span };
    Some((name.to_owned(), Word { unseen: word.unseen.clone(), ..Word::known(value, span) }))
}
