//! mtls-lint.yaml → [`Config`]: every mistake is collected, none is passed over.

use super::{Config, Deny, Glob, Ignore, Level};
use crate::assume::Assume;
use crate::finding::{Incomplete, Severity};
use crate::rules::{RULES, find};
use crate::source::{FileId, Located, Sources, Span};
use crate::suggestion::did_you_mean;
use crate::syntax::yaml::{self, Kind, Node};
use crate::time;

/// Keys of the file.
pub(super) const KEYS: &[&str] = &["rules", "ignore", "assume", "paths", "expires-within", "deny"];
/// Keys of an entry of `ignore`.
pub(super) const IGNORE_KEYS: &[&str] = &["rule", "file", "name", "reason", "expires"];
/// Keys of `paths`.
pub(super) const PATHS_KEYS: &[&str] = &["include", "exclude"];
/// Levels of a rule.
pub(super) const LEVELS: &[&str] = &["error", "warning", "advice", "off"];
/// Values of `deny`.
pub(super) const DENY: &[&str] = &["error", "warning", "advice", "never"];

pub(super) fn config(sources: &Sources, file: FileId) -> Result<Config, Vec<Incomplete>> {
    let mut reader = Reader { path: sources.path(file), mistakes: Vec::new() };
    let mut config = Config::default();
    let Some(text) = sources.text(file) else {
        let message = "the configuration was not read".to_owned();
        return Err(vec![Incomplete { file: reader.path.to_owned(), span: None, message }]);
    };
    let parsed = yaml::parse(&text);
    for problem in &parsed.problems {
        reader.wrong(problem.span, problem.message.clone());
    }
    if let Some(second) = parsed.documents.get(1) {
        reader.wrong(second.root().span(), "a second document; one file is one configuration".to_owned());
    }
    if let Some(document) = parsed.documents.first() {
        reader.file(document.root(), &mut config);
    }
    if reader.mistakes.is_empty() { Ok(config) } else { Err(reader.mistakes) }
}

struct Reader<'s> {
    path: &'s str,
    mistakes: Vec<Incomplete>,
}

impl Reader<'_> {
    fn wrong(&mut self, span: Span, message: String) {
        self.mistakes.push(Incomplete { file: self.path.to_owned(), span: Some(span), message });
    }

    fn file(&mut self, root: Node<'_>, config: &mut Config) {
        for (key, value) in self.mapping(root, "the configuration", KEYS) {
            match key {
                "rules" => self.levels(value, config),
                "ignore" => {
                    for entry in self.sequence(value, "ignore") {
                        config.ignores.extend(self.ignore(entry));
                    }
                }
                "assume" => config.assume = self.assume(value),
                "paths" => {
                    for (key, value) in self.mapping(value, "paths", PATHS_KEYS) {
                        let globs = self.texts(value, key).into_iter().map(|glob| Glob::path(&glob.value));
                        match key {
                            "include" => config.paths.include = globs.collect(),
                            _ => config.paths.exclude = globs.collect(),
                        }
                    }
                }
                "expires-within" => {
                    config.expires_within = self.text(value, key).and_then(|text| {
                        let duration = time::parse_duration(&text.value);
                        duration.map_err(|error| self.wrong(text.span, error)).ok()
                    });
                }
                _ => {
                    config.deny = self.word(value, key, DENY).map(|word| match severity(word) {
                        Some(severity) => Deny::From(severity),
                        None => Deny::Never,
                    });
                }
            }
        }
    }

    fn levels(&mut self, node: Node<'_>, config: &mut Config) {
        if node.kind() != Kind::Mapping {
            return self
                .wrong(node.span(), "rules is a mapping; write RULE-ID: off, for instance".to_owned());
        }
        for (key, value) in node.entries() {
            let id = key.as_str().unwrap_or_default();
            let rule = self.rule(id, key.span());
            let level = self.word(value, id, LEVELS);
            if let (Some(rule), Some(level)) = (rule, level) {
                config.levels.push((rule, severity(level).map_or(Level::Off, Level::As)));
            }
        }
    }

    fn ignore(&mut self, node: Node<'_>) -> Option<Ignore> {
        let mut ignore = Ignore {
            rules: Vec::new(),
            files: Vec::new(),
            names: Vec::new(),
            reason: String::new(),
            expires: None,
            span: node.span(),
        };
        for (key, value) in self.mapping(node, "an entry of ignore", IGNORE_KEYS) {
            match key {
                "rule" => {
                    ignore.rules = self.texts(value, key);
                    for rule in &ignore.rules {
                        self.rule(&rule.value, rule.span);
                    }
                }
                "file" => {
                    ignore.files =
                        self.texts(value, key).iter().map(|glob| Glob::path(&glob.value)).collect();
                }
                "name" => {
                    ignore.names =
                        self.texts(value, key).iter().map(|glob| Glob::name(&glob.value)).collect();
                }
                "reason" => {
                    let reason = self.text(value, key).map(|text| text.value).unwrap_or_default();
                    ignore.reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
                }
                _ => ignore.expires = self.text(value, key).and_then(|date| self.date(date)),
            }
        }
        if node.kind() != Kind::Mapping {
            return None;
        }
        if ignore.rules.is_empty() && node.get("rule").is_none() {
            let message = "this entry names no rule; write rule: RULE-ID (mtls-lint rules lists them)";
            self.wrong(node.span(), message.to_owned());
        }
        if !ignore.reason.chars().any(char::is_alphanumeric) {
            let span = node.get("reason").map_or(node.span(), Node::span);
            let message = "this entry has no reason; write reason: and why this is not to be mended";
            self.wrong(span, message.to_owned());
        }
        Some(ignore)
    }

    /// The day is the last one on which it counts.
    fn date(&mut self, date: Located<String>) -> Option<Located<i64>> {
        match time::parse(&format!("{}T00:00:00Z", date.value)) {
            Ok(at) => Some(Located::new(at + 86_400, date.span)),
            Err(_) => {
                self.wrong(date.span, format!("{} is no date; write 2027-03-31", date.value));
                None
            }
        }
    }

    fn assume(&mut self, node: Node<'_>) -> Vec<String> {
        let mut items = Vec::new();
        if node.kind() == Kind::Mapping {
            for (key, value) in node.entries() {
                let name = key.as_str().unwrap_or_default();
                let Some(value) = self.text(value, name) else { continue };
                items.push(Located::new(format!("{name}={}", value.value), key.span()));
            }
        } else {
            items = self.texts(node, "assume");
        }
        items.retain(|item| match Assume::parse(&[&item.value]) {
            Ok(_) => true,
            Err(error) => {
                self.wrong(item.span, error);
                false
            }
        });
        items.into_iter().map(|item| item.value).collect()
    }

    /// The id of a rule that exists.
    fn rule(&mut self, id: &str, span: Span) -> Option<&'static str> {
        let rule = find(id).map(|rule| rule.id);
        if rule.is_none() {
            let near = did_you_mean(id, RULES.iter().map(|rule| rule.id));
            self.wrong(span, format!("there is no rule {id}{near}"));
        }
        rule
    }

    /// The entries of a mapping whose keys are known; the others are mistakes.
    fn mapping<'d>(
        &mut self,
        node: Node<'d>,
        what: &str,
        known: &'static [&'static str],
    ) -> Vec<(&'static str, Node<'d>)> {
        match node.kind() {
            Kind::Null => return Vec::new(),
            Kind::Mapping => {}
            _ => {
                let message = format!("{what} is a mapping with the keys {}", known.join(", "));
                self.wrong(node.span(), message);
                return Vec::new();
            }
        }
        let mut entries = Vec::new();
        for (key, value) in node.entries() {
            let name = key.as_str().unwrap_or_default();
            match known.iter().find(|known| **known == name) {
                Some(known) => entries.push((*known, value)),
                None => {
                    let near = did_you_mean(name, known.iter().copied());
                    let message = format!("{what} has no key {name}{near}; known are {}", known.join(", "));
                    self.wrong(key.span(), message);
                }
            }
        }
        entries
    }

    fn sequence<'d>(&mut self, node: Node<'d>, what: &str) -> Vec<Node<'d>> {
        match node.kind() {
            Kind::Null => Vec::new(),
            Kind::Sequence => node.items().collect(),
            _ => {
                self.wrong(node.span(), format!("{what} is a sequence; write each entry after a dash"));
                Vec::new()
            }
        }
    }

    /// One text, or a sequence of them.
    fn texts(&mut self, node: Node<'_>, what: &str) -> Vec<Located<String>> {
        let items = if node.kind() == Kind::Sequence { node.items().collect() } else { vec![node] };
        items.into_iter().filter_map(|item| self.text(item, what)).collect()
    }

    fn text(&mut self, node: Node<'_>, what: &str) -> Option<Located<String>> {
        match node.as_str().filter(|text| !text.trim().is_empty()) {
            Some(text) => Some(Located::new(text.to_owned(), node.span())),
            None => {
                self.wrong(node.span(), format!("{what} is a text, and there is none here"));
                None
            }
        }
    }

    fn word(&mut self, node: Node<'_>, what: &str, known: &'static [&'static str]) -> Option<&'static str> {
        let text = self.text(node, what)?;
        let word = known.iter().find(|known| **known == text.value).copied();
        if word.is_none() {
            let near = did_you_mean(&text.value, known.iter().copied());
            let message = format!("{what} cannot be {}{near}; it is one of {}", text.value, known.join(", "));
            self.wrong(text.span, message);
        }
        word
    }
}

fn severity(word: &str) -> Option<Severity> {
    [Severity::Error, Severity::Warning, Severity::Advice]
        .into_iter()
        .find(|severity| severity.name() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<String>> {
        let mut sources = Sources::default();
        let file = sources.add("mtls-lint.yaml", text);
        let place = |entry: &Incomplete| {
            entry.span.map_or(0, |span| text[..span.start as usize].matches('\n').count() + 1)
        };
        Config::parse(&sources, file).map_err(|mistakes| {
            mistakes.iter().map(|entry| format!("{}: {}", place(entry), entry.message)).collect()
        })
    }

    #[test]
    fn everything_that_can_be_said_is_read() {
        let config = parse(
            "rules: {unauthenticated-clients: error, literal-password: off}\nignore:\n  - rule: [unverified-server, \
             name-mismatch]\n    file: legacy/**\n    name: Pod demo/*\n    reason: >-\n      the store\n      moves\n    \
             expires: 2027-03-31\nassume: {nginx: 1.26.3, openssl-seclevel: 2}\npaths: {include: [deploy], exclude: \
             vendor}\nexpires-within: 45d\ndeny: never\n",
        )
        .unwrap();
        assert_eq!(
            config.levels,
            [("unauthenticated-clients", Level::As(Severity::Error)), ("literal-password", Level::Off)]
        );
        let ignore = &config.ignores[0];
        assert_eq!(
            ignore.rules.iter().map(|rule| rule.value.as_str()).collect::<Vec<_>>(),
            ["unverified-server", "name-mismatch"]
        );
        assert_eq!(ignore.reason, "the store moves");
        // through the last second of that day
        assert_eq!(
            ignore.expires.as_ref().map(|at| time::format(at.value)),
            Some("2027-04-01T00:00:00Z".into())
        );
        assert_eq!(config.assume, ["nginx=1.26.3", "openssl-seclevel=2"]);
        assert!(
            config.reads("deploy/a.yaml") && !config.reads("a.yaml") && !config.reads("deploy/vendor/a.yaml")
        );
        assert_eq!((config.expires_within, config.deny), (Some(45 * 86_400), Some(Deny::Never)));
        assert!(parse("").unwrap().ignores.is_empty());
        assert!(parse("assume:\n  - nginx=1.26.3\nignore:\nrules: {}\n").unwrap().levels.is_empty());
    }

    #[test]
    fn every_mistake_is_named_on_its_line_with_what_to_write() {
        for (text, expected) in [
            (
                "rule: {}",
                "1: the configuration has no key rule; did you mean rules?; known are rules, ignore",
            ),
            (
                "rules:\n  unverifed-server: off",
                "2: there is no rule unverifed-server; did you mean unverified-server?",
            ),
            ("rules:\n  unverified-server: of", "2: unverified-server cannot be of; did you mean off?"),
            ("rules: off", "1: rules is a mapping"),
            ("ignore: unverified-server", "1: ignore is a sequence"),
            ("ignore:\n- rule: unverified-server", "2: this entry has no reason"),
            ("ignore:\n- rule: unverified-server\n  reason: '...'", "3: this entry has no reason"),
            ("ignore:\n- reason: because", "2: this entry names no rule"),
            (
                "ignore:\n- {rule: unverified-server, reason: a, files: b}",
                "2: an entry of ignore has no key files; did you mean file?",
            ),
            (
                "ignore:\n- {rule: unverified-server, reason: a, expires: soon}",
                "2: soon is no date; write 2027-03-31",
            ),
            ("ignore:\n- unverified-server", "2: an entry of ignore is a mapping"),
            ("assume: {ngnix: 1.2.3}", "1: ngnix is unknown"),
            ("expires-within: 30", "1: 30 is no duration"),
            ("deny: errors", "1: deny cannot be errors; did you mean error?"),
            ("paths: {only: a}", "1: paths has no key only"),
            ("deny: error\n---\ndeny: never\n", "3: a second document"),
            ("- a", "1: the configuration is a mapping"),
            ("deny: [", "1: "),
            ("deny: error\ndeny: never\n", "2: "),
        ] {
            let mistakes = parse(text).map(|_| ()).unwrap_err();
            assert!(mistakes.iter().any(|mistake| mistake.starts_with(expected)), "{text}: {mistakes:?}");
        }
    }
}
