//! Secrets by their looks: what no output may show, in whatever file and embedding it stands.
//!
//! The dialects say where secrets are that they know (values of Secrets, passwords of commands). This is the net beneath
//! them: lines beside a finding are shown too, and they may be of any kind.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Names whose value is a secret, at the end of a longer name too. A path or a reference behind one is none.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "cookie",
    "api_key",
    "api-key",
    "apikey",
    "admin_key",
    "secret_key",
    "access_key",
    "private_key",
    "keyring",
    "credential",
    "credentials",
    "inline_bytes",
    "inline_string",
];
/// Options of commands whose next word is a secret or has one in it.
const OPTIONS: &[&str] =
    &["-u", "--user", "-U", "--proxy-user", "--pass", "--proxy-pass", "--oauth2-bearer", "-passin", "-pass"];

/// Secrets in a file's text, in no order.
pub(super) fn in_file(text: &str) -> Vec<Range<usize>> {
    let mut found = in_message(text);
    let mut offset = 0;
    // what follows a name on the lines below it: the indentation of the name, and whether items of a list count
    let mut below: Option<(usize, bool)> = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let indent = content.len() - content.trim_start().len();
        match below {
            Some((least, items))
                if content.is_empty()
                    || indent > least
                    || items && content.trim_start().starts_with("- ") =>
            {
                found.push(offset + indent..offset + content.len().max(indent));
            }
            _ => {
                below = None;
                named(content, offset, &mut found, &mut below);
            }
        }
        offset += line.len();
    }
    found
}

/// Secrets in a sentence: private keys and the user of a URL.
pub(super) fn in_message(text: &str) -> Vec<Range<usize>> {
    let mut found = private_keys(text);
    found.extend(encoded_private_keys(text));
    // user:word@host, with or without a scheme before it; an image's digest is none
    for (at, _) in text
        .match_indices('@')
        .filter(|(at, _)| !text.get(*at..).is_some_and(|rest| rest.starts_with("@sha256")))
    {
        let before = text.get(..at).unwrap_or_default();
        let delimits = |letter: &char| letter.is_whitespace() || "/\"'`,=()[]{}<>@".contains(*letter);
        let length: usize =
            before.chars().rev().take(256).take_while(|letter| !delimits(letter)).map(char::len_utf8).sum();
        let user = before.get(at - length..).unwrap_or_default();
        // neither is an address in a certificate
        if user.starts_with("email:") {
            continue;
        }
        // a name alone is no secret
        found.extend(user.find(':').map(|colon| at - length + colon + 1..at));
    }
    // ?token=… of a URL
    for (at, _) in text.match_indices(['?', '&']) {
        let rest = text.get(at + 1..).unwrap_or_default();
        let name = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '_' | '-'));
        let Some((name, value)) = name.and_then(|end| rest.split_at_checked(end)) else { continue };
        let lower = name.to_ascii_lowercase();
        if let Some(value) =
            value.strip_prefix('=').filter(|_| NAMES.iter().any(|known| lower.ends_with(known)))
        {
            let start = at + 1 + name.len() + 1;
            let end =
                value.find(|letter: char| matches!(letter, '&' | '"' | '\'' | '#') || letter.is_whitespace());
            found.push(start..start + end.unwrap_or(value.len()));
        }
    }
    found
}

/// The values of telling names on one line.
fn named(line: &str, offset: usize, found: &mut Vec<Range<usize>>, below: &mut Option<(usize, bool)>) {
    // nothing tells here: the usual line
    if !line.contains([':', '=', ' ']) {
        return;
    }
    let mut at = 0;
    while let Some((start, word)) = next_word(line, at) {
        at = start + word.len();
        let lower = word.to_ascii_lowercase();
        // `auth-tls-secret: edge/ca` and `tls-secret` name a Secret: they are references
        let telling = NAMES.iter().any(|name| lower.ends_with(name)) && !lower.ends_with("-secret");
        let option = OPTIONS.contains(&word);
        let key = lower == "key" || lower == "client_key";
        if !telling && !option && !key {
            continue;
        }
        let rest = line.get(at..).unwrap_or_default();
        let header = matches!(lower.as_str(), "authorization" | "cookie");
        let gap = rest.len() - rest.trim_start_matches(['"', '\'', '\\', ' ', ',']).len();
        let after = rest.get(gap..).unwrap_or_default();
        let value_at = match after.strip_prefix([':', '=']) {
            Some(value) => at + gap + (after.len() - value.len()),
            None if option => at + gap,
            // nginx: the value of a header or variable is the next word, in quotes or not
            None if header || line.trim_start().starts_with("set $") => at,
            // `secret tls` in a sentence is no assignment
            None => continue,
        };
        let value = line.get(value_at..).unwrap_or_default();
        let lead = value.len() - value.trim_start().len();
        let (start, value) = (value_at + lead, value.trim_start());
        if value.is_empty() || value.starts_with(['|', '>']) {
            let indent = line.len() - line.trim_start().len();
            if !value.is_empty() || lower.ends_with("keyring") {
                *below = Some((indent, value.is_empty()));
            }
            continue;
        }
        let length = value_length(value);
        let inner = value.get(..length).unwrap_or_default().trim_matches(['"', '\'', '\\']);
        // the beginning tells: a line may be long and full of names
        let inner =
            inner.char_indices().nth(256).map_or(inner, |(end, _)| inner.get(..end).unwrap_or_default());
        let plain = inner.starts_with(['/', '.', '$', '{', '[', '@', '*']) || inner.starts_with("-----BEGIN");
        let random = inner.len() >= 16
            && inner.bytes().any(|byte| byte.is_ascii_digit())
            && !inner.contains(['.', '/', ' ', '=']);
        if plain || (key && !random) || matches!(inner, "" | "true" | "false" | "null" | "~") {
            continue;
        }
        found.push(offset + start..offset + start + length);
        at = start + length;
    }
}

/// The next run of letters, digits, `_` and `-` from an offset.
fn next_word(line: &str, from: usize) -> Option<(usize, &str)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let rest = line.get(from..)?;
    let start = rest.find(is_part)?;
    let word = rest.get(start..)?;
    let end = word.find(|letter| !is_part(letter)).unwrap_or(word.len());
    Some((from + start, word.get(..end)?))
}

/// How much of a line is the value that it starts with: a quoted one to its quote, a plain one to the end of the line
/// (a password may have any character in it).
fn value_length(value: &str) -> usize {
    // JSON within a string escapes its quotes
    for quote in ["\\\"", "\"", "'"] {
        let Some(rest) = value.strip_prefix(quote) else { continue };
        let escaped =
            |at: usize| quote == "\"" && rest.get(..at).is_some_and(|before| before.ends_with('\\'));
        let end = rest.match_indices(quote).map(|(at, _)| at).find(|at| !escaped(*at));
        return end.map_or(value.len(), |end| quote.len() + end + quote.len());
    }
    value.len()
}

/// The bodies of PEM blocks of private keys, in any embedding that keeps their armour.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut blocks = text.match_indices("-----BEGIN ").map(|(at, armour)| at + armour.len()).peekable();
    while let Some(start) = blocks.next() {
        let end = blocks.peek().copied().unwrap_or(text.len());
        let block = text.get(start..end).unwrap_or_default();
        let Some((label, body)) =
            block.split_once("-----").filter(|(label, _)| label.ends_with("PRIVATE KEY"))
        else {
            continue;
        };
        let body_start = start + label.len() + "-----".len();
        found.push(body_start..body_start + body.find("-----END").unwrap_or(body.len()));
    }
    found
}

/// Base64 of PEM with a private key in it: `-----BEGIN` begins so, and so does base64 of that once more.
fn encoded_private_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for armour in ["LS0tLS1CRUdJTi", "TFMwdExTMUNSVWRKVG"] {
        let mut from = 0;
        while let Some(next) = text.get(from..).and_then(|rest| rest.find(armour)) {
            let at = from + next;
            let rest = text.get(at..).unwrap_or_default();
            let is_base64 =
                |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '=');
            let length = rest.find(|letter| !is_base64(letter)).unwrap_or(rest.len());
            from = at + length;
            // the label is at the beginning: a hundred letters tell; certificates are public and stay
            let whole = rest.get(..length.min(160) / 4 * 4).unwrap_or_default();
            let mut decoded = STANDARD.decode(whole).unwrap_or_default();
            if !decoded.starts_with(b"-----") {
                decoded = STANDARD
                    .decode(decoded.get(..decoded.len() / 4 * 4).unwrap_or_default())
                    .unwrap_or_default();
            }
            let label = decoded.get(..60.min(decoded.len())).unwrap_or_default();
            if !label.windows(11).any(|part| part == b"CERTIFICATE") {
                found.push(at..at + length);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for range in in_file(text) {
            bytes[range].fill(b'*');
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn private_keys_are_found_wherever_they_stand() {
        let text = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n  -----BEGIN EC PRIVATE KEY-----\n  \
                    QUJD\n  -----END EC PRIVATE KEY-----\n{\"k\":\"-----BEGIN PRIVATE KEY-----\\nQUJD";
        let shown = masked(text);
        assert!(!shown.contains("QUJD"), "{shown}");
        assert!(shown.contains("\nAA\n"));
        let once = STANDARD.encode("-----BEGIN RSA PRIVATE KEY-----\nMIIEpQIBAAKCAQEA\n");
        let twice = STANDARD.encode(&once);
        let public = STANDARD.encode("-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n");
        let shown = masked(&format!("a: {once}\nb: {twice}\nc: {public}\n"));
        assert!(!shown.contains(&once) && !shown.contains(&twice) && shown.contains(&public), "{shown}");
    }

    #[test]
    fn values_of_telling_names_are_hidden_and_paths_and_references_are_not() {
        for (line, expected) in [
            ("password: word", "password: ****"),
            ("  \"dbPassword\": \"a \\\" b\", \"x\": 1", "  \"dbPassword\": ********, \"x\": 1"),
            (
                "proxy_set_header Authorization \"Bearer abc\";",
                "proxy_set_header Authorization ************;",
            ),
            ("curl -u me:word https://a", "curl -u *****************"),
            ("url: https://me:word@a/b", "url: https://me:****@a/b"),
            ("key: edd1c9f034335f136f87ad84b625c8f1", "key: ********************************"),
            ("key: tls.crt", "key: tls.crt"),
            ("secretName: gateway-tls", "secretName: gateway-tls"),
            ("secret:", "secret:"),
            ("  secretKeyRef:", "  secretKeyRef:"),
            ("client_key: /etc/a.key", "client_key: /etc/a.key"),
            ("private_key: {filename: /etc/a.key}", "private_key: {filename: /etc/a.key}"),
            ("token: $TOKEN", "token: $TOKEN"),
            ("# the Secret tls is a secret", "# the Secret tls is a secret"),
        ] {
            assert_eq!(masked(line), expected);
        }
        assert_eq!(masked("password: |\n  ab\n  cd\nnext: 1\n"), "password: |\n  **\n  **\nnext: 1\n");
        assert_eq!(masked("keyring:\n- abcd\nnext: 1\n"), "keyring:\n******\nnext: 1\n");
    }
}
