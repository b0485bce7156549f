//! Characters that a terminal or a page would obey instead of showing them, written as what they are: `\u{202e}`.
//!
//! Names come from the sources. One with an escape sequence, a carriage return or a change of writing direction could
//! show another text than it has.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character moves the cursor, changes the direction of writing or takes no place at all. Line breaks and tabs
/// do none of it.
pub fn is_hidden(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => true,
        '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => letter.is_control(),
    }
}

/// Nothing in a text is hidden; nearly every text is plain ASCII, which is found out without decoding it.
fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t')) || !text.contains(is_hidden)
}

/// Text for people.
pub fn visible(text: &str) -> Cow<'_, str> {
    if is_visible(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_hidden(letter) {
            // writing into a String cannot fail
            let _ = write!(out, "{}", letter.escape_unicode());
        } else {
            out.push(letter);
        }
    }
    Cow::Owned(out)
}

/// A name within a line of text for people: it begins no line of its own either.
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    let shown = visible(text);
    if !shown.contains(['\n', '\t']) {
        return shown;
    }
    Cow::Owned(shown.replace('\n', "\\n").replace('\t', "\\t"))
}

/// JSON that was printed: outside ASCII, characters stand within strings alone, where JSON has escapes of its own.
pub fn json(text: String) -> String {
    if is_visible(&text) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_hidden(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_obeyed_is_spelled_out() {
        assert_eq!(visible("a\u{202e}b\u{1b}[8mc\rd"), "a\\u{202e}b\\u{1b}[8mc\\u{d}d");
        assert_eq!(visible("größe\n\tb"), "größe\n\tb");
        assert_eq!(on_one_line("größe\n\tb"), "größe\\n\\tb");
        let printed = serde_json::to_string("a\u{202e}\u{e0041}").unwrap();
        assert_eq!(json(printed.clone()), r#""a\u202e\udb40\udc41""#);
        assert_eq!(serde_json::from_str::<String>(&json(printed)).unwrap(), "a\u{202e}\u{e0041}");
    }
}
