//! Snippets of nginx configuration within config.yaml, and how they meet what APISIX generates around them.

use super::{Admin, Directive, Nginx, Place, Snippet, Ssl};
use crate::deployment::Refusal;
use crate::finding::Label;
use crate::source::{Located, Text};

impl Place {
    /// The keys under `nginx_config`, and where each goes.
    pub const ALL: [(&'static str, Place); 7] = [
        ("main_configuration_snippet", Place::Main),
        ("http_configuration_snippet", Place::Http),
        ("http_server_configuration_snippet", Place::Server),
        ("http_server_location_configuration_snippet", Place::Location),
        ("http_admin_configuration_snippet", Place::Admin),
        ("http_end_configuration_snippet", Place::HttpEnd),
        ("stream_configuration_snippet", Place::Stream),
    ];
}

impl Nginx {
    /// The directive in force for a request of the data plane: the innermost block wins.
    pub fn for_requests(&self, name: &str) -> Option<&Directive> {
        self.innermost(name, &[Place::Location, Place::Server, Place::Http, Place::HttpEnd])
    }

    /// The directive in force for handshakes of the data plane.
    pub fn for_handshakes(&self, name: &str) -> Option<&Directive> {
        self.innermost(name, &[Place::Server, Place::Http, Place::HttpEnd])
    }

    /// The directive in force at the Admin API.
    pub fn for_admin(&self, name: &str) -> Option<&Directive> {
        self.innermost(name, &[Place::Admin, Place::Http, Place::HttpEnd])
    }

    fn innermost(&self, name: &str, places: &[Place]) -> Option<&Directive> {
        places.iter().find_map(|place| {
            let here = self.snippets.iter().filter(|snippet| snippet.place == *place);
            here.flat_map(|snippet| &snippet.directives).find(|directive| directive.name.value == name)
        })
    }
}

impl Directive {
    /// Its only argument.
    pub fn argument(&self) -> Option<&Located<String>> {
        self.arguments.first()
    }

    /// Whether its argument is `on`.
    pub fn is_on(&self) -> bool {
        self.argument().is_some_and(|argument| argument.value == "on")
    }
}

/// Reads the directives of a snippet; those within a block belong to the block and are left out.
pub fn read(place: Place, text: &Text) -> Snippet {
    let span = text.full_span();
    let Ok(source) = text.as_str() else {
        return Snippet { place, directives: Vec::new(), unread: true, span };
    };
    let mut directives = Vec::new();
    let mut words: Vec<Located<String>> = Vec::new();
    let mut depth = 0_usize;
    let mut unread = false;
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let at = source.len() - rest.len();
        let mut length = first.len_utf8();
        match first {
            '#' => length = rest.find('\n').unwrap_or(rest.len()),
            ';' => {
                if depth == 0 && !words.is_empty() {
                    let name = words.remove(0);
                    directives.push(Directive { name, arguments: std::mem::take(&mut words) });
                }
                words.clear();
            }
            '{' => {
                depth += 1;
                words.clear();
            }
            '}' => {
                unread |= depth == 0;
                depth = depth.saturating_sub(1);
                words.clear();
            }
            '"' | '\'' => match quoted(rest, first) {
                Some((word, end)) => {
                    length = end;
                    words.push(Located::new(word, text.span(at..at + end)));
                }
                None => {
                    unread = true;
                    length = rest.len();
                }
            },
            space if space.is_whitespace() => {}
            _ => {
                length = word_length(rest);
                let word = rest.get(..length).unwrap_or_default().to_owned();
                words.push(Located::new(word, text.span(at..at + length)));
            }
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    unread |= depth > 0 || !words.is_empty();
    Snippet { place, directives, unread, span }
}

/// The word within quotes and the length with them.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut word = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            c if escaped => {
                word.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => return Some((word, at + c.len_utf8())),
            c => word.push(c),
        }
    }
    None
}

/// The length of a word: `${name}` belongs to it, a brace otherwise ends it.
fn word_length(text: &str) -> usize {
    let mut previous = ' ';
    let mut variable = false;
    for (at, c) in text.char_indices() {
        match c {
            '{' if previous == '$' => variable = true,
            '}' if variable => variable = false,
            ';' | '{' | '}' => return at,
            c if c.is_whitespace() => return at,
            _ => {}
        }
        previous = c;
    }
    text.len()
}

/// Directives that APISIX writes itself into the block of a snippet: nginx refuses them twice.
pub fn duplicates(nginx: &Nginx, ssl: &Ssl, admin: Option<&Admin>) -> Vec<Refusal> {
    let admin_https = admin.is_some_and(|admin| *admin.https.value());
    let admin_ca = admin_https
        && admin.and_then(|admin| admin.mtls.as_ref()).is_some_and(|mtls| mtls.client_ca.is_some());
    let written = |place: Place, name: &str| match place {
        Place::Server => match name {
            "proxy_ssl_name" | "proxy_ssl_server_name" => *nginx.sends_server_name.value(),
            "proxy_ssl_trusted_certificate" => ssl.trusted.value().is_some(),
            "ssl_session_cache"
            | "ssl_session_timeout"
            | "ssl_ciphers"
            | "ssl_prefer_server_ciphers"
            | "ssl_session_tickets" => *ssl.enable.value(),
            _ => false,
        },
        Place::Admin => match name {
            "ssl_verify_client" | "ssl_client_certificate" => admin_ca,
            "ssl_session_cache" | "ssl_ciphers" | "ssl_prefer_server_ciphers" | "ssl_session_tickets" => {
                admin_https
            }
            "log_not_found" => true,
            _ => false,
        },
        Place::Http => match name {
            "lua_ssl_trusted_certificate" => ssl.trusted.value().is_some(),
            "lua_ssl_verify_depth"
            | "ssl_session_timeout"
            | "lua_socket_log_errors"
            | "server_tokens"
            | "resolver_timeout" => true,
            _ => false,
        },
        Place::Main | Place::Location | Place::HttpEnd | Place::Stream => false,
    };
    let mut refusals = Vec::new();
    for snippet in &nginx.snippets {
        let mut seen: Vec<&str> = Vec::new();
        for directive in &snippet.directives {
            let name = directive.name.value.as_str();
            // a directive that may stand only once, written twice in one snippet
            let twice = seen.contains(&name) && name.contains("ssl_verify");
            if written(snippet.place, name) || twice {
                refusals.push(Refusal {
                    rule: "refused-setting",
                    message: format!(
                        "the snippet sets {name}, which APISIX writes into the same block of nginx.conf"
                    ),
                    labels: vec![Label { span: directive.name.span, message: String::new() }],
                    log: Some(format!("nginx: [emerg] \"{name}\" directive is duplicate in /usr/local/apisix/conf/nginx.conf")),
                });
            }
            seen.push(name);
        }
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn snippet(text: &str) -> Snippet {
        let mut sources = Sources::default();
        let id = sources.add("config.yaml", text);
        read(Place::Server, &sources.text(id).unwrap())
    }

    #[test]
    fn a_snippet_is_read_as_nginx_reads_it() {
        let cases: [(&str, &[&str], bool); 7] = [
            ("proxy_ssl_verify on;", &["proxy_ssl_verify on"], false),
            ("a 'b c' \"d\\\"e\"; # x; y\n f ${g}h;", &["a b c d\"e", "f ${g}h"], false),
            ("map $a $b { default 1; } c d;", &["c d"], false),
            ("location / { proxy_ssl_verify on; } x;", &["x"], false),
            ("proxy_ssl_verify on", &[], true),
            ("a { b c;", &[], true),
            ("", &[], false),
        ];
        for (text, want, unread) in cases {
            let got = snippet(text);
            let directives: Vec<String> = got
                .directives
                .iter()
                .map(|directive| {
                    let mut words = vec![directive.name.value.clone()];
                    words.extend(directive.arguments.iter().map(|argument| argument.value.clone()));
                    words.join(" ")
                })
                .collect();
            assert_eq!(directives, want, "{text}");
            assert_eq!(got.unread, unread, "{text}");
        }
    }
}
