//! Paths and hosts as nginx has them in its variables, and patterns as PCRE refuses them.

/// Whether a pattern is no regular expression in any dialect: brackets that do not close, nothing to repeat.
pub fn is_no_regex(pattern: &str) -> bool {
    let mut depth = 0_usize;
    let mut in_class = false;
    let mut class_start = false;
    let mut repeatable = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            if chars.next().is_none() {
                return true;
            }
            repeatable = true;
            class_start = false;
            continue;
        }
        if in_class {
            // a closing bracket right after the opening one is a member
            match c {
                ']' if !class_start => {
                    in_class = false;
                    repeatable = true;
                }
                '^' if class_start => continue,
                _ => {}
            }
            class_start = false;
            continue;
        }
        match c {
            '[' => {
                in_class = true;
                class_start = true;
            }
            '(' => {
                depth += 1;
                repeatable = false;
                // the question mark of a group is no repetition
                if chars.as_str().starts_with('?') {
                    chars.next();
                }
            }
            ')' if depth == 0 => return true,
            ')' => {
                depth -= 1;
                repeatable = true;
            }
            '*' | '+' | '?' if !repeatable => return true,
            '|' => repeatable = false,
            _ => repeatable = true,
        }
    }
    depth > 0 || in_class
}

/// nginx's `$uri`: without the query, decoded, dot segments and doubled slashes resolved.
pub fn normalised(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let decoded = decoded(path);
    let mut parts: Vec<&str> = Vec::new();
    let mut open = true;
    for part in decoded.split('/') {
        open = matches!(part, "" | "." | "..");
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut out = String::new();
    for part in &parts {
        out.push('/');
        out.push_str(part);
    }
    if open || out.is_empty() {
        out.push('/');
    }
    out
}

fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = (*byte == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        match escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// nginx's `$host`: without port and final dot, in lower case.
pub fn host_of(header: &str) -> String {
    let name = match header.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => format!("[{address}]"),
        None => header.split(':').next().unwrap_or_default().to_owned(),
    };
    name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase()
}
