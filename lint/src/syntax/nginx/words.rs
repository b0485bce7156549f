//! Words: bare, quoted, too long; and what ends them.

use super::{MAX_PROBLEMS, Parser};

/// Open quotes mended in one text; each costs a scan to its end.
const MAX_OPEN_QUOTES: usize = 16;
/// `NGX_CONF_BUFFER`: nginx refuses a word of this many bytes.
const CONF_BUFFER: usize = 4096;

/// What ended the words of a directive.
pub(super) enum End {
    Semicolon,
    BlockOpen,
    BlockClose,
    File,
}

/// A word, its quotes and escapes resolved.
pub(super) struct Word {
    pub value: Vec<u8>,
    pub start: usize,
    pub end: usize,
}

impl Parser<'_> {
    /// The words up to the next `;`, `{`, `}` or the end of the text.
    pub(super) fn words(&mut self) -> (Vec<Word>, End) {
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
