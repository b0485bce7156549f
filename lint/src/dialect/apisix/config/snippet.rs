//! Snippets of nginx configuration within config.yaml, and how they meet what APISIX generates around them.

use super::{Admin, Directive, Nginx, Place, Snippet, Ssl};
use crate::deployment::Refusal;
use crate::finding::Label;
use crate::source::{Located, Text};
use crate::syntax::nginx;

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

impl Place {
    /// The key under `nginx_config`.
    pub fn key(self) -> &'static str {
        Self::ALL.iter().find(|(_, place)| *place == self).map_or("a snippet", |(key, _)| key)
    }
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

    /// The directive in force for connections of layer 4.
    pub fn for_stream(&self, name: &str) -> Option<&Directive> {
        self.innermost(name, &[Place::Stream])
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
    let parsed = nginx::parse(text);
    let has_servers = opens_servers(&parsed.directives);
    let outermost = parsed.directives.into_iter().filter(|directive| directive.block.is_none());
    Snippet {
        place,
        directives: outermost
            .map(|directive| Directive { name: directive.name, arguments: directive.arguments })
            .collect(),
        unread: !parsed.problems.is_empty(),
        has_servers,
        span: text.full_span(),
    }
}

/// Whether a `server` stands among directives, or files are included that may hold one.
fn opens_servers(directives: &[nginx::Directive]) -> bool {
    directives.iter().any(|directive| match &directive.block {
        // the server of an upstream has no block
        Some(block) => directive.name.value == "server" || opens_servers(block),
        None => directive.name.value == "include",
    })
}

/// Directives that APISIX writes itself into the block of a snippet: nginx refuses them twice.
pub fn duplicates(settings: &Nginx, ssl: &Ssl, admin: Option<&Admin>) -> Vec<Refusal> {
    let admin_https = admin.is_some_and(|admin| *admin.https.value());
    let admin_ca = admin_https
        && admin.and_then(|admin| admin.mtls.as_ref()).is_some_and(|mtls| mtls.client_ca.is_some());
    let written = |place: Place, name: &str| match place {
        Place::Server => match name {
            "proxy_ssl_name" | "proxy_ssl_server_name" => *settings.sends_server_name.value(),
            "proxy_ssl_trusted_certificate" => ssl.trusted.value().is_some(),
            // not ssl_session_cache, which nginx takes twice
            "ssl_session_timeout" | "ssl_ciphers" | "ssl_prefer_server_ciphers" | "ssl_session_tickets" => {
                *ssl.enable.value()
            }
            _ => false,
        },
        Place::Admin => match name {
            "ssl_verify_client" | "ssl_client_certificate" => admin_ca,
            "ssl_ciphers" | "ssl_prefer_server_ciphers" | "ssl_session_tickets" => admin_https,
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
    for snippet in &settings.snippets {
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
                    help: None,
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
    use crate::deployment::{Protocols, Setting};
    use crate::source::{FileId, Sources, Span};

    const SPAN: Span = Span { file: FileId(0), start: 0, end: 0 };

    fn snippet(text: &str) -> Snippet {
        let mut sources = Sources::default();
        let id = sources.add("config.yaml", text);
        read(Place::Server, &sources.text(id).unwrap())
    }

    #[test]
    fn a_snippet_is_read_as_nginx_reads_it() {
        let cases: [(&str, &[&str], bool); 9] = [
            ("proxy_ssl_verify on;", &["proxy_ssl_verify on"], false),
            ("a 'b c' \"d\\\"e\"; # x; y\n f ${g}h;", &["a b c d\"e", "f ${g}h"], false),
            ("map $a $b { default 1; } c d;", &["c d"], false),
            ("location / { proxy_ssl_verify on; } x;", &["x"], false),
            ("proxy_ssl_verify on", &["proxy_ssl_verify on"], true),
            ("a { b c;", &[], true),
            ("", &[], false),
            (
                "set_by_lua_block $x { return #ngx.var.uri -- }\n }\na b;",
                &["set_by_lua_block $x  return #ngx.var.uri -- }\n ", "a b"],
                false,
            ),
            ("} server { listen 1983 ssl;", &[], true),
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

    #[test]
    fn a_snippet_may_have_servers_of_its_own() {
        for (text, want) in [
            ("server { listen 1983 ssl; }", true),
            ("http { server { listen 1983; } }", true),
            ("include /etc/nginx/conf.d/*.conf;", true),
            ("upstream x { server 127.0.0.1:1; } proxy_ssl_verify on;", false),
        ] {
            assert_eq!(snippet(text).has_servers, want, "{text}");
        }
    }

    #[test]
    fn a_session_cache_may_be_written_twice() {
        let nginx = Nginx {
            user: None,
            sends_server_name: Setting::Default { value: true, parent: SPAN },
            snippets: vec![snippet("ssl_session_cache shared:x:1m;"), snippet("ssl_session_timeout 1d;")],
            span: SPAN,
        };
        let ssl = Ssl {
            enable: Setting::Default { value: true, parent: SPAN },
            listen: Vec::new(),
            trusted: Setting::Default { value: None, parent: SPAN },
            protocols: Setting::Default { value: Protocols::modern(), parent: SPAN },
            ciphers: None,
            fallback_sni: None,
            span: SPAN,
        };
        let refused = duplicates(&nginx, &ssl, None);
        let logs: Vec<&str> = refused.iter().filter_map(|refusal| refusal.log.as_deref()).collect();
        assert_eq!(
            logs,
            [
                "nginx: [emerg] \"ssl_session_timeout\" directive is duplicate in /usr/local/apisix/conf/nginx.conf"
            ]
        );
    }
}
