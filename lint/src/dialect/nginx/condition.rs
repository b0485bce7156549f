//! The condition of an `if` (ngx_http_rewrite_if_condition).

/// A variable compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition<'c> {
    /// The variable, without `$`.
    variable: &'c str,
    comparison: Comparison<'c>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison<'c> {
    /// Neither empty nor `0`.
    Set,
    Equal {
        value: &'c str,
        negated: bool,
    },
    Matches {
        pattern: &'c str,
        insensitive: bool,
        negated: bool,
    },
}

impl<'c> Condition<'c> {
    /// Reads `($name)`, `($name = value)` and their relatives; None for files and what is no condition.
    pub fn read(written: &'c str) -> Option<Self> {
        let inner = written.trim().strip_prefix('(')?.strip_suffix(')')?.trim();
        let rest = inner.strip_prefix('$')?;
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        let (variable, rest) = rest.split_at(end.unwrap_or(rest.len()));
        let rest = rest.trim_start();
        let (operator, value) =
            rest.split_once(' ').map_or((rest, ""), |(operator, value)| (operator, value.trim()));
        let comparison = match operator {
            "" => Comparison::Set,
            "=" | "!=" => Comparison::Equal { value, negated: operator == "!=" },
            "~" | "~*" | "!~" | "!~*" => Comparison::Matches {
                pattern: value,
                insensitive: operator.ends_with('*'),
                negated: operator.starts_with('!'),
            },
            _ => return None,
        };
        Some(Self { variable, comparison })
    }

    /// It compares `$ssl_client_verify` with a value that it never has: `SUCCESS`, `NONE` and `FAILED:reason` are all.
    pub fn is_never_true(&self) -> bool {
        let never = |value: &str| !matches!(value, "SUCCESS" | "NONE") && !value.starts_with("FAILED:");
        self.variable == "ssl_client_verify"
            && matches!(self.comparison, Comparison::Equal { value, negated: false } if !value.contains('$') && never(value))
    }

    /// It holds neither for a certificate that passed nor for this other result of `$ssl_client_verify`.
    pub fn is_idle(&self, other: &str) -> bool {
        let holds =
            |result: &str| self.holds(|name| (name == "ssl_client_verify").then(|| result.to_owned()));
        holds("SUCCESS") == Some(false) && holds(other) == Some(false)
    }

    /// Whether it holds with these values; None where that cannot be told.
    pub fn holds(&self, value_of: impl Fn(&str) -> Option<String>) -> Option<bool> {
        let own = value_of(self.variable)?;
        match self.comparison {
            Comparison::Set => Some(!own.is_empty() && own != "0"),
            // the value may hold variables of its own
            Comparison::Equal { value, .. } if value.contains('$') => None,
            Comparison::Equal { value, negated } => Some((own == value) != negated),
            Comparison::Matches { pattern, insensitive, negated } => {
                let mut builder = regex_lite::RegexBuilder::new(pattern);
                let regex = builder.case_insensitive(insensitive).build().ok()?;
                Some(regex.is_match(&own) != negated)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_conditions_tell_nothing_apart() {
        const FAILED: &str = "FAILED:self-signed certificate";
        for (written, other, idle) in [
            ("($ssl_client_verify = NONE)", FAILED, true),
            ("($ssl_client_verify = NONE)", "NONE", false),
            ("($ssl_client_verify ~ ^FAILED)", "NONE", true),
            ("($ssl_client_verify ~ ^FAILED)", FAILED, false),
            ("($ssl_client_verify != SUCCESS)", "NONE", false),
            ("($ssl_client_verify != FAILED)", FAILED, false),
            ("($ssl_client_s_dn = NONE)", "NONE", false),
        ] {
            assert_eq!(Condition::read(written).unwrap().is_idle(other), idle, "{written}, {other}");
        }
    }

    #[test]
    fn conditions_are_true_false_or_unknown() {
        for (written, verify, expected) in [
            ("($ssl_client_verify != SUCCESS)", "NONE", Some(true)),
            ("($ssl_client_verify != SUCCESS)", "SUCCESS", Some(false)),
            ("( $ssl_client_verify = NONE )", "NONE", Some(true)),
            ("($ssl_client_verify ~* ^failed)", "FAILED:x", Some(true)),
            ("($ssl_client_verify !~ SUCCESS)", "SUCCESS", Some(false)),
            ("($ssl_client_verify)", "NONE", Some(true)),
            ("($ssl_client_verify = $other)", "NONE", None),
            ("($ssl_client_verify ~ (?=a))", "NONE", None),
            ("($other = NONE)", "NONE", None),
            ("(-f $request_filename)", "NONE", None),
        ] {
            let value = |name: &str| (name == "ssl_client_verify").then(|| verify.to_owned());
            let holds = Condition::read(written).and_then(|condition| condition.holds(value));
            assert_eq!(holds, expected, "{written} with {verify}");
        }
    }
}
