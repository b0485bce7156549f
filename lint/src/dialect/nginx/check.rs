//! What nginx refuses before it opens any certificate.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::directive::{self, Places, Takes};
use super::location::PassKind;
use super::read::{Reader, is_include};
use super::tls::UpstreamTls;
use super::{NginxConfig, Noticed, Server, Subsystem};
use crate::deployment::{ClientAuthMode, Refusal, Version};
use crate::finding::Label;
use crate::source::Span;
use crate::syntax::nginx::Directive;

impl Reader<'_> {
    /// Checks the directives of one block that [`directive::known`] knows.
    pub(super) fn check_all(&mut self, directives: &[Directive], place: Places) {
        let mut seen: HashSet<&str> = HashSet::new();
        for directive in directives {
            self.partial |= is_include(directive);
            let name = directive.name.value.as_str();
            let Some(known) = directive::known(name, self.version) else {
                self.check_unknown(directive, place);
                continue;
            };
            if let Some((rule, message, log)) = self.check(directive, &known, place, !seen.insert(name)) {
                self.refuse(rule, &message, directive, &log);
            }
        }
    }

    fn check(
        &self,
        directive: &Directive,
        known: &directive::Known,
        place: Places,
        repeated: bool,
    ) -> Option<(&'static str, String, String)> {
        let name = directive.name.value.as_str();
        let setting = |log: String| Some(("refused-setting", log.clone(), log));
        if known.places & place == 0 {
            let log = format!("\"{name}\" directive is not allowed here");
            return Some(("refused-setting", format!("{log}; move it to {}", places(known.places)), log));
        }
        match (&directive.block, known.takes) {
            (Some(_), Takes::Block) | (None, Takes::Flag | Takes::Number | Takes::Word) => {}
            (None, Takes::Block) => return setting(format!("directive \"{name}\" has no opening \"{{\"")),
            (Some(_), _) => return setting(format!("directive \"{name}\" is not terminated by \";\"")),
            (None, _) => {}
        }
        let words = directive.arguments.as_slice();
        let fits = match known.takes {
            Takes::Flag | Takes::Number | Takes::Word | Takes::OneOf(_) | Takes::Words => words.len() == 1,
            Takes::Pair => words.len() == 2,
            Takes::AnyOf(_) => !words.is_empty(),
            Takes::Block | Takes::Anything => true,
        };
        if !fits {
            return setting(format!("invalid number of arguments in \"{name}\" directive"));
        }
        let once = matches!(known.takes, Takes::Flag | Takes::Number | Takes::Word | Takes::OneOf(_))
            || name.ends_with("_pass");
        if repeated && once {
            let log = format!("\"{name}\" directive is duplicate");
            return Some(("duplicate-directive", format!("{log} in this block; delete one of the two"), log));
        }
        let value = words.first().map(|word| word.value.as_str()).unwrap_or_default();
        match known.takes {
            Takes::Flag if !(value.eq_ignore_ascii_case("on") || value.eq_ignore_ascii_case("off")) => {
                setting(format!(
                    "invalid value \"{value}\" in \"{name}\" directive, it must be \"on\" or \"off\""
                ))
            }
            Takes::Number if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) => {
                setting(format!("\"{name}\" directive invalid number"))
            }
            Takes::OneOf(choices) if !choices.contains(&value) => {
                let log = format!("invalid value \"{value}\"");
                Some(("refused-setting", format!("{log}; write {}", choices.join(" or ")), log))
            }
            Takes::AnyOf(choices) => {
                let wrong = words
                    .iter()
                    .find(|word| !choices.iter().any(|choice| choice.eq_ignore_ascii_case(&word.value)))?;
                let log = format!("invalid value \"{}\"", wrong.value);
                Some(("refused-setting", format!("{log}; nginx knows {}", choices.join(", ")), log))
            }
            _ => None,
        }
    }

    /// `ssl on` where it is gone, and names that look like TLS directives but are none of nginx's.
    fn check_unknown(&mut self, directive: &Directive, place: Places) {
        let name = directive.name.value.as_str();
        if name == "ssl"
            && self.version >= Version(1, 25, 1)
            && place & (directive::HTTP | directive::SERVER) != 0
        {
            return self.refuse(
                "refused-setting",
                "the directive ssl is gone since nginx 1.25.1; write `listen ... ssl;`",
                directive,
                "unknown directive \"ssl\"",
            );
        }
        if directive::looks_like_tls(name) && !directive::is_ssl_directive(name, self.version) {
            self.config.unseen.push(format!(
                "{name} is no directive of nginx itself: unless a module brings it, nginx refuses it with \
                 [emerg] unknown directive \"{name}\"{}",
                self.origins.place(directive.span, directive.line)
            ));
        }
    }

    /// Refuses a directive where nginx reads it.
    pub(super) fn refuse(&mut self, rule: &'static str, message: &str, directive: &Directive, log: &str) {
        let place = self.origins.place(directive.span, directive.line);
        let refused = refusal(rule, message, directive.span, format!("{log}{place}"));
        self.early.push((std::ptr::from_ref(directive), false, refused));
    }

    /// Refuses a block where nginx reads its end.
    pub(super) fn refuse_at_end(
        &mut self,
        rule: &'static str,
        message: &str,
        directive: &Directive,
        log: &str,
        line: usize,
    ) {
        let place = self.origins.place(directive.span, line);
        let refused = refusal(rule, message, directive.name.span, format!("{log}{place}"));
        self.early.push((std::ptr::from_ref(directive), true, refused));
    }

    /// What was noticed in a block as a whole, nginx says when it has read the block.
    pub(super) fn settle(&mut self, block: &Directive, subsystem: Subsystem) {
        self.check_upstreams(subsystem);
        self.check_groups(subsystem);
        for refused in std::mem::take(&mut self.late) {
            self.early.push((std::ptr::from_ref(block), true, refused));
        }
    }

    /// The configuration, its refusals in the order in which nginx meets them.
    pub(super) fn finish(mut self, directives: &[Directive]) -> NginxConfig {
        let mut order = HashMap::new();
        // most configurations have nothing to put in order
        if !self.early.is_empty() {
            number(directives, &mut order, &mut 0);
        }
        let at = |directive: &*const Directive, at_end: bool| {
            let (start, end, span) = *order.get(directive)?;
            let place = if at_end { span.end } else { span.start };
            Some((if at_end { end } else { start }, Span { start: place, end: place, ..span }))
        };
        self.early.sort_by_key(|(directive, at_end, _)| at(directive, *at_end).map(|(order, _)| order));
        let early = self.early.into_iter().map(|(directive, at_end, refusal)| Noticed {
            at: at(&directive, at_end).map(|(_, place)| place),
            refusal,
        });
        self.config.refusals = early.collect();
        self.config.refusals.extend(self.late.into_iter().map(|refusal| Noticed { at: None, refusal }));
        self.config
    }

    /// What ngx_http_ssl_merge_srv_conf and its siblings in stream and mail refuse.
    pub(super) fn check_server(&mut self, server: &Server) {
        let tls = &server.tls;
        if tls.certificates.is_empty() && !*tls.reject_handshake.value() {
            return;
        }
        if let Some(certificate) = tls.certificates.get(tls.keys.len()..).and_then(<[_]>::last) {
            let listens = server.listens.iter().any(|listen| listen.ssl);
            // stream and mail got http's words with virtual servers in stream (1.25.5)
            let old_words = server.subsystem != Subsystem::Http
                && listens
                && self.version < Version(1, 25, 5)
                && tls.keys.is_empty();
            let log = if old_words {
                format!(
                    "no \"ssl_certificate_key\" is defined for the \"listen ... ssl\" directive{}",
                    server.origin
                )
            } else {
                format!("no \"ssl_certificate_key\" is defined for certificate \"{}\"", certificate.value)
            };
            self.late.push(refusal(
                "certificate-without-key",
                format!(
                    "certificate {} has no private key: {} ssl_certificate and {} ssl_certificate_key are in force; \
                     write `ssl_certificate_key FILE;`",
                    certificate.value,
                    tls.certificates.len(),
                    tls.keys.len()
                ),
                certificate.span,
                log,
            ));
        }
        let verifies =
            matches!(tls.verify_client.value(), ClientAuthMode::Required | ClientAuthMode::Optional);
        if verifies && tls.client_certificate.is_none() {
            // docs/xml/nginx/changes.xml, 1.27.2: ssl_trusted_certificate alone is enough
            let either = self.version >= Version(1, 27, 2);
            if !(either && tls.trusted_certificate.is_some()) {
                let log = if either {
                    "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"
                } else {
                    "no ssl_client_certificate for ssl_verify_client"
                };
                let mut refused = refusal(
                    "verification-without-trust",
                    "ssl_verify_client asks for client certificates, but no ssl_client_certificate says which \
                     issuers to trust; write `ssl_client_certificate FILE;`",
                    tls.verify_client.span(),
                    log.to_owned(),
                );
                if let Some(trusted) = &tls.trusted_certificate {
                    refused.labels.push(Label {
                        span: trusted.span,
                        message: "ssl_trusted_certificate alone is enough only since nginx 1.27.2".to_owned(),
                    });
                }
                self.late.push(refused);
            }
        }
        if let (Some(ocsp), ClientAuthMode::OptionalNoCa) = (&tls.ocsp, tls.verify_client.value()) {
            self.late.push(refusal(
                "refused-setting",
                "ssl_ocsp needs a verified issuer, which optional_no_ca does not ask for; delete one of the two",
                ocsp.span,
                "\"ssl_ocsp\" is incompatible with \"ssl_verify_client optional_no_ca\"".to_owned(),
            ));
        }
    }

    /// What can be told only when every upstream is known.
    pub(super) fn check_upstreams(&mut self, subsystem: Subsystem) {
        let upstreams: BTreeMap<(bool, &str), Span> = self
            .config
            .upstreams
            .iter()
            .map(|upstream| {
                ((upstream.subsystem == Subsystem::Stream, upstream.name.value.as_str()), upstream.span)
            })
            .collect();
        let mut late = Vec::new();
        for server in self.config.servers.iter().filter(|server| server.subsystem == subsystem) {
            for pass in server.locations.iter().filter_map(|location| location.pass.as_ref()) {
                let host = pass.host.value.as_str();
                if pass.unix.is_some() || pass.written.value.contains('$') {
                    continue;
                }
                let upstream = upstreams.get(&(pass.kind == PassKind::Stream, host));
                match (upstream, pass.port) {
                    (Some(span), Some(port)) => {
                        let mut refused = refusal(
                            "refused-setting",
                            format!(
                                "{host} is an upstream, whose servers have the ports; delete `:{port}` here"
                            ),
                            pass.written.span,
                            format!("upstream \"{host}\" may not have port {port}{}", pass.origin),
                        );
                        refused.labels.push(Label { span: *span, message: "the upstream".to_owned() });
                        late.push(refused);
                    }
                    // another file may have the upstream
                    (None, None) if pass.default_port.is_none() && !self.partial => late.push(refusal(
                        "refused-setting",
                        format!("{host} needs a port here: no upstream has this name; write `{host}:PORT`"),
                        pass.written.span,
                        format!("no port in upstream \"{host}\"{}", pass.origin),
                    )),
                    _ => {}
                }
            }
        }
        self.late.append(&mut late);
    }

    /// What can be told only of servers that share an address.
    pub(super) fn check_groups(&mut self, subsystem: Subsystem) {
        let mut late = Vec::new();
        for group in self.config.groups().into_iter().filter(|group| group.subsystem == subsystem) {
            let mut defaults = group.members.iter().filter(|(_, listen)| listen.default_server);
            if let (Some(_), Some((_, second))) = (defaults.next(), defaults.next()) {
                late.push(refusal(
                    "duplicate-directive",
                    format!(
                        "two servers are the default for {}; keep one default_server",
                        group.address.shown()
                    ),
                    second.address.span,
                    format!("a duplicate default server for {}", group.address.shown()),
                ));
            }
            let virtual_servers = group.subsystem == Subsystem::Http
                || (group.subsystem == Subsystem::Stream && self.version >= Version(1, 25, 5));
            if let (false, Some((_, second))) = (virtual_servers, group.members.get(1)) {
                late.push(refusal(
                    "duplicate-directive",
                    format!("two servers listen at {}; give one another port", group.address.shown()),
                    second.address.span,
                    format!("duplicate \"{}\" address and port pair", second.address.value.shown()),
                ));
            }
            if !group.ssl {
                continue;
            }
            let server_of = |index: usize| self.config.servers.get(index);
            let bare = |server: &&Server| {
                server.tls.certificates.is_empty() && !*server.tls.reject_handshake.value()
            };
            let Some(default) = server_of(group.default) else { continue };
            let culprit = if default.tls.certificates.is_empty() && *default.tls.reject_handshake.value() {
                group.members.iter().filter_map(|(index, _)| server_of(*index)).find(bare)
            } else {
                Some(default).filter(bare)
            };
            if let Some(server) = culprit {
                let listen = server.listens.iter().find(|listen| listen.address.value == group.address);
                let mut refused = refusal(
                    "missing-server-certificate",
                    "this server accepts TLS without a certificate to present; write `ssl_certificate FILE;` and \
                     `ssl_certificate_key FILE;`",
                    listen.map_or(server.span, |listen| listen.address.span),
                    format!(
                        "no \"ssl_certificate\" is defined for the \"{}\" directive{}",
                        if *server.tls.ssl.value() { "ssl" } else { "listen ... ssl" },
                        // stream and mail named the line of `listen` before there were virtual servers (1.25.5)
                        match listen {
                            Some(listen)
                                if server.subsystem != Subsystem::Http
                                    && self.version < Version(1, 25, 5) =>
                            {
                                &listen.origin
                            }
                            _ => &server.origin,
                        }
                    ),
                );
                if let Some(label) = refused.labels.first_mut().filter(|label| label.span != server.span) {
                    "TLS is spoken here".clone_into(&mut label.message);
                }
                refused.labels.push(Label {
                    span: server.span,
                    message: "neither this server nor its surroundings have ssl_certificate".to_owned(),
                });
                late.push(refused);
            }
        }
        // files are opened server by server, groups come last
        self.late.append(&mut late);
    }

    /// What ngx_http_proxy_set_ssl and its siblings refuse.
    pub(super) fn check_upstream_tls(&mut self, tls: &UpstreamTls) {
        let family = tls.family;
        if let (Some(certificate), None) = (&tls.certificate, &tls.key) {
            self.late.push(refusal(
                "certificate-without-key",
                format!(
                    "client certificate {} has no private key; write `{family}_ssl_certificate_key FILE;`",
                    certificate.value
                ),
                certificate.span,
                format!(
                    "no \"{family}_ssl_certificate_key\" is defined for certificate \"{}\"",
                    certificate.value
                ),
            ));
        }
        if *tls.verify.value() && tls.trusted_certificate.is_none() {
            self.late.push(refusal(
                "verification-without-trust",
                format!(
                    "{family}_ssl_verify is on, but no {family}_ssl_trusted_certificate says which issuers to trust; \
                     write `{family}_ssl_trusted_certificate FILE;`"
                ),
                tls.verify.span(),
                format!("no {family}_ssl_trusted_certificate for {family}_ssl_verify"),
            ));
        }
    }
}

pub(super) fn refusal(rule: &'static str, message: impl Into<String>, span: Span, log: String) -> Refusal {
    Refusal {
        rule,
        message: message.into(),
        labels: vec![Label { span, message: String::new() }],
        log: Some(log),
    }
}

fn places(places: Places) -> String {
    let names = [
        (directive::MAIN, "the outermost level"),
        (directive::HTTP, "http"),
        (directive::SERVER, "server"),
        (directive::LOCATION, "location"),
        (directive::UPSTREAM, "upstream"),
        (directive::STREAM, "stream"),
        (directive::STREAM_SERVER, "a server of stream"),
        (directive::MAIL, "mail"),
        (directive::MAIL_SERVER, "a server of mail"),
    ];
    let names: Vec<&str> =
        names.iter().filter(|(place, _)| places & place != 0).map(|(_, name)| *name).collect();
    names.join(", ")
}

/// Numbers the starts and ends of directives in the order of reading.
fn number(
    directives: &[Directive],
    order: &mut HashMap<*const Directive, (usize, usize, Span)>,
    next: &mut usize,
) {
    for directive in directives {
        let start = *next;
        *next += 1;
        number(directive.block.as_deref().unwrap_or_default(), order, next);
        order.insert(std::ptr::from_ref(directive), (start, *next, directive.span));
        *next += 1;
    }
}
