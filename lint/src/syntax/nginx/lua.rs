//! Blocks of Lua code, read as one word.

use super::Parser;
use super::words::Word;
use crate::source::Located;

impl Parser<'_> {
    /// Lua code up to the brace that closes it, as lua-nginx-module's lexer balances it.
    pub(super) fn lua_block(&mut self, words: Vec<Word>) {
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
