//! A word: quotes, escapes, variables, the output of other commands.

use super::Word;
use super::parser::Parser;

/// Parentheses within each other that are followed.
const DEEPEST: usize = 32;

/// A word in the making.
#[derive(Default)]
struct Draft {
    text: String,
    start: usize,
    unseen: Option<String>,
    /// Pieces that stood unquoted or in quotes; one substitution alone makes the word its output.
    pieces: usize,
    substitution: Option<String>,
    /// It begins, unquoted, with what is not known: a shell may make several words of it, or none.
    several: bool,
    /// All of it stands within one pair of quotes: the bytes between them.
    within: Option<(usize, usize)>,
}

impl Parser<'_> {
    pub(super) fn word(&mut self) -> Option<Word> {
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
                    if next == '{' && self.braces_expand() {
                        draft.unseen = Some("a shell may make several words of its braces".to_owned());
                    }
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
        Some(Word {
            text: draft.text,
            span: self.text.span(range),
            unseen: draft.unseen,
            substitution,
            several: draft.several,
        })
    }

    /// `{a,b}`, `{0..2}`: bash makes several words of it, and sh does not.
    fn braces_expand(&self) -> bool {
        let inner = self.rest().split_once('}').map_or("", |(inner, _)| inner);
        !inner.contains(char::is_whitespace) && (inner.contains(',') || inner.contains(".."))
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
        let begins = draft.text.is_empty() && !quoted;
        if rest.starts_with('`') {
            draft.several |= begins;
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
            draft.several |= begins;
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
            // `$@`, `$*`: the words that the script is given
            if let Some(all @ ('@' | '*')) = self.peek() {
                draft.unseen = Some("the script is given it".to_owned());
                draft.several = true;
                draft.text.push(all);
                self.at += 1;
            }
            // `$?`, `$#`, `$!`, `$$`
            if let Some(own @ ('?' | '#' | '!' | '$')) = self.peek() {
                draft.unseen = Some("the shell makes it when it runs".to_owned());
                draft.text.push(own);
                self.at += 1;
            }
            return Some(());
        }
        // `"${options[@]}"`: as many words as the array has
        if name.contains("[@]") || name.contains("[*]") || matches!(name, "@" | "*") {
            draft.unseen = Some("it stands for the words of an array".to_owned());
            draft.several = true;
            draft.text.push_str(rest.get(..length).unwrap_or_default());
            self.at += length;
            return Some(());
        }
        // an unquoted value is split at its blanks
        let known = self.variables.get(name).filter(|value| quoted || !value.contains(char::is_whitespace));
        match known {
            Some(value) => draft.text.push_str(value),
            None => {
                draft.unseen = Some(format!("the variable {name} is set elsewhere"));
                draft.several |= begins;
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
        if self.is_script {
            draft.text.push_str(&format!("$({inner})"));
            return;
        }
        draft.text.push_str(&inner);
        draft.substitution = Some(inner);
    }
}
