//! Collect, decide, act: what happens to each request. Every error denies.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use mtls_identity::certificate::Certificate;
use mtls_identity::policy::{
    Absence, Allowed, Decision, Mode, Reason, Request, SourceKind, Standing, same_host,
};
use rustls_pki_types::UnixTime;

use crate::config::Config;
use crate::host::{Family, HeaderMap, Host, HostError, Level, NGINX_HEADERS};
use crate::presented::{self, Key, variable};

/// What the gateway is to do with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Pass it on.
    Continue,
    /// Nothing: it has been answered.
    Answered,
}

/// A policy at work: shared by all requests of one plugin in one worker.
#[derive(Debug)]
pub struct Guard {
    config: Config,
    known: RefCell<Cache>,
}

/// A certificate that was recognised.
#[derive(Debug)]
pub struct Known {
    standing: Standing,
    serial: String,
    /// Its bytes, if headers are made of them.
    certificate: Option<Certificate>,
    /// When a handshake with it was last seen to be verified, in seconds since 1970.
    verified: Cell<u64>,
    /// When that was last looked at.
    looked: Cell<u64>,
}

/// For how long BoringSSL lets sessions be resumed after a full handshake, in seconds: after that, a certificate that
/// nobody verified again counts no more.
const LONGEST_SESSION: u64 = 7 * 24 * 3600;
const LOOKED_AGAIN: u64 = 3600;

impl Guard {
    /// Puts a configuration to work.
    pub fn new(config: Config) -> Self {
        Guard { config, known: RefCell::default() }
    }

    /// Decides about the request that the host has in hand, and acts on it.
    pub fn on_request(&self, host: &impl Host) -> Verdict {
        let fields = match Fields::read(host, &self.config) {
            Ok(fields) => fields,
            Err(error) => {
                return self.deny(host, &Reason::Absent(Absence::HostError(error.to_string())), None, None);
            }
        };
        let headers = fields.headers.as_ref();
        // exempt or not: a header that is to be removed may be among those that nobody sees
        if headers.is_some_and(|headers| is_cut(host, headers)) {
            return self.deny(host, &Reason::TooManyHeaders, None, headers);
        }
        if fields.misrouted {
            return self.deny(host, &Reason::AmbiguousHost, None, headers);
        }
        let asked = self.config.policy.ask(fields.request());
        if let Err(Decision::Exempt(_)) = asked {
            host.count("exempt");
            return self.pass(host, headers, &self.config.claims, &[]);
        }
        let presented = self.presented(host, headers);
        let decision = match (asked, &presented) {
            (Ok(asked), Ok((known, at))) => asked.answer(Ok(&known.standing), *at),
            (Ok(_), Err(absence)) => Decision::Deny(Reason::Absent(absence.clone())),
            (Err(decision), _) => decision,
        };
        match (decision, &presented) {
            // without the header the gateway chooses a route anew, and nobody judged that one
            (Decision::Allow(_), Ok((known, _)))
                if self.config.asks.route && self.brings_inbound(headers) =>
            {
                self.deny(host, &Reason::AmbiguousRoute, Some(known), headers)
            }
            (Decision::Allow(allowed), Ok((known, _))) => self.allow(host, &allowed, known, headers),
            (Decision::Deny(reason), presented) => {
                let known = presented.as_ref().map(|(known, _)| &**known);
                self.deny(host, &reason, known.ok(), headers)
            }
            // nothing of it happens; it would be no reason to let anybody pass
            (Decision::Allow(_) | Decision::Exempt(_), _) => {
                self.deny(host, &Reason::Absent(Absence::NoCertificate), None, headers)
            }
        }
    }

    /// The certificate that the gateway vouches for, and the time.
    fn presented(
        &self,
        host: &impl Host,
        headers: Option<&HeaderMap>,
    ) -> Result<(Rc<Known>, UnixTime), Absence> {
        let policy = &self.config.policy;
        let key = presented::key(host, &policy.source, headers)?;
        let now = host.now().map_err(presented::host_error)?;
        let at = now.as_secs();
        let find = |text: &[u8]| self.known.try_borrow_mut().ok().and_then(|mut cache| cache.find(text));
        if let Some(known) = find(&key.text) {
            self.verify_again(host, &key, &known, at)?;
            return Ok((known, now));
        }
        let verified = match self.config.verifies_connections() {
            true => self.verified(host, key.digest()?, 0, at)?,
            false => 0,
        };
        let presented = presented::certificate(host, &policy.source, &key, headers)?;
        // what other intermediates would decide otherwise is kept beside these alone
        let mut with_chain = Vec::new();
        if policy.source.kind == SourceKind::EnvoyXfcc && !policy.trust_anchors.is_empty() {
            with_chain = [&key.text[..], b"+"].concat();
            with_chain.extend(presented.chain.iter().flat_map(|issuer| issuer.sha256));
            if let Some(known) = find(&with_chain) {
                return Ok((known, now));
            }
        }
        let standing = policy.recognise(&presented.certificate, &presented.chain);
        let text = if standing.incomplete && !with_chain.is_empty() { with_chain } else { key.text };
        Ok((self.keep(text, standing, presented.certificate, verified, at), now))
    }

    fn keep(
        &self,
        text: Vec<u8>,
        standing: Standing,
        certificate: Certificate,
        verified: u64,
        at: u64,
    ) -> Rc<Known> {
        let known = Rc::new(Known {
            standing,
            serial: certificate.serial_text(),
            certificate: self.config.keeps_certificates().then_some(certificate),
            verified: Cell::new(verified),
            looked: Cell::new(at),
        });
        if let Ok(mut cache) = self.known.try_borrow_mut() {
            cache.insert(text, Rc::clone(&known));
        }
        known
    }

    /// A known certificate's handshake is looked at once an hour: a verified one counts anew.
    fn verify_again(&self, host: &impl Host, key: &Key, known: &Known, at: u64) -> Result<(), Absence> {
        if self.config.verifies_connections() && at.saturating_sub(known.looked.get()) > LOOKED_AGAIN {
            known.verified.set(self.verified(host, key.digest()?, known.verified.get(), at)?);
            known.looked.set(at);
        }
        Ok(())
    }

    /// In Envoy: when a handshake with this certificate was verified, this one or one not too long before it. A resumed
    /// session always says no, and ACCEPT_UNTRUSTED lets strangers in who say so too.
    fn verified(&self, host: &impl Host, digest: [u8; 32], before: u64, at: u64) -> Result<u64, Absence> {
        let [first, second, ..] = digest;
        // 4096 places: what is kept is bounded, whoever comes
        let key = format!("{}.{:03x}", self.config.scope, u16::from_be_bytes([first, second]) >> 4);
        match host.property(&["connection", "peer_certificate_valid"]) {
            Ok(Some(valid)) if valid == [1] => {
                host.remember(&key, &[&digest[..], &at.to_le_bytes()].concat());
                return Ok(at);
            }
            Ok(_) => {}
            Err(error) => return Err(presented::host_error(error)),
        }
        let remembered = host.recall(&key).and_then(|kept| {
            let (whose, when) = kept.split_first_chunk::<32>()?;
            (*whose == digest).then_some(u64::from_le_bytes(when.try_into().ok()?))
        });
        let verified = remembered.unwrap_or(0).max(before);
        if at.saturating_sub(verified) > LONGEST_SESSION {
            return Err(Absence::Unverified(
                "connection.peer_certificate_valid is false and no handshake with it was verified in the last \
                 seven days"
                    .to_owned(),
            ));
        }
        Ok(verified)
    }

    fn brings_inbound(&self, headers: Option<&HeaderMap>) -> bool {
        let inbound = |name: &[u8]| self.config.inbound.iter().any(|ours| is_taken_for(name, ours));
        headers.is_some_and(|headers| headers.iter().any(|(name, _)| inbound(name)))
    }

    fn allow(
        &self,
        host: &impl Host,
        allowed: &Allowed<'_>,
        known: &Known,
        headers: Option<&HeaderMap>,
    ) -> Verdict {
        host.count("allow");
        if self.config.policy.forward.is_empty() {
            return self.pass(host, headers, &self.config.inbound, &[]);
        }
        let forward = self.config.policy.forward.iter();
        let values: Vec<(&str, String)> = forward
            .map(|(name, value)| (name.as_str(), value.value(allowed, known.certificate.as_ref())))
            .collect();
        self.pass(host, headers, &self.config.inbound, &values)
    }

    /// Lets the request through without headers that look like one of these names, and with those that are set.
    fn pass(
        &self,
        host: &impl Host,
        headers: Option<&HeaderMap>,
        names: &[String],
        set: &[(&str, String)],
    ) -> Verdict {
        let changed = remove(host, headers, names)
            .and_then(|()| set.iter().try_for_each(|(name, value)| host.set_header(name, value)));
        match changed {
            Ok(()) => Verdict::Continue,
            Err(error) => self.answer(host, &Reason::Absent(Absence::HostError(error.to_string()))),
        }
    }

    fn deny(
        &self,
        host: &impl Host,
        reason: &Reason,
        known: Option<&Known>,
        headers: Option<&HeaderMap>,
    ) -> Verdict {
        let audit = self.config.policy.mode == Mode::Audit;
        let (verb, counter) = if audit { ("would deny", "audit") } else { ("deny", "deny") };
        host.count(&format!("{counter}.{}", reason.name()));
        let (identity, rule) = match reason {
            Reason::IdentityNotAllowedHere { identity, rule } => (identity.as_str(), rule.as_str()),
            _ => ("-", "-"),
        };
        let serial = known.map_or("-", |known| known.serial.as_str());
        let line = format!(
            "mtls-guard: {verb} reason={} identity=\"{identity}\" rule=\"{rule}\" serial={serial}: {reason}",
            reason.name()
        );
        host.log(Level::Warn, &one_line(&line));
        if !audit {
            return self.answer(host, reason);
        }
        // in audit mode nothing may break, and nothing a client claims may pass as an identity
        let claims = &self.config.claims;
        let asked = if headers.is_none() && !claims.is_empty() { host.headers().ok() } else { None };
        let headers = headers.or(asked.as_ref());
        if headers.is_none_or(|headers| is_cut(host, headers)) {
            // unseen as they are, these names at least
            for name in claims {
                let _ = host.remove_header(name.as_bytes());
            }
        }
        self.pass(host, headers, claims, &[])
    }

    fn answer(&self, host: &impl Host, reason: &Reason) -> Verdict {
        let denial = &self.config.policy.denial;
        let details = format!("mtls_guard_{}", reason.name().replace('-', "_"));
        if let Err(error) = host.respond(denial.status, &details, &denial.headers, &denial.body) {
            host.log(Level::Error, &one_line(&format!("mtls-guard: the denial was not sent: {error}")));
            refuse(host);
        }
        Verdict::Answered
    }
}

/// Whether there may be further headers than these.
fn is_cut(host: &impl Host, headers: &HeaderMap) -> bool {
    host.family() == Family::Nginx && headers.count() >= NGINX_HEADERS
}

/// Removes every header whose name a server might take for one of these.
fn remove(host: &impl Host, headers: Option<&HeaderMap>, names: &[String]) -> Result<(), HostError> {
    let Some(headers) = headers else { return Ok(()) };
    for (name, _) in headers.iter() {
        if names.iter().any(|ours| is_taken_for(name, ours)) {
            host.remove_header(name)?;
        }
    }
    Ok(())
}

/// Servers that make variables of headers take x_client_id and x.client.id for x-client-id.
fn is_taken_for(found: &[u8], ours: &str) -> bool {
    let folded = |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' };
    found.len() == ours.len()
        && std::iter::zip(found, ours.bytes()).all(|(found, ours)| folded(*found) == folded(ours))
}

/// The plainest denial there is.
pub fn refuse(host: &impl Host) -> Verdict {
    if let Err(error) = host.respond(403, "mtls_guard_no_policy", &[], "") {
        host.log(Level::Error, &one_line(&format!("mtls-guard: the denial was not sent: {error}")));
    }
    Verdict::Answered
}

/// The request's fields, each fetched only if a rule looks at it.
struct Fields {
    headers: Option<HeaderMap>,
    method: Vec<u8>,
    host: Vec<u8>,
    path: Vec<u8>,
    route: Option<Vec<u8>>,
    /// The gateway routes by another host than the Host header's.
    misrouted: bool,
    text: [String; 3],
}

impl Fields {
    fn read(host: &impl Host, config: &Config) -> Result<Self, HostError> {
        let asks = config.asks;
        let nginx = host.family() == Family::Nginx;
        // the whole map costs about as much as two single headers; nginx has the host as a variable
        let map = asks.headers || (asks.method && asks.host && !nginx);
        let headers = if map { Some(host.headers()?) } else { None };
        let header = |name: &str, wanted: bool| match &headers {
            _ if !wanted => Ok(Vec::new()),
            Some(headers) => Ok(headers.first(name).unwrap_or_default().to_vec()),
            None => Ok(host.header(name)?.unwrap_or_default()),
        };
        let mut fields = Fields {
            method: header(":method", asks.method)?,
            host: header(":authority", asks.host && !nginx)?,
            path: Vec::new(),
            route: if asks.route { host.property(&["xds", "route_name"])? } else { None },
            misrouted: false,
            headers: None,
            text: Default::default(),
        };
        fields.path = match nginx_path(host, config, nginx)? {
            Some(path) => path,
            None => header(":path", true)?,
        };
        if asks.host && nginx {
            // nginx routes an absolute-form target by its own host, whatever the Host header says
            let missing = HostError { call: "proxy_get_property", status: 1 };
            fields.host = variable(host, &config.policy.source, "host")?.ok_or(missing)?;
            let sent = variable(host, &config.policy.source, "http_host")?.unwrap_or_default();
            let (routed, sent) = (std::str::from_utf8(&fields.host), std::str::from_utf8(&sent));
            fields.misrouted = match (routed, sent) {
                (Ok(routed), Ok(sent)) => !sent.is_empty() && !same_host(routed, sent),
                _ => true,
            };
        }
        fields.headers = headers;
        for (place, bytes) in std::iter::zip(&mut fields.text, [&fields.method, &fields.host, &fields.path]) {
            // bytes that are no text match nothing and make a path ambiguous; valid text is not copied
            if std::str::from_utf8(bytes).is_err() {
                *place = String::from_utf8_lossy(bytes).into_owned();
            }
        }
        Ok(fields)
    }

    fn request(&self) -> Request<'_> {
        let [method, host, path] = &self.text;
        Request {
            method: std::str::from_utf8(&self.method).unwrap_or(method),
            host: std::str::from_utf8(&self.host).unwrap_or(host),
            path: std::str::from_utf8(&self.path).unwrap_or(path),
            route: self.route.as_deref().and_then(|route| std::str::from_utf8(route).ok()),
        }
    }
}

/// The path as the client sent it, where the gateway's `:path` is another: Kong's is decoded.
fn nginx_path(host: &impl Host, config: &Config, nginx: bool) -> Result<Option<Vec<u8>>, HostError> {
    match config.policy.source.kind {
        SourceKind::Kong | SourceKind::Header if nginx => {}
        _ => return Ok(None),
    }
    let path = host.property(&["ngx", "request_uri"])?;
    if path.is_none() && config.policy.source.kind == SourceKind::Kong {
        return Err(HostError { call: "proxy_get_property", status: 1 });
    }
    Ok(path)
}

fn one_line(text: &str) -> String {
    text.chars().take(2048).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Recognised certificates, bounded in number and bytes: two generations, of which the older is dropped when the
/// younger is full.
#[derive(Debug, Default)]
pub struct Cache {
    young: BTreeMap<u64, Entry>,
    old: BTreeMap<u64, Entry>,
    bytes: usize,
}

/// What is known under a key. Of two keys with the same number one is forgotten, and none taken for the other.
#[derive(Debug)]
struct Entry {
    key: Vec<u8>,
    known: Rc<Known>,
}

const MOST_KNOWN: usize = 2048;
const MOST_BYTES: usize = 4 * 1024 * 1024;

impl Cache {
    fn find(&mut self, key: &[u8]) -> Option<Rc<Known>> {
        let number = number(key);
        if let Some(entry) = self.young.get(&number) {
            return same(&entry.key, key).then(|| Rc::clone(&entry.known));
        }
        let entry = self.old.remove(&number)?;
        let known = same(&entry.key, key).then(|| Rc::clone(&entry.known));
        self.keep(number, entry);
        known
    }

    fn insert(&mut self, key: Vec<u8>, known: Rc<Known>) {
        self.keep(number(&key), Entry { key, known });
    }

    fn keep(&mut self, number: u64, entry: Entry) {
        let certificate = entry.known.certificate.as_ref().map_or(0, |certificate| certificate.der.len());
        let size = entry.key.len().saturating_add(certificate).saturating_add(512);
        let size = size.saturating_add(entry.known.standing.size());
        if self.young.len() >= MOST_KNOWN || self.bytes.saturating_add(size) > MOST_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(size);
        self.young.insert(number, entry);
    }
}

/// A number for a key, eight bytes at a time. Nothing but speed hangs on it.
fn number(key: &[u8]) -> u64 {
    let (words, rest) = key.as_chunks::<8>();
    let mut number = u64::try_from(key.len()).unwrap_or(0);
    for word in words {
        number = (number.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    rest.iter()
        .fold(number, |number, byte| (number.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9))
}

/// Whether two keys are the same, eight bytes at a time: the module's own comparison takes one.
fn same(one: &[u8], other: &[u8]) -> bool {
    let ((words, rest), (others, others_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let word = |word: &[u8; 8]| u64::from_le_bytes(*word);
    words.len() == others.len()
        && rest == others_rest
        && std::iter::zip(words, others).all(|(one, other)| word(one) == word(other))
}
