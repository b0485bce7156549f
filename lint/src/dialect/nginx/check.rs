//! What nginx refuses before it opens any certificate.

use std::collections::{BTreeMap, HashMap, HashSet};

use mtls_identity::sorted;

use super::directive::{self, Places, Takes};
use super::groups;
use super::location::PassKind;
use super::read::{Reader, is_include};
use super::tls::UpstreamTls;
use super::{NginxConfig, Noticed, Server, Subsystem};
use crate::deployment::{ClientAuthMode, Protocol, Refusal, Version};
use crate::finding::Label;
use crate::source::{Located, Span};
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
            return Some((
                "refused-setting",
                format!("{log}; move it to {}", places(known.places, place)),
                log,
            ));
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
        if name == "ssl_session_cache" {
            let log = words.iter().find_map(|word| refused_cache(&word.value))?;
            let message = format!("{log}; write shared:NAME:SIZE, such as shared:SSL:10m");
            return Some(("refused-setting", message, log));
        }
        match known.takes {
            Takes::Flag if !(value.eq_ignore_ascii_case("on") || value.eq_ignore_ascii_case("off")) => {
                setting(format!(
                    "invalid value \"{value}\" in \"{name}\" directive, it must be \"on\" or \"off\""
                ))
            }
            Takes::Number if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) => {
                setting(format!("\"{name}\" directive invalid number"))
            }
            Takes::OneOf(choices) if !choices.iter().any(|choice| choice.eq_ignore_ascii_case(value)) => {
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
        if !directive::looks_like_tls(name) || directive::is_ssl_directive(name, self.version) {
            return;
        }
        // no module is called so like one of nginx's own
        if let Some(meant) = directive::meant(name) {
            let message = format!("nginx has no directive {name}; write {meant}");
            self.refuse("refused-syntax", &message, directive, &format!("unknown directive \"{name}\""));
        } else {
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
        sorted::sort_by_key(&mut self.early, |(directive, at_end, _)| {
            at(directive, *at_end).map(|(order, _)| order)
        });
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
        for certificate in tls.certificates.iter().filter(|certificate| certificate.value.is_empty()) {
            self.late.push(Refusal {
                log: None,
                ..refusal(
                    "refused-setting",
                    "ssl_certificate names no file: nginx takes the empty name for its own folder, which holds no \
                     certificate; write `ssl_certificate FILE;`",
                    certificate.span,
                    String::new(),
                )
            });
        }
        if let Some(curves) = &tls.curves {
            self.check_curves(curves);
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

    /// Groups that no release of OpenSSL has: a provider may bring them, else nginx refuses the list.
    fn check_curves(&mut self, curves: &Located<String>) {
        let unknown = curves.value.split([':', '/']).find(|group| {
            // those that may be missing, and those that are taken away, stop nobody
            !group.starts_with(['?', '-']) && !groups::is_known(group.trim_start_matches('*'))
        });
        if let Some(group) = unknown {
            self.config.unseen.push(format!(
                "no release of OpenSSL has the group {group} of ssl_ecdh_curve: unless a provider brings it, nginx \
                 refuses it with [emerg] SSL_CTX_set1_curves_list(\"{}\") failed",
                curves.value
            ));
        }
    }

    /// What ngx_http_ssl_init refuses of sockets for HTTP/3.
    fn check_quic(&self, late: &mut Vec<Refusal>) {
        for group in self.config.groups_of(|listen| listen.quic) {
            let Some(default) = self.config.servers.get(group.default) else { continue };
            let listen = default.listens.iter().find(|listen| listen.quic);
            let span = listen.map_or(default.span, |listen| listen.address.span);
            let tls = &default.tls;
            if !tls.certificates.is_empty() {
                if !tls.protocols.value().versions.contains(&Protocol::Tls13) {
                    late.push(refusal(
                        "refused-setting",
                        "HTTP/3 is spoken over TLS 1.3, which ssl_protocols leaves out; add TLSv1.3",
                        tls.protocols.span(),
                        format!(
                            "\"ssl_protocols\" must enable TLSv1.3 for the \"listen ... quic\" directive{}",
                            default.origin
                        ),
                    ));
                }
            } else if !*tls.reject_handshake.value() {
                late.push(refusal(
                    "missing-server-certificate",
                    "this server accepts HTTP/3 without a certificate to present; write `ssl_certificate FILE;` and \
                     `ssl_certificate_key FILE;`",
                    span,
                    format!(
                        "no \"ssl_certificate\" is defined for the \"listen ... quic\" directive{}",
                        default.origin
                    ),
                ));
            }
        }
    }

    /// What can be told only when every upstream is known.
    pub(super) fn check_upstreams(&mut self, subsystem: Subsystem) {
        // nginx compares upstream names without regard to case
        let upstreams: BTreeMap<(bool, String), Span> =
            sorted::map(self.config.upstreams.iter().map(|upstream| {
                let name = upstream.name.value.to_ascii_lowercase();
                ((upstream.subsystem == Subsystem::Stream, name), upstream.span)
            }));
        let mut late = Vec::new();
        for server in self.config.servers.iter().filter(|server| server.subsystem == subsystem) {
            for pass in server.locations.iter().filter_map(|location| location.pass.as_ref()) {
                let host = pass.host.value.as_str();
                if pass.unix.is_some() || pass.written.value.contains('$') {
                    continue;
                }
                let upstream = upstreams.get(&(pass.kind == PassKind::Stream, host.to_ascii_lowercase()));
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
        if subsystem == Subsystem::Http {
            self.check_quic(&mut late);
        }
        // files are opened server by server, groups come last
        self.late.append(&mut late);
    }

    /// What ngx_http_proxy_set_ssl and its siblings refuse.
    pub(super) fn check_upstream_tls(&mut self, tls: &UpstreamTls) {
        let family = tls.family;
        // an empty name took nothing back before 1.23.0 (docs/xml/nginx/changes.xml)
        if let Some(empty) = tls.emptied.as_ref().filter(|_| self.version < Version(1, 23, 0)) {
            self.late.push(Refusal {
                log: tls.key.is_none().then(|| {
                    format!("no \"{family}_ssl_certificate_key\" is defined for certificate \"\"")
                }),
                ..refusal(
                    "refused-setting",
                    format!(
                        "{family}_ssl_certificate names no file, which takes an inherited one back only since nginx \
                         1.23.0; move the outer one to the locations that need it"
                    ),
                    *empty,
                    String::new(),
                )
            });
        }
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
        help: None,
        log: Some(log),
    }
}

/// ngx_http_ssl_session_cache's words for a cache that it does not take.
fn refused_cache(word: &str) -> Option<String> {
    /// Eight pages of 4096 bytes.
    const LEAST: u64 = 8 * 4096;
    let invalid = || Some(format!("invalid session cache \"{word}\""));
    if matches!(word, "off" | "none" | "builtin") {
        return None;
    }
    if let Some(number) = word.strip_prefix("builtin:") {
        return if number.parse::<u32>().is_ok() { None } else { invalid() };
    }
    let Some((name, size)) = word.strip_prefix("shared:").and_then(|rest| rest.split_once(':')) else {
        return invalid();
    };
    let unit = match size.as_bytes().last() {
        Some(b'k' | b'K') => 1024,
        Some(b'm' | b'M') => 1024 * 1024,
        _ => 1,
    };
    let digits = if unit == 1 { size } else { size.get(..size.len() - 1).unwrap_or_default() };
    let bytes = digits.parse::<u64>().ok().filter(|_| !name.is_empty());
    match bytes.map(|number| number.saturating_mul(unit)) {
        None => invalid(),
        Some(bytes) if bytes < LEAST => Some(format!("session cache \"{word}\" is too small")),
        Some(_) => None,
    }
}

/// Where a directive may stand; where it has places in the subsystem at hand, only those.
fn places(places: Places, at: Places) -> String {
    const HTTP: Places = directive::HTTP
        | directive::SERVER
        | directive::LOCATION
        | directive::LOCATION_IF
        | directive::SERVER_IF
        | directive::LIMIT_EXCEPT
        | directive::UPSTREAM;
    const STREAM: Places = directive::STREAM | directive::STREAM_SERVER | directive::STREAM_UPSTREAM;
    const MAIL: Places = directive::MAIL | directive::MAIL_SERVER;
    let at_hand = [HTTP, STREAM, MAIL].into_iter().find(|subsystem| subsystem & at != 0).unwrap_or(u16::MAX);
    let places = if places & at_hand == 0 { places } else { places & at_hand };
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
