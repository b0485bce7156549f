//! The nginx configuration grammar: words, quotes, escapes, comments, blocks, Lua blocks.
//!
//! Read as `ngx_conf_read_token` reads it (src/core/ngx_conf_file.c), whatever the modules: which directives exist
//! and what they mean is the dialect's. A mistake becomes a [`Problem`] and the rest is still read.

use crate::source::{Located, Span, Text};

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
/// Open quotes mended in one text; each costs a scan to its end.
const MAX_OPEN_QUOTES: usize = 16;
/// `NGX_CONF_BUFFER`: nginx refuses a word of this many bytes.
const CONF_BUFFER: usize = 4096;

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

/// What ended the words of a directive.
enum End {
    Semicolon,
    BlockOpen,
    BlockClose,
    File,
}

struct Word {
    value: Vec<u8>,
    start: usize,
    end: usize,
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
    fn swallowing_comment(&self) -> Option<std::ops::Range<usize>> {
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

    /// The words up to the next `;`, `{`, `}` or the end of the text.
    fn words(&mut self) -> (Vec<Word>, End) {
        let mut words: Vec<Word> = Vec::new();
        while let Some(&byte) = self.bytes.get(self.position) {
            if self.parsed.problems.len() >= MAX_PROBLEMS {
                break;
            }
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.position += 1,
                b'#' => {
                    let start = self.position;
                    self.last_comment = Some(start);
                    let rest = self.bytes.get(start..).unwrap_or_default();
                    let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
                    self.position += length;
                    if length >= CONF_BUFFER {
                        // seen on 1.22: comments fill the buffer as words do
                        self.too_long(start, rest.get(..length).unwrap_or(rest), None);
                    }
                }
                b';' => {
                    self.position += 1;
                    return (words, End::Semicolon);
                }
                b'{' => {
                    self.position += 1;
                    return (words, End::BlockOpen);
                }
                b'}' => {
                    self.position += 1;
                    return (words, End::BlockClose);
                }
                b'"' | b'\'' => words.push(self.quoted(byte)),
                _ => words.push(self.bare()),
            }
        }
        (words, End::File)
    }

    /// A word without quotes: it ends at white space, `;` or `{`, unless that is escaped or opens `${`.
    fn bare(&mut self) -> Word {
        let start = self.position;
        let mut variable = false;
        while let Some(&byte) = self.bytes.get(self.position) {
            match byte {
                b'\\' => {
                    variable = false;
                    self.position = (self.position + 2).min(self.bytes.len());
                    continue;
                }
                b'{' if variable => {}
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' => break,
                _ => variable = byte == b'$',
            }
            self.position += 1;
        }
        let raw = self.bytes.get(start..self.position).unwrap_or_default();
        if raw.len() >= CONF_BUFFER {
            self.too_long(start, raw, None);
        }
        Word { value: unescape(raw), start, end: self.position }
    }

    /// A word in quotes. One that is never closed is taken to end with its line.
    fn quoted(&mut self, quote: u8) -> Word {
        let start = self.position;
        let mut end = start + 1;
        let mut closed = false;
        while let Some(&byte) = self.bytes.get(end) {
            if byte == b'\\' {
                end += 2;
            } else if byte == quote {
                closed = true;
                break;
            } else {
                end += 1;
            }
        }
        end = end.min(self.bytes.len());
        if !closed {
            let mark = char::from(quote);
            let log = if end - start > CONF_BUFFER {
                format!("too long parameter, probably missing terminating \"{mark}\" character")
            } else {
                "unexpected end of file, expecting \";\" or \"}\"".to_owned()
            };
            // nginx reads on to the end in vain
            self.position = end;
            self.problem(
                start..start + 1,
                format!("this {mark} is never closed; write another {mark}"),
                &log,
            );
            self.open_quotes += 1;
            if self.open_quotes <= MAX_OPEN_QUOTES {
                let rest = self.bytes.get(start..end).unwrap_or_default();
                let line = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
                let line = rest.get(..line).unwrap_or_default().trim_ascii_end();
                // what ends the directive is not part of the word
                let line = line.strip_suffix(b";").unwrap_or(line);
                end = start + line.len().max(1);
            }
            self.position = end;
            let raw = self.bytes.get(start + 1..end).unwrap_or_default();
            return Word { value: unescape(raw), start, end };
        }
        self.position = end + 1;
        let raw = self.bytes.get(start + 1..end).unwrap_or_default();
        if raw.len() >= CONF_BUFFER {
            self.too_long(start + 1, raw, Some(char::from(quote)));
        } else if raw.len() + 1 == CONF_BUFFER {
            self.too_long(start + 1, raw, None);
        }
        let word = Word { value: unescape(raw), start, end: self.position };
        // after a quote comes white space or what ends the directive; ")" is let through for `if ($x = "y")`
        match self.bytes.get(self.position) {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b')') => {}
            Some(_) => {
                let next = char_at(self.bytes, self.position);
                let place = self.position..self.position + next.len_utf8();
                self.problem(
                    place,
                    format!(
                        "unexpected \"{next}\" after the closing quote; write a space or \";\" between them"
                    ),
                    &format!("unexpected \"{next}\""),
                );
            }
        }
        word
    }

    fn too_long(&mut self, start: usize, raw: &[u8], quote: Option<char>) {
        let log = match quote {
            Some(quote) => format!("too long parameter, probably missing terminating \"{quote}\" character"),
            None => {
                let beginning = String::from_utf8_lossy(raw.get(..10).unwrap_or(raw)).into_owned();
                format!("too long parameter \"{beginning}...\" started")
            }
        };
        let message = format!(
            "{} bytes in one word or comment: nginx reads at most {}; shorten it, or close a quote before it",
            raw.len(),
            CONF_BUFFER - 1
        );
        self.problem(start..start + raw.len(), message, &log);
    }

    /// Lua code up to the brace that closes it, as lua-nginx-module's lexer balances it.
    fn lua_block(&mut self, words: Vec<Word>) {
        let start = self.position;
        let end = lua_end(self.bytes, start);
        self.position = end.map_or(self.bytes.len(), |end| end + 1);
        if end.is_none() {
            self.problem(
                start.saturating_sub(1)..start,
                "unexpected end of file, expecting \"}\": the Lua block is not closed; write \"}\"",
                "unexpected end of file, expecting terminating characters for lua code block",
            );
        }
        let code = start..end.unwrap_or(self.bytes.len());
        let Some(mut directive) = self.directive(&words, None, self.position) else { return };
        let value = String::from_utf8_lossy(self.bytes.get(code.clone()).unwrap_or_default()).into_owned();
        directive.arguments.push(Located::new(value, self.text.span(code)));
        self.current.push(directive);
    }

    fn unexpected(&mut self, what: &str, to_do: &str) {
        let place = self.position.saturating_sub(1)..self.position;
        let log = format!("unexpected \"{what}\"");
        self.problem(place, format!("{log}; {to_do}"), &log);
    }

    fn problem(&mut self, range: std::ops::Range<usize>, message: impl Into<String>, log: &str) {
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
}

impl Parser<'_> {
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

const SWALLOWED: &str = "this comment runs to the end of the text and hides the configuration behind it: a folded YAML \
     scalar (\">\") joins lines; write \"|\" instead, or delete the comment";

fn newlines(bytes: &[u8], from: usize, to: usize) -> usize {
    bytes.get(from..to.min(bytes.len())).unwrap_or_default().iter().filter(|&&byte| byte == b'\n').count()
}

/// The character at an offset; what is no UTF-8 shows as a replacement.
fn char_at(bytes: &[u8], at: usize) -> char {
    let rest = bytes.get(at..bytes.len().min(at + 4)).unwrap_or_default();
    String::from_utf8_lossy(rest).chars().next().unwrap_or('\u{fffd}')
}

/// Resolves the escapes that nginx knows, in quotes and out of them; other backslashes stay.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let resolved = match (byte, bytes.peek()) {
            (b'\\', Some(b'"')) => b'"',
            (b'\\', Some(b'\'')) => b'\'',
            (b'\\', Some(b'\\')) => b'\\',
            (b'\\', Some(b't')) => b'\t',
            (b'\\', Some(b'r')) => b'\r',
            (b'\\', Some(b'n')) => b'\n',
            _ => {
                value.push(byte);
                continue;
            }
        };
        value.push(resolved);
        bytes.next();
    }
    value
}

/// The offset of the brace that closes Lua code starting at `start`: braces in strings, long brackets and comments
/// do not count (ngx_http_lua_lex.rl).
fn lua_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            b'"' | b'\'' => {
                at += 1;
                while let Some(&inner) = bytes.get(at) {
                    match inner {
                        b'\\' => at += 1,
                        inner if inner == byte || inner == b'\n' => break,
                        _ => {}
                    }
                    at += 1;
                }
            }
            b'[' => {
                if let Some(end) = long_bracket_end(bytes, at) {
                    at = end?;
                    continue;
                }
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                if bytes.get(at + 2) == Some(&b'[')
                    && let Some(end) = long_bracket_end(bytes, at + 2)
                {
                    at = end?;
                    continue;
                }
                while bytes.get(at).is_some_and(|&byte| byte != b'\n') {
                    at += 1;
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// For `[[` or `[==[` at an offset: the offset past its end (None inside: never closed). None: no long bracket.
fn long_bracket_end(bytes: &[u8], at: usize) -> Option<Option<usize>> {
    let rest = bytes.get(at + 1..)?;
    let level = rest.iter().take_while(|&&byte| byte == b'=').count();
    if rest.get(level) != Some(&b'[') {
        return None;
    }
    let mut inner = at + level + 2;
    while let Some(&byte) = bytes.get(inner) {
        if byte == b']' {
            let equals =
                bytes.get(inner + 1..)?.iter().take(level + 1).take_while(|&&byte| byte == b'=').count();
            if equals == level && bytes.get(inner + 1 + level) == Some(&b']') {
                return Some(Some(inner + level + 2));
            }
        }
        inner += 1;
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::{FileId, Piece};

    fn text(source: &str) -> Text {
        Text::whole(FileId(0), Arc::new(source.as_bytes().to_vec()))
    }

    /// Directives as one line: `name [argument] { … }`.
    fn shown(directives: &[Directive]) -> String {
        let mut out = String::new();
        for directive in directives {
            out.push_str(&directive.name.value);
            for argument in &directive.arguments {
                out.push_str(&format!("[{}]", argument.value));
            }
            match &directive.block {
                Some(block) => out.push_str(&format!("{{{}}}", shown(block))),
                None => out.push(';'),
            }
        }
        out
    }

    #[test]
    fn words_are_read_as_nginx_reads_them() {
        for (source, expected) in [
            ("a b  c;", "a[b][c];"),
            ("a;b;", "a;b;"),
            ("a\t\"b c\" 'd;e';", "a[b c][d;e];"),
            (r#"a "b\"c\\" 'it\'s' \n;"#, "a[b\"c\\][it's][\n];"),
            (r"rewrite ^/\.a\;b$ c;", r"rewrite[^/\.a\;b$][c];"),
            ("return 200 ${a}b;", "return[200][${a}b];"),
            ("return 200 \"${a} {;}\";", "return[200][${a} {;}];"),
            ("a b#c; # d;\n e f;", "a[b#c];e[f];"),
            ("a b}c;", "a[b}c];"),
            ("http{server{listen 80;}}", "http{server{listen[80];}}"),
            ("if ($a = \"b\") { c; }", "if[($a][=][b][)]{c;}"),
            ("location ~ \"^/x{2}$\" { }", "location[~][^/x{2}$]{}"),
            ("a 'multi\nline';", "a[multi\nline];"),
            ("a \"\";", "a[];"),
            ("\u{feff}user x;", "\u{feff}user[x];"),
            ("", ""),
            ("# only a comment", ""),
        ] {
            let parsed = parse(&text(source));
            assert_eq!(shown(&parsed.directives), expected);
            assert_eq!(parsed.problems, [], "{source}");
        }
    }

    #[test]
    fn lua_blocks_are_opaque_and_balanced() {
        for code in [
            " ngx.say('}') ",
            " local t = {a = {1}} -- }\n ",
            " local s = [[ } ]] ",
            " local s = [==[ ]] } ]==] --[[ } \n } ]] ",
            r#" ngx.say("\"}") "#,
            " a[1] = b[#b] ",
            " # not a comment\n x = 'a;b' ",
        ] {
            let parsed = parse(&text(&format!("content_by_lua_block {{{code}}}\nafter it;")));
            assert_eq!(shown(&parsed.directives), format!("content_by_lua_block[{code}];after[it];"));
            assert_eq!(parsed.problems, []);
        }
        let parsed = parse(&text("set_by_lua_block $x { return 1 } a;"));
        assert_eq!(shown(&parsed.directives), "set_by_lua_block[$x][ return 1 ];a;");
    }

    #[test]
    fn mistakes_are_named_as_nginx_names_them_and_the_rest_is_read() {
        let bad_end = "unexpected end of file, expecting \";\" or \"}\"";
        for (source, logs, place, expected) in [
            ("a; } b;", vec!["unexpected \"}\""], "}", "a;b;"),
            ("h { listen 443 ssl\n} b;", vec!["unexpected \"}\""], "ssl", "h{listen[443][ssl];}b;"),
            ("h { a;", vec!["unexpected end of file, expecting \"}\""], "{", "h{a;}"),
            ("a; b c", vec![bad_end], "c", "a;b[c];"),
            ("a \"b;\nc d;", vec![bad_end], "\"", "a[b];c[d];"),
            ("a;; b;", vec!["unexpected \";\""], ";", "a;b;"),
            (
                // a brace in a regular expression without quotes opens a block
                "location ~ ^/x{2}$ { }",
                vec!["unexpected end of file, expecting \"}\""],
                "{",
                "location[~][^/x]{2}${}}",
            ),
            ("{ a; } b;", vec!["unexpected \"{\""], "{", "b;"),
            ("a \"b\"c d;", vec!["unexpected \"c\""], "c", "a[b][c][d];"),
            (
                "content_by_lua_block { x",
                vec!["unexpected end of file, expecting terminating characters for lua code block"],
                "{",
                "content_by_lua_block[ x];",
            ),
        ] {
            let parsed = parse(&text(source));
            let found: Vec<&str> = parsed.problems.iter().map(|problem| problem.log.as_str()).collect();
            assert_eq!(found, logs, "{source}");
            let span = parsed.problems[0].span;
            assert_eq!(&source[span.start as usize..span.end as usize], place, "{source}");
            assert_eq!(shown(&parsed.directives), expected, "{source}");
        }
    }

    #[test]
    fn an_open_quote_of_more_than_a_buffer_is_a_missing_quote() {
        let parsed = parse(&text(&format!("a \"{}", "x".repeat(5000))));
        assert_eq!(
            parsed.problems[0].log,
            "too long parameter, probably missing terminating \"\"\" character"
        );
        let parsed = parse(&text(&format!("a {};", "x".repeat(4096))));
        assert_eq!(parsed.problems[0].log, "too long parameter \"xxxxxxxxxx...\" started");
        assert_eq!(parse(&text(&format!("a {};", "x".repeat(4095)))).problems, []);
        for (quoted, log) in
            [(4096, "too long parameter, probably"), (4095, "too long parameter \"xxxxxxxxxx")]
        {
            let parsed = parse(&text(&format!("a \"{}\";", "x".repeat(quoted))));
            assert!(parsed.problems[0].log.starts_with(log), "{:?}", parsed.problems[0].log);
        }
        let parsed = parse(&text(&format!("#{}\na;", "x".repeat(4095))));
        assert_eq!(parsed.problems[0].log, "too long parameter \"#xxxxxxxxx...\" started");
    }

    #[test]
    fn a_comment_in_joined_lines_hides_what_follows_and_is_named() {
        let source = "events {} # workers http { server { listen 80; } }";
        let parsed = parse(&text(&format!("http {{ {source}")));
        assert!(parsed.problems[0].message.contains("folded"), "{:?}", parsed.problems);
        assert_eq!(parse(&text(source)).problems, []);
    }

    #[test]
    fn spans_lead_through_an_embedding() {
        // outer: "x: >\n  a b\n  c;", inner: "a b c;"
        let pieces = vec![
            Piece { inner: 0, outer: 7, outer_len: 3, verbatim: true },
            Piece { inner: 3, outer: 10, outer_len: 3, verbatim: false },
            Piece { inner: 4, outer: 13, outer_len: 2, verbatim: true },
        ];
        let parsed = parse(&Text::mapped(FileId(0), *b"a b c;", pieces));
        let directive = &parsed.directives[0];
        assert_eq!((directive.span.start, directive.span.end), (7, 15));
        assert_eq!((directive.arguments[1].span.start, directive.arguments[1].span.end), (13, 14));
    }

    #[test]
    fn hostile_input_takes_bounded_work() {
        for source in [
            "a{".repeat(200_000),
            "}".repeat(200_000),
            "\"'".repeat(100_000),
            "a \"\\".repeat(100_000),
            "x_by_lua_block {".repeat(50_000),
            "\0\u{1}\u{7f}é".repeat(50_000),
        ] {
            let parsed = parse(&text(&source));
            assert!(parsed.directives.len() <= source.len());
        }
    }

    #[test]
    fn the_line_of_a_problem_is_the_one_nginx_names() {
        assert_eq!(parse(&text("a;\nb;\n}\n")).problems[0].line, 3);
        assert_eq!(parse(&text("a {\nb c\n}\n")).problems[0].line, 3);
        assert_eq!(parse(&text("a \"b;\nc;\n")).problems[0].line, 3);
    }
}
