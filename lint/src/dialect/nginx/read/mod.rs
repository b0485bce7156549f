//! The walk over a configuration: what every block means, and what nginx refuses on the way.

mod location;
mod server;

use super::directive::{self};
use super::scope::{Origins, Scope};
use super::{Map, NginxConfig, Subsystem, check, unknown_variable};
use crate::deployment::{Refusal, Version};
use crate::finding::Label;
use crate::source::{FileId, Span};
use crate::syntax::nginx::{self, Directive};
use location::Position;

/// Reads directives, includes resolved, as the content of a whole configuration (`place` is [`Place::Main`]) or of a block.
pub fn read(directives: &[Directive], place: Place, origins: &Origins, version: Version) -> NginxConfig {
    let mut reader = Reader::new(origins, version);
    let start =
        directives.first().map_or(Span { file: FileId(0), start: 0, end: 0 }, |first| first.name.span);
    let scope = Scope::default().within(directives, start, false);
    let subsystem = match place {
        Place::Main => {
            reader.main(directives, &scope);
            None
        }
        Place::Http => {
            reader.http(directives, &scope);
            Some(Subsystem::Http)
        }
        Place::Stream => {
            reader.stream(directives, &scope);
            Some(Subsystem::Stream)
        }
        Place::Mail => {
            reader.mail(directives, &scope);
            Some(Subsystem::Mail)
        }
    };
    if let Some(subsystem) = subsystem {
        reader.check_upstreams(subsystem);
        reader.check_groups(subsystem);
    }
    reader.finish(directives)
}

/// The block that a text is the content of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The outermost.
    Main,
    /// `http`.
    Http,
    /// `stream`.
    Stream,
    /// `mail`.
    Mail,
}

/// A mistake of the grammar as a refusal.
pub fn syntax_refusal(problem: &nginx::Problem, place: &str) -> Refusal {
    Refusal {
        rule: "refused-syntax",
        message: problem.message.clone(),
        labels: vec![Label { span: problem.span, message: String::new() }],
        help: None,
        log: Some(format!("{}{place}", problem.log)),
    }
}

/// A walk over one configuration.
pub(in crate::dialect::nginx) struct Reader<'o> {
    pub(in crate::dialect::nginx) version: Version,
    pub(in crate::dialect::nginx) origins: &'o Origins,
    pub(in crate::dialect::nginx) config: NginxConfig,
    /// Refusals that nginx notices as it reads: the directive, and whether at its end.
    pub(in crate::dialect::nginx) early: Vec<(*const Directive, bool, Refusal)>,
    /// Refusals that nginx notices after it has read everything.
    pub(in crate::dialect::nginx) late: Vec<Refusal>,
    /// An include is left whose files lie outside the sources.
    pub(in crate::dialect::nginx) partial: bool,
}

impl<'o> Reader<'o> {
    fn new(origins: &'o Origins, version: Version) -> Self {
        Self {
            version,
            origins,
            config: NginxConfig::default(),
            early: Vec::new(),
            late: Vec::new(),
            partial: false,
        }
    }

    fn main(&mut self, directives: &[Directive], scope: &Scope<'_>) {
        self.check_all(directives, directive::MAIN);
        let mut has_events = false;
        for directive in directives {
            let Some(block) = &directive.block else { continue };
            let inner = scope.within(block, directive.name.span, false);
            match directive.name.value.as_str() {
                "http" => {
                    self.http(block, &inner);
                    // a module that is loaded, or a file that is not seen, may have more
                    if !self.partial && !directives.iter().any(|other| other.name.value == "load_module") {
                        self.late.extend(unknown_variable::check(block, self.version));
                    }
                    self.settle(directive, Subsystem::Http);
                }
                "stream" => {
                    self.stream(block, &inner);
                    self.settle(directive, Subsystem::Stream);
                }
                "mail" => {
                    self.mail(block, &inner);
                    self.settle(directive, Subsystem::Mail);
                }
                "events" => has_events = true,
                _ => {}
            }
        }
        if !has_events && !directives.iter().any(is_include) {
            let span = directives.first().map_or(scope.span(), |first| first.name.span);
            self.late.push(Refusal {
                rule: "refused-setting",
                message: "nginx needs an events block; write `events {}`".to_owned(),
                labels: vec![Label { span, message: String::new() }],
                help: None,
                log: Some("no \"events\" section in configuration".to_owned()),
            });
        }
    }

    fn http(&mut self, directives: &[Directive], scope: &Scope<'_>) {
        self.check_all(directives, directive::HTTP);
        for directive in directives {
            let Some(block) = &directive.block else { continue };
            match (directive.name.value.as_str(), directive.arguments.as_slice()) {
                ("server", _) => {
                    let inner = scope.within(block, directive.name.span, true);
                    self.http_server(directive, block, &inner);
                }
                ("upstream", [name, ..]) => self.upstream(directive, name, block, Subsystem::Http),
                ("map", [source, variable]) if source.value.contains("$ssl_client") => {
                    self.config.maps.push(Map { source: source.clone(), variable: variable.clone() });
                }
                _ => {}
            }
        }
    }

    fn stream(&mut self, directives: &[Directive], scope: &Scope<'_>) {
        self.check_all(directives, directive::STREAM);
        for directive in directives {
            let Some(block) = &directive.block else { continue };
            match (directive.name.value.as_str(), directive.arguments.as_slice()) {
                ("server", _) => {
                    let inner = scope.within(block, directive.name.span, true);
                    self.stream_server(directive, block, &inner);
                }
                ("upstream", [name, ..]) => self.upstream(directive, name, block, Subsystem::Stream),
                ("map", [source, variable]) if source.value.contains("$ssl_client") => {
                    self.config.maps.push(Map { source: source.clone(), variable: variable.clone() });
                }
                _ => {}
            }
        }
    }

    fn mail(&mut self, directives: &[Directive], scope: &Scope<'_>) {
        self.check_all(directives, directive::MAIL);
        for directive in directives {
            let (Some(block), "server") = (&directive.block, directive.name.value.as_str()) else { continue };
            let inner = scope.within(block, directive.name.span, true);
            self.check_all(block, directive::MAIL_SERVER);
            self.server(directive, &inner, Subsystem::Mail, Vec::new());
        }
    }

    fn http_server(&mut self, directive: &Directive, block: &[Directive], scope: &Scope<'_>) {
        self.check_all(block, directive::SERVER);
        let mut locations = Vec::new();
        self.location(&mut locations, directive, scope, Position::server(directive::SERVER));
        self.server(directive, scope, Subsystem::Http, locations);
    }

    fn stream_server(&mut self, directive: &Directive, block: &[Directive], scope: &Scope<'_>) {
        self.check_all(block, directive::STREAM_SERVER);
        let mut locations = Vec::new();
        self.location(&mut locations, directive, scope, Position::server(directive::STREAM_SERVER));
        let listens = block.iter().any(|inner| inner.name.value == "listen" || is_include(inner));
        if !listens {
            let log = "no \"listen\" is defined for server";
            self.refuse_at_end(
                "refused-setting",
                &format!("{log}; write `listen PORT;`"),
                directive,
                log,
                directive.line,
            );
        }
        // a handler became optional with 1.27.1
        let handled = ["proxy_pass", "return", "pass"].iter().any(|name| !scope.all(name).is_empty())
            || block
                .iter()
                .any(|inner| inner.name.value.contains("_by_lua") || inner.name.value.starts_with("js_"));
        if !handled && self.version < Version(1, 27, 1) && !block.iter().any(is_include) {
            let place = self.origins.place(directive.span, directive.line);
            self.late.push(check::refusal(
                "refused-setting",
                "this stream server has nothing to do with a connection; write `proxy_pass HOST:PORT;`",
                directive.name.span,
                format!("no handler for server{place}"),
            ));
        }
        self.server(directive, scope, Subsystem::Stream, locations);
    }
}

/// Whether a directive includes files.
pub(in crate::dialect::nginx) fn is_include(directive: &Directive) -> bool {
    directive.name.value == "include"
}
