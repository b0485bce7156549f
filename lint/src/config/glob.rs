//! Patterns of paths and names: `*` within one folder, `**` across folders, `?` for one character.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
    /// Without a slash, it is the name of a file or folder at any depth.
    anywhere: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Is(char),
    /// `?`
    Any,
    /// `*`: no slash in it.
    Within,
    /// `**`
    Across,
    /// `**/`: any number of folders, also none.
    Folders,
}

impl Glob {
    /// A pattern of paths, as a .gitignore has them: without a slash it matches at any depth, and what matches a folder
    /// matches everything in it.
    pub fn path(pattern: &str) -> Self {
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
        let anywhere = !pattern.contains('/');
        Self { tokens: tokens(pattern.strip_prefix('/').unwrap_or(pattern)), anywhere }
    }

    /// A pattern of names (`Pod demo/*`), in which a slash is a letter like others.
    pub fn name(pattern: &str) -> Self {
        let mut tokens = tokens(pattern);
        for token in &mut tokens {
            if matches!(token, Token::Within | Token::Folders) {
                *token = Token::Across;
            }
        }
        Self { tokens, anywhere: false }
    }

    /// Whether a path, or a folder that it lies in, is meant.
    pub fn matches_path(&self, path: &str) -> bool {
        let path = path.trim_start_matches("./").trim_start_matches('/');
        if self.anywhere {
            return path.split('/').any(|part| self.matches(part));
        }
        // each folder on the way, and the path itself
        let folders = path.match_indices('/').map(|(end, _)| path.get(..end).unwrap_or_default());
        folders.chain([path]).any(|part| self.matches(part))
    }

    /// Whether the whole text is meant.
    pub fn matches(&self, text: &str) -> bool {
        let mut at = vec![false; self.tokens.len() + 1];
        if let Some(first) = at.first_mut() {
            *first = true;
        }
        self.skip(&mut at, true);
        for letter in text.chars() {
            let mut next = vec![false; at.len()];
            for (index, token) in self.tokens.iter().enumerate() {
                if !at.get(index).copied().unwrap_or(false) {
                    continue;
                }
                let (stay, go) = match token {
                    Token::Is(wanted) => (false, *wanted == letter),
                    Token::Any => (false, letter != '/'),
                    Token::Within => (letter != '/', false),
                    Token::Across | Token::Folders => (true, false),
                };
                for (index, reached) in [(index, stay), (index + 1, go)] {
                    if let Some(slot) = next.get_mut(index) {
                        *slot |= reached;
                    }
                }
            }
            self.skip(&mut next, letter == '/');
            at = next;
        }
        at.last().copied().unwrap_or(false)
    }

    /// What may stand for nothing is passed over; folders only where one begins.
    fn skip(&self, at: &mut [bool], begins: bool) {
        for (index, token) in self.tokens.iter().enumerate() {
            let passes = match token {
                Token::Within | Token::Across => true,
                Token::Folders => begins,
                Token::Is(_) | Token::Any => false,
            };
            if passes
                && at.get(index).copied().unwrap_or(false)
                && let Some(next) = at.get_mut(index + 1)
            {
                *next = true;
            }
        }
    }
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let begins = matches!(tokens.last(), None | Some(Token::Is('/') | Token::Folders));
        let (token, length) = match letter {
            '*' if begins && rest.starts_with("**/") => (Token::Folders, 3),
            '*' if rest.starts_with("**") => (Token::Across, 2),
            '*' => (Token::Within, 1),
            '?' => (Token::Any, 1),
            letter => (Token::Is(letter), letter.len_utf8()),
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_as_in_a_gitignore() {
        for (pattern, path, expected) in [
            ("a.yaml", "a.yaml", true),
            ("a.yaml", "deep/down/a.yaml", true),
            ("*.yaml", "deep/a.yaml", true),
            ("legacy", "x/legacy/a/b.yaml", true),
            ("legacy/", "legacy/a.yaml", true),
            ("legacy", "legacy2/a.yaml", false),
            ("deploy/*.yaml", "deploy/a.yaml", true),
            ("deploy/*.yaml", "deploy/x/a.yaml", false),
            ("deploy/**", "deploy/x/a.yaml", true),
            ("deploy/**", "deployed/a.yaml", false),
            ("deploy/**/a.yaml", "deploy/a.yaml", true),
            ("deploy/**/a.yaml", "deploy/x/y/a.yaml", true),
            ("deploy/**/a.yaml", "deploy/xa.yaml", false),
            ("**/a.yaml", "a.yaml", true),
            ("**/a.yaml", "ba.yaml", false),
            ("deploy/x", "deploy/x/y/a.yaml", true),
            ("./deploy/a.yaml", "deploy/a.yaml", true),
            ("/deploy/a.yaml", "deploy/a.yaml", true),
            ("deploy/?.yaml", "deploy/ü.yaml", true),
            ("deploy/?.yaml", "deploy/ab.yaml", false),
            ("*", "-", true),
        ] {
            assert_eq!(Glob::path(pattern).matches_path(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn names_match_as_a_whole() {
        for (pattern, name, expected) in [
            ("Pod demo/gateway", "Pod demo/gateway", true),
            ("Pod demo/*", "Pod demo/gateway", true),
            ("Pod *", "Pod demo/gateway", true),
            ("*/gateway", "Pod demo/gateway", true),
            ("gateway", "Pod demo/gateway", false),
        ] {
            assert_eq!(Glob::name(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_costs_no_more_than_its_length() {
        let pattern = Glob::path(&"*a".repeat(500));
        assert!(!pattern.matches_path(&"a".repeat(499)));
        assert!(pattern.matches_path(&"a".repeat(2_000)));
    }
}
