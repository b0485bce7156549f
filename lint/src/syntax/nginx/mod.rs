//! The nginx configuration grammar: words, quotes, escapes, comments, blocks, Lua blocks.
//!
//! Read as `ngx_conf_read_token` reads it (src/core/ngx_conf_file.c), whatever the modules: which directives exist
//! and what they mean is the dialect's. A mistake becomes a [`Problem`] and the rest is still read.

mod lua;
#[cfg(test)]
mod tests;
mod words;

use std::ops::Range;

use crate::source::{Located, Span, Text};
use words::{End, Word};

/// What a text held: its directives, and what nginx would refuse.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// The directives of the outermost level.
    pub directives: Vec<Directive>,
    /// Mistakes in the order of the text; nginx stops at the first.
    pub problems: Vec<Problem>,
}

/// A directive with its words and, if it opens one, its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The first word.
    pub name: Located<String>,
    /// The other words, quotes and escapes resolved. The code of a Lua block is its directive's last argument.
    pub arguments: Vec<Located<String>>,
    /// What stands in its braces.
    pub block: Option<Vec<Directive>>,
    /// From the first word to `;` or `}`.
    pub span: Span,
    /// The line of the text (from 1) that nginx names when it refuses the directive: that of its `;` or `{`.
    pub line: usize,
    /// The line of its `}`, for a block; else as `line`.
    pub end_line: usize,
}

/// A mistake of the grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What is wrong and what to do.
    pub message: String,
    /// What nginx says of it, without the ` in FILE:LINE` that follows.
    pub log: String,
    /// The line (from 1) that nginx names.
    pub line: usize,
}

/// Blocks nested deeper than this are not read: no configuration is, and memory stays bounded.
const MAX_DEPTH: usize = 100;
/// Mistakes of one file that are named; nginx itself stops at the first.
const MAX_PROBLEMS: usize = 100;
/// What is said of a comment that hides configuration.
const SWALLOWED: &str = "this comment runs to the end of the text and hides the configuration behind it: a folded YAML \
     scalar (\">\") joins lines; write \"|\" instead, or delete the comment";

/// Reads a configuration, or an excerpt of one.
pub fn parse(text: &Text) -> Parsed {
    let mut parser = Parser {
        text,
        bytes: text.bytes(),
        position: 0,
        open: Vec::new(),
        current: Vec::new(),
        parsed: Parsed::default(),
        open_quotes: 0,
        last_comment: None,
        line_seen: (0, 1),
    };
    parser.run();
    parser.parsed
}

struct Parser<'t> {
    text: &'t Text,
    bytes: &'t [u8],
    position: usize,
    /// Blocks not closed yet: their directive (its span still that of the opening), and the directives before it.
    open: Vec<(Directive, usize, Vec<Directive>)>,
    /// Directives of the innermost open block.
    current: Vec<Directive>,
    parsed: Parsed,
    open_quotes: usize,
    /// Where the last comment began.
    last_comment: Option<usize>,
    /// An offset and its line, to count lines once only.
    line_seen: (usize, usize),
}

impl Parser<'_> {
    fn run(&mut self) {
        loop {
            let (words, end) = self.words();
            if self.parsed.problems.len() >= MAX_PROBLEMS {
                break;
            }
            match end {
                End::BlockOpen if self.open.len() >= MAX_DEPTH => {
                    self.problem(
                        words.first().map_or(0..0, |word| word.start..word.end),
                        format!("blocks are nested more than {MAX_DEPTH} deep: the rest is not read"),
                        "nested too deeply",
                    );
                    break;
                }
                End::Semicolon if words.is_empty() => self.unexpected(";", "delete it"),
                End::Semicolon => {
                    let directive = self.directive(&words, None, self.position);
                    self.current.extend(directive);
                }
                End::BlockOpen if words.is_empty() => {
                    self.unexpected("{", "write the name of a block before it");
                    // read on as if it had one, so that its end is not taken for another's
                    let here = self.text.span(self.position.saturating_sub(1)..self.position);
                    self.open_block(Directive {
                        name: Located::new(String::new(), here),
                        arguments: Vec::new(),
                        block: Some(Vec::new()),
                        span: here,
                        line: 0,
                        end_line: 0,
                    });
                }
                End::BlockOpen => {
                    if words.first().is_some_and(|name| name.value.ends_with(b"_by_lua_block")) {
                        self.lua_block(words);
                    } else if let Some(directive) = self.directive(&words, Some(Vec::new()), self.position) {
                        self.open_block(directive);
                    }
                }
                End::BlockClose => {
                    if let Some(last) = words.last() {
                        let place = last.start..last.end;
                        self.problem(
                            place,
                            "unexpected \"}\": the directive before it is not ended; write \";\" after it",
                            "unexpected \"}\"",
                        );
                        let directive = self.directive(&words, None, self.position.saturating_sub(1));
                        self.current.extend(directive);
                    }
                    self.close_block();
                }
                End::File => {
                    self.end_of_file(&words);
                    break;
                }
            }
        }
        while let Some((mut directive, _, before)) = self.open.pop() {
            directive.block = Some(std::mem::replace(&mut self.current, before));
            directive.span.end = self.text.span(self.position..self.position).start.max(directive.span.end);
            self.current.push(directive);
        }
        self.parsed.directives = std::mem::take(&mut self.current);
    }

    fn open_block(&mut self, directive: Directive) {
        let before = std::mem::take(&mut self.current);
        self.open.push((directive, self.position.saturating_sub(1), before));
    }

    fn close_block(&mut self) {
        let Some((mut directive, _, before)) = self.open.pop() else {
            return self.unexpected("}", "delete it, or open its block");
        };
        directive.block = Some(std::mem::replace(&mut self.current, before));
        directive.span.end =
            self.text.span(self.position.saturating_sub(1)..self.position).end.max(directive.span.start);
        directive.end_line = self.line(self.position);
        // a block without a name is reported already and means nothing
        if !directive.name.value.is_empty() {
            self.current.push(directive);
        }
    }

    fn end_of_file(&mut self, words: &[Word]) {
        let comment = self.swallowing_comment();
        if let (Some(first), Some(last)) = (words.first(), words.last()) {
            let place = comment.clone().unwrap_or(last.start..last.end);
            let message = match comment {
                Some(_) => SWALLOWED.to_owned(),
                None => format!(
                    "unexpected end of file, expecting \";\" or \"}}\": \"{}\" is not ended; write \";\" after it",
                    String::from_utf8_lossy(&first.value)
                ),
            };
            self.problem(place, message, "unexpected end of file, expecting \";\" or \"}\"");
            let directive = self.directive(words, None, self.position);
            self.current.extend(directive);
        } else if let Some((directive, brace, _)) = self.open.last() {
            let place = comment.clone().unwrap_or(*brace..brace.saturating_add(1));
            let message = match comment {
                Some(_) => SWALLOWED.to_owned(),
                None => format!(
                    "unexpected end of file, expecting \"}}\": the block of \"{}\" is not closed; write \"}}\"",
                    directive.name.value
                ),
            };
            self.problem(place, message, "unexpected end of file, expecting \"}\"");
        }
    }

    /// A comment that runs to the end of the text and has configuration in it: lines joined by a folded scalar.
    fn swallowing_comment(&self) -> Option<Range<usize>> {
        let start = self.last_comment?;
        let rest = self.bytes.get(start..)?.trim_ascii_end();
        let joined = !rest.contains(&b'\n') && rest.contains(&b';') && rest.contains(&b'}');
        joined.then(|| start..start.saturating_add(rest.len()))
    }

    fn directive(&mut self, words: &[Word], block: Option<Vec<Directive>>, end: usize) -> Option<Directive> {
        let (name, arguments) = words.split_first()?;
        let line = self.line(self.position);
        Some(Directive {
            line,
            end_line: line,
            name: self.located(name),
            arguments: arguments.iter().map(|word| self.located(word)).collect(),
            block,
            span: self.text.span(name.start..end.max(name.end)),
        })
    }

    fn located(&self, word: &Word) -> Located<String> {
        Located::new(String::from_utf8_lossy(&word.value).into_owned(), self.text.span(word.start..word.end))
    }

    fn unexpected(&mut self, what: &str, to_do: &str) {
        let place = self.position.saturating_sub(1)..self.position;
        let log = format!("unexpected \"{what}\"");
        self.problem(place, format!("{log}; {to_do}"), &log);
    }

    fn problem(&mut self, range: Range<usize>, message: impl Into<String>, log: &str) {
        if self.parsed.problems.len() >= MAX_PROBLEMS {
            return;
        }
        // nginx names the line at which its reading stopped
        let line = self.line(self.position.max(range.start));
        self.parsed.problems.push(Problem {
            span: self.text.span(range),
            message: message.into(),
            log: log.to_owned(),
            line,
        });
    }

    /// The line of an offset; cheap where offsets rise.
    fn line(&mut self, offset: usize) -> usize {
        let (seen, line) = self.line_seen;
        let line = if offset >= seen {
            line + newlines(self.bytes, seen, offset)
        } else {
            1 + newlines(self.bytes, 0, offset)
        };
        self.line_seen = (offset, line);
        line
    }
}

fn newlines(bytes: &[u8], from: usize, to: usize) -> usize {
    bytes.get(from..to.min(bytes.len())).unwrap_or_default().iter().filter(|&&byte| byte == b'\n').count()
}
