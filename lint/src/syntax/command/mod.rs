//! A shell command line → simple commands of located words.
//!
//! What a shell does before a program starts is done as far as the text alone tells: quotes, escapes, continued lines,
//! comments, variables that the text itself sets. The output of other commands (`$(…)`, `<(…)`, zsh's `=(…)`) and
//! variables from outside are not known: such a word says so, and keeps what stands within.

use std::collections::BTreeMap;

use crate::source::{FileId, Span, Text};

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
    Word { text: text.to_owned(), span, unseen, substitution: inner.map(str::to_owned) }
}

/// Bounds on hostile input.
const MOST_WORDS: usize = 20_000;
const DEEPEST: usize = 32;

struct Parser<'t> {
    text: &'t Text,
    content: &'t str,
    at: usize,
    variables: BTreeMap<String, String>,
    document: Document,
    words: usize,
}

/// A word in the making.
#[derive(Default)]
struct Draft {
    text: String,
    start: usize,
    unseen: Option<String>,
    /// Pieces that stood unquoted or in quotes; one substitution alone makes the word its output.
    pieces: usize,
    substitution: Option<String>,
    /// All of it stands within one pair of quotes: the bytes between them.
    within: Option<(usize, usize)>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t Text, content: &'t str) -> Self {
        Self { text, content, at: 0, variables: BTreeMap::new(), document: Document::default(), words: 0 }
    }

    fn run(mut self) -> Document {
        let mut command = Command::default();
        while let Some(next) = self.peek() {
            match next {
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    self.at += 1;
                    self.finish(&mut command);
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
        let assignment =
            word.text.split_once('=').filter(|(name, _)| command.words.is_empty() && is_name(name));
        match assignment {
            Some((name, value)) => {
                let start = word.span.end.saturating_sub(length(value));
                let span = Span { start: start.max(word.span.start), ..word.span };
                let value =
                    Word { text: value.to_owned(), span, unseen: word.unseen.clone(), substitution: None };
                command.assignments.push((name.to_owned(), value));
            }
            None => command.words.push(word),
        }
    }

    /// Ends a command; assignments by themselves hold for what follows.
    fn finish(&mut self, command: &mut Command) {
        let command = std::mem::take(command);
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

    fn word(&mut self) -> Option<Word> {
        let mut draft = Draft { start: self.at, ..Draft::default() };
        while let Some(next) = self.peek() {
            match next {
                '\'' => self.single_quotes(&mut draft)?,
                '"' => {
                    self.at += 1;
                    self.double_quotes(&mut draft)?;
                }
                '\\' => {
                    if self.continuation() {
                        break;
                    }
                    self.at += 1;
                    if let Some(escaped) = self.peek() {
                        draft.text.push(escaped);
                        self.at += escaped.len_utf8();
                    }
                    draft.pieces += 1;
                }
                '$' | '`' => self.dollar(&mut draft, false)?,
                '=' if draft.text.is_empty() && self.rest().starts_with("=(") => {
                    self.at += 1;
                    self.substitution(&mut draft)?;
                }
                '<' if self.rest().starts_with("<(") => {
                    self.at += 1;
                    self.substitution(&mut draft)?;
                }
                '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                _ if next.is_whitespace() => break,
                _ => {
                    if draft.text.is_empty() || draft.pieces == 0 {
                        draft.pieces += 1;
                    }
                    draft.text.push(next);
                    draft.within = None;
                    self.at += next.len_utf8();
                }
            }
        }
        if self.at == draft.start {
            // nothing that a word could start with: do not stand still
            self.at += self.peek().map_or(0, char::len_utf8);
        }
        let range = match draft.within {
            Some((start, end)) if draft.pieces == 1 => start..end,
            _ => draft.start..self.at,
        };
        let substitution = draft.substitution.filter(|inner| draft.pieces == 1 && *inner == draft.text);
        Some(Word { text: draft.text, span: self.text.span(range), unseen: draft.unseen, substitution })
    }

    fn single_quotes(&mut self, draft: &mut Draft) -> Option<()> {
        let open = self.at;
        let inner = open + 1;
        let Some(length) = self.content.get(inner..).and_then(|rest| rest.find('\'')) else {
            self.problem(open, self.content.len(), "this single quote is not closed");
            self.at = self.content.len();
            return None;
        };
        draft.text.push_str(self.content.get(inner..inner + length).unwrap_or_default());
        draft.within = Some((inner, inner + length));
        draft.pieces += 1;
        self.at = inner + length + 1;
        Some(())
    }

    /// The text up to the closing quote; the opening one is read.
    fn double_quotes(&mut self, draft: &mut Draft) -> Option<()> {
        let inner = self.at;
        draft.pieces += 1;
        loop {
            let Some(next) = self.peek() else {
                self.problem(inner - 1, self.content.len(), "this double quote is not closed");
                return None;
            };
            match next {
                '"' => {
                    draft.within = Some((inner, self.at));
                    self.at += 1;
                    return Some(());
                }
                '\\' => {
                    self.at += 1;
                    match self.peek() {
                        Some('\n') => self.at += 1,
                        Some(escaped @ ('"' | '\\' | '$' | '`')) => {
                            draft.text.push(escaped);
                            self.at += 1;
                        }
                        _ => draft.text.push('\\'),
                    }
                }
                '$' | '`' => self.dollar(draft, true)?,
                other => {
                    draft.text.push(other);
                    self.at += other.len_utf8();
                }
            }
        }
    }

    /// `$NAME`, `${NAME}`, `$(…)`, `` `…` ``, `$'…'`.
    fn dollar(&mut self, draft: &mut Draft, quoted: bool) -> Option<()> {
        let rest = self.rest();
        if rest.starts_with('`') {
            let open = self.at;
            let Some(length) = rest.get(1..).and_then(|inner| inner.find('`')) else {
                self.problem(open, self.content.len(), "this backquote is not closed");
                self.at = self.content.len();
                return None;
            };
            let inner = self.content.get(open + 1..open + 1 + length).unwrap_or_default().to_owned();
            self.at = open + length + 2;
            self.output(draft, inner, quoted);
            return Some(());
        }
        if rest.starts_with("$(") {
            self.at += 1;
            if quoted {
                // the quotes are no piece of their own around one substitution
                draft.pieces = draft.pieces.saturating_sub(1);
            }
            return self.substitution(draft);
        }
        if rest.starts_with("$'") && !quoted {
            self.at += 2;
            return self.ansi_quotes(draft);
        }
        if rest.starts_with("$\"") && !quoted {
            self.at += 2;
            return self.double_quotes(draft);
        }
        let (name, length) = match rest.strip_prefix("${") {
            Some(inner) => match inner.split_once('}') {
                Some((name, _)) => (name, name.len() + 3),
                None => {
                    self.problem(self.at, self.content.len(), "this brace is not closed");
                    self.at = self.content.len();
                    return None;
                }
            },
            None => {
                let name: &str = rest.get(1..).unwrap_or_default();
                let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
                let name = name.get(..end).unwrap_or_default();
                (name, name.len() + 1)
            }
        };
        if !quoted {
            draft.pieces += 1;
        }
        if name.is_empty() {
            draft.text.push('$');
            self.at += 1;
            return Some(());
        }
        match self.variables.get(name) {
            Some(value) => draft.text.push_str(value),
            None => {
                draft.unseen = Some(format!("the variable {name} is set elsewhere"));
                draft.text.push_str(rest.get(..length).unwrap_or_default());
            }
        }
        self.at += length;
        Some(())
    }

    /// `$'…'` with its escapes; the opening is read.
    fn ansi_quotes(&mut self, draft: &mut Draft) -> Option<()> {
        let inner = self.at;
        draft.pieces += 1;
        loop {
            let Some(next) = self.peek() else {
                self.problem(inner - 2, self.content.len(), "this quote is not closed");
                return None;
            };
            self.at += next.len_utf8();
            match next {
                '\'' => {
                    draft.within = Some((inner, self.at - 1));
                    return Some(());
                }
                '\\' => {
                    let escaped = self.peek()?;
                    self.at += escaped.len_utf8();
                    draft.text.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        other => other,
                    });
                }
                other => draft.text.push(other),
            }
        }
    }

    /// The parenthesis of a substitution, which is next; quotes within count.
    fn substitution(&mut self, draft: &mut Draft) -> Option<()> {
        let open = self.at;
        let mut depth = 0_usize;
        let mut quote = None;
        let mut escaped = false;
        let mut end = None;
        for (offset, character) in self.rest().char_indices() {
            if escaped {
                escaped = false;
                continue;
            }
            match (character, quote) {
                ('\\', None | Some('"')) => escaped = true,
                ('\'' | '"', None) => quote = Some(character),
                (_, Some(open)) if character == open => quote = None,
                ('(', None) => depth += 1,
                (')', None) => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        end = Some(offset);
                        break;
                    }
                }
                _ => {}
            }
            if depth > DEEPEST {
                break;
            }
        }
        let Some(end) = end else {
            self.problem(open, self.content.len(), "this parenthesis is not closed");
            self.at = self.content.len();
            return None;
        };
        let inner = self.content.get(open + 1..open + end).unwrap_or_default().to_owned();
        self.at = open + end + 1;
        self.output(draft, inner, false);
        Some(())
    }

    fn output(&self, draft: &mut Draft, inner: String, quoted: bool) {
        if !quoted {
            draft.pieces += 1;
        }
        draft.unseen = Some("it is the output of another command".to_owned());
        draft.text.push_str(&inner);
        draft.substitution = Some(inner);
    }

    /// A backslash that ends the line, blanks and a comment after it forgiven: it joins the next line. Pasted examples
    /// have them so (`\   #1`), and to a shell that backslash would end the command.
    fn continuation(&mut self) -> bool {
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
            self.word();
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

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &'t str {
        self.content.get(self.at..).unwrap_or_default()
    }

    fn problem(&mut self, start: usize, end: usize, message: &str) {
        let span = self.text.span(start..end);
        self.document.problems.push(Problem { span, message: message.to_owned() });
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileId = FileId(7);

    fn shell(text: &str) -> Document {
        parse(&Text::excerpt(FILE, 0, text))
    }

    fn texts(command: &Command) -> Vec<&str> {
        command.words.iter().map(|word| word.text.as_str()).collect()
    }

    fn at<'t>(text: &'t str, word: &Word) -> &'t str {
        &text[word.span.start as usize..word.span.end as usize]
    }

    #[test]
    fn words_are_what_the_program_gets() {
        for (text, expected) in [
            ("curl -s https://a/", vec!["curl", "-s", "https://a/"]),
            ("curl -H 'Host: a b' \"x\\\"y\"", vec!["curl", "-H", "Host: a b", "x\"y"]),
            ("curl a\\ b $'c\\nd'", vec!["curl", "a b", "c\nd"]),
            ("curl \\\n  -k \\\n  https://a", vec!["curl", "-k", "https://a"]),
            ("curl -k \\     #1\n  https://a \\  #2\n", vec!["curl", "-k", "https://a"]),
            ("curl a # comment", vec!["curl", "a"]),
            ("curl a#b", vec!["curl", "a#b"]),
            ("$ curl a > out 2>&1 < /dev/null", vec!["curl", "a"]),
            ("curl pre'mid'post", vec!["curl", "premidpost"]),
            ("curl ''", vec!["curl", ""]),
            ("curl --resolve=x -d '{\"a\":1}'", vec!["curl", "--resolve=x", "-d", "{\"a\":1}"]),
            ("curl 8 a", vec!["curl", "8", "a"]),
        ] {
            let document = shell(text);
            assert_eq!(document.problems, [], "{text}");
            assert_eq!(texts(&document.commands[0]), expected, "{text}");
        }
    }

    #[test]
    fn commands_part_where_a_shell_parts_them() {
        for (text, expected) in [
            ("echo | openssl s_client -connect a:1", vec!["echo", "openssl"]),
            ("curl a; curl b && curl c", vec!["curl", "curl", "curl"]),
            ("curl a\ncurl b\n", vec!["curl", "curl"]),
            ("", vec![]),
        ] {
            let document = shell(text);
            let names: Vec<_> =
                document.commands.iter().map(|command| command.words[0].text.as_str()).collect();
            assert_eq!(names, expected, "{text}");
        }
    }

    #[test]
    fn assignments_stand_before_a_command_or_hold_for_the_next() {
        let document = shell("ETCDCTL_CACERT=/ca.pem X='a b' etcdctl get --prefix a=b");
        let command = &document.commands[0];
        let assigned: Vec<_> =
            command.assignments.iter().map(|(name, value)| (name.as_str(), value.text.as_str())).collect();
        assert_eq!(assigned, [("ETCDCTL_CACERT", "/ca.pem"), ("X", "a b")]);
        assert_eq!(texts(command), ["etcdctl", "get", "--prefix", "a=b"]);
        let document =
            shell("CA=/ca.pem\nexport KEY=/k.pem\ncurl --cacert $CA --key \"${KEY}\" --cert $ELSEWHERE/c");
        let words = &document.commands[0].words;
        assert_eq!(texts(&document.commands[0])[..5], ["curl", "--cacert", "/ca.pem", "--key", "/k.pem"]);
        assert_eq!(words[6].unseen.as_deref(), Some("the variable ELSEWHERE is set elsewhere"));
    }

    #[test]
    fn the_output_of_a_command_is_a_word_of_its_own() {
        let text = "curl --cert =(kubectl get secret c -o jsonpath='{ .data.tls\\.crt }' | base64 -d) \
                    --key <(cat \"a)b\") -H \"X: $(cat t)\" --cacert \"$(mk ca)\" https://a";
        let document = shell(text);
        assert_eq!(document.problems, []);
        let words = &document.commands[0].words;
        let inner: Vec<_> = words.iter().map(|word| word.substitution.as_deref()).collect();
        assert_eq!(
            inner,
            [
                None,
                None,
                Some("kubectl get secret c -o jsonpath='{ .data.tls\\.crt }' | base64 -d"),
                None,
                Some("cat \"a)b\""),
                None,
                None,
                None,
                Some("mk ca"),
                None
            ]
        );
        assert!(words[6].unseen.is_some());
    }

    #[test]
    fn words_are_where_they_are_written() {
        let text = "X=1 curl 'https://a/' --cert=c\\ d \"e\"";
        let document = shell(text);
        let command = &document.commands[0];
        assert_eq!(at(text, &command.assignments[0].1), "1");
        let written: Vec<_> = command.words.iter().map(|word| at(text, word)).collect();
        assert_eq!(written, ["curl", "https://a/", "--cert=c\\ d", "e"]);
    }

    #[test]
    fn ready_words_are_rendered_with_their_places() {
        let words: Vec<String> =
            ["A=b c", "curl", "-H", "Host: x", "=(kubectl get secret s)"].map(str::to_owned).to_vec();
        let (document, text) = from_words(&words, FILE);
        assert_eq!(text, "'A=b c' curl -H 'Host: x' '=(kubectl get secret s)'");
        let command = &document.commands[0];
        assert_eq!(
            (command.assignments[0].1.text.as_str(), at(&text, &command.assignments[0].1)),
            ("b c", "b c")
        );
        assert_eq!(at(&text, &command.words[2]), "Host: x");
        assert_eq!(command.words[3].substitution.as_deref(), Some("kubectl get secret s"));
        let (document, text) = from_words(&["curl -k https://a".to_owned()], FILE);
        assert_eq!((texts(&document.commands[0]).len(), text.as_str()), (3, "curl -k https://a"));
    }

    #[test]
    fn what_is_not_closed_is_named() {
        for (text, message) in [
            ("curl 'a", "this single quote is not closed"),
            ("curl \"a", "this double quote is not closed"),
            ("curl $(a", "this parenthesis is not closed"),
            ("curl ${a", "this brace is not closed"),
            ("curl `a", "this backquote is not closed"),
            ("curl $'a", "this quote is not closed"),
        ] {
            let document = shell(text);
            assert_eq!(document.problems.len(), 1, "{text}");
            assert_eq!(document.problems[0].message, message, "{text}");
        }
    }

    #[test]
    fn any_text_comes_to_an_end() {
        for text in
            ["(((((", "<", ">>>", "\\", "\\\n", "$", "&|;", "=(", "<(", "'", "1>", "a=", "\u{0}", "é'ü\\é"]
        {
            shell(text);
        }
    }
}
