//! Text that is filled in before a manifest is applied: by a template, a script or a person.

/// Whether what a text will be is not known yet: `${HOST}`, `$HOST`, `$(HOST)`, `{{ .host }}`, `[[ .host ]]`, `<host>`,
/// `__HOST__`, `%HOST%`, `@HOST@`, `REPLACE_ME`.
pub fn is_placeholder(text: &str) -> bool {
    let opened = ["${", "$(", "{{", "[[", "<"].iter().any(|start| text.contains(start));
    let variable = || {
        text.split('$').skip(1).any(|rest| rest.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()))
    };
    opened
        || variable()
        || ["__", "%", "@"].iter().any(|mark| has_marked_name(text, mark))
        || ASKED_FOR.iter().any(|words| text.starts_with(words))
}

/// How texts begin that ask for a value.
const ASKED_FOR: [&str; 6] = ["REPLACE", "CHANGEME", "CHANGE_ME", "CHANGE-ME", "YOUR_", "TODO"];

/// A name in capitals between two marks.
fn has_marked_name(text: &str, mark: &str) -> bool {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let parts: Vec<&str> = text.split(mark).collect();
    // what stands before the first mark and after the last is not between two
    let within = parts.len().saturating_sub(2);
    parts.iter().skip(1).take(within).any(|part| is_name(part))
}

#[cfg(test)]
mod tests {
    use super::is_placeholder;

    #[test]
    fn what_is_filled_in_later_is_told_from_what_is_meant() {
        for text in [
            "${HOST}.example.com",
            "$IP",
            "$(HOST)",
            "{{ .Values.host }}",
            "[[ .host ]]",
            "<host>",
            "__IP__",
            "%IP%",
            "@IP@",
            "REPLACE_IP",
            "CHANGEME",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in
            ["10.0.0.1", "a@B.example.com", "100%", "%20a%20", "a__b", "spiffe://a/b", "$1", "web", "replace"]
        {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
