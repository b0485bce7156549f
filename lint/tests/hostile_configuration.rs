//! Whatever stands in mtls-lint.yaml, in a baseline or in a comment: no panic, and every place lies in its file.

#![expect(clippy::unwrap_used, reason = "the functions around the tests are tests too")]

use mtls_lint::allowance::{Allowances, Covers};
use mtls_lint::baseline::Baseline;
use mtls_lint::config::Config;
use mtls_lint::finding::Incomplete;
use mtls_lint::source::{FileId, Sources, Span};

const CONFIG: &str = "rules: {weak-key: off, name-mismatch: advice}\nignore:\n  - rule: [unverified-server]\n    file: 'a/**/b?*'\n    \
                      name: Pod *\n    reason: >-\n      why\n      not\n    expires: 2027-03-31\nassume: {nginx: 1.26.3}\npaths:\n  \
                      include: [x]\n  exclude: y\nexpires-within: 1d12h\ndeny: never\n";

const BASELINE: &str = "version: 1\nfindings:\n  - {file: \"a.yaml\", rule: weak-key, fingerprint: \"00ff\", count: 2, message: \"x\"}\n";

const COMMENTS: &str = "# mtls-lint: allow(weak-key, name-mismatch) why\na:\n- b # mtls-lint: allow(weak-key): why\n---\n# mtls-lint: \
                        allow(x)\nserver {\n  # mtls-lint: allow(weak-key) ü\n  a '}' \"{\" \\\"; # }\n}\n# mtls-lint: allow(weak-key) \
                        c\n-----BEGIN X-----\n-----END X-----\n";

/// Pieces that mean something to a reader.
const PIECES: [&str; 16] =
    ["\n", "\t", " ", ":", "- ", "{", "}", "[", "]", "'", "\"", "#", "---\n", "&a", "*a", "\u{fffd}"];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }

    /// The text with a few pieces put in, taken out or doubled.
    fn damage(&mut self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(4) {
            let at = self.below(letters.len());
            let until = (at + self.below(12)).min(letters.len());
            match self.below(3) {
                0 => drop(letters.drain(at..until)),
                1 => {
                    let piece = PIECES[self.below(PIECES.len())];
                    drop(letters.splice(at..at, piece.chars()));
                }
                _ => {
                    let copy = letters[at..until].to_vec();
                    drop(letters.splice(at..at, copy));
                }
            }
        }
        letters.into_iter().collect()
    }
}

fn within(span: Span, file: FileId, length: usize) {
    assert!(span.file == file && span.start <= span.end && span.end as usize <= length, "{span:?} {length}");
}

fn all_within(mistakes: &[Incomplete], file: FileId, length: usize) {
    assert!(!mistakes.is_empty());
    for span in mistakes.iter().filter_map(|mistake| mistake.span) {
        within(span, file, length);
    }
}

#[test]
fn damaged_files_are_read_or_refused_with_places_that_exist() {
    let mut random = Random(0x5eed_cafe_f00d_1234);
    let (mut read, mut refused) = (0, 0);
    for round in 0..4_000 {
        let whole = [CONFIG, BASELINE, COMMENTS][round % 3];
        let text = random.damage(whole);
        let mut sources = Sources::default();
        let file = sources.add("mtls-lint.yaml", text.as_bytes());
        match Config::parse(&sources, file) {
            Ok(config) => {
                read += 1;
                config.ignores.iter().for_each(|ignore| within(ignore.span, file, text.len()));
                config.reads("a/b/c.yaml");
            }
            Err(mistakes) => {
                refused += 1;
                all_within(&mistakes, file, text.len());
            }
        }
        match Baseline::parse(&sources, file) {
            // what is read is written so that it is read again
            Ok(baseline) => {
                let file = sources.add("again.yaml", baseline.text());
                assert_eq!(Baseline::parse(&sources, file), Ok(baseline));
            }
            Err(mistakes) => all_within(&mistakes, file, text.len()),
        }
        for allowance in Allowances::new(&sources, &Config::default()).iter() {
            if allowance.span.file != file {
                continue;
            }
            within(allowance.span, file, text.len());
            allowance.rules.iter().for_each(|rule| within(rule.span, file, text.len()));
            let Covers::Range(range) = allowance.covers else { continue };
            // a range may reach one past the last line, where something is missing
            assert!(range.start <= range.end && range.end as usize <= text.len() + 1, "{range:?}\n{text}");
        }
    }
    assert!(read > 50 && refused > 50, "{read} {refused}");
}

#[test]
fn a_configuration_of_anchors_within_anchors_ends() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let before = format!("*a{}", level - 1);
        let items = vec![before; 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    text.push_str("paths: {exclude: *a29}\n");
    let mut sources = Sources::default();
    let file = sources.add("mtls-lint.yaml", text);
    assert!(Config::parse(&sources, file).is_err());
    let file = sources.add("mtls-lint.yaml", "[".repeat(100_000));
    assert!(Config::parse(&sources, file).is_err());
}
