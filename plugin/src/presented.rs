//! Which certificate, if any, the gateway vouches for.
//!
//! Two steps, so that a known certificate costs one property: [`key`] asks for as little as tells certificates
//! apart, [`certificate`] fetches and parses one that is new.

#![forbid(unsafe_code)]

use std::borrow::Cow;

use mtls_identity::certificate::{self, Certificate};
use mtls_identity::policy::{Absence, HeaderFormat, Source, SourceKind};

use crate::host::{Family, HeaderMap, Host, HostError};

/// What tells one certificate from another, and was fetched for that.
#[derive(Debug)]
pub struct Key {
    /// The certificate's SHA-256 in the gateway's words, or the whole text that carries the certificate: compared
    /// as it is, a known certificate is neither hashed nor decoded again.
    pub text: Vec<u8>,
    carrier: Carrier,
}

/// A certificate, and what came with it.
#[derive(Debug)]
pub struct Presented {
    /// The end-entity certificate.
    pub certificate: Certificate,
    /// Other certificates, in any order; nobody vouches for them.
    pub chain: Vec<Certificate>,
}

#[derive(Debug)]
enum Carrier {
    /// It is still to be fetched; the key is the gateway's digest.
    EnvoyProperty,
    EnvoyXfcc,
    /// The key is its PEM.
    Pem,
    /// The key is a header's value after its length, and the value of the header with the chain.
    Header,
}

/// Most elements of an X-Forwarded-Client-Cert header and most certificates of a chain that are looked at.
const MOST: usize = 16;

/// Tells which certificate there is, or why there is none.
pub fn key(host: &impl Host, source: &Source, headers: Option<&HeaderMap>) -> Result<Key, Absence> {
    match source.kind {
        SourceKind::Envoy => Ok(Key { text: envoy_digest(host)?, carrier: Carrier::EnvoyProperty }),
        SourceKind::EnvoyXfcc => Ok(Key { text: envoy_digest(host)?, carrier: Carrier::EnvoyXfcc }),
        SourceKind::Apisix | SourceKind::Kong => nginx(host, source),
        SourceKind::Header => header(host, source, headers),
    }
}

/// Fetches and parses the certificate that a key stands for.
pub fn certificate(
    host: &impl Host,
    source: &Source,
    key: &Key,
    headers: Option<&HeaderMap>,
) -> Result<Presented, Absence> {
    match key.carrier {
        Carrier::EnvoyProperty => {
            let pem =
                host.property(&["connection", "peer_certificate"]).map_err(host_error)?.ok_or_else(|| {
                    Absence::HostError(
                        "this Envoy has no connection.peer_certificate: use from: envoy-xfcc".to_owned(),
                    )
                })?;
            let presented = from_pem(&pem)?;
            if presented.certificate.sha256 != key.digest()? {
                return Err(Absence::HostError("the gateway's certificate and digest differ".to_owned()));
            }
            Ok(presented)
        }
        Carrier::EnvoyXfcc => {
            let headers = all_headers(host, headers)?;
            let value = only_header(&headers, "x-forwarded-client-cert")?.ok_or_else(|| {
                Absence::HostError("Envoy sets no X-Forwarded-Client-Cert with Cert=".to_owned())
            })?;
            own_element(&value, key.digest()?)
        }
        Carrier::Pem => from_pem(&key.text),
        Carrier::Header => {
            let (length, rest) = key.text.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (value, chain) = rest.split_at_checked(length).unwrap_or_default();
            from_header(source.format, value, chain)
        }
    }
}

impl Key {
    /// The certificate's SHA-256, as Envoy states it.
    pub fn digest(&self) -> Result<[u8; 32], Absence> {
        digest(&self.text).ok_or_else(|| Absence::Malformed("the gateway's digest is none".to_owned()))
    }
}

fn envoy_digest(host: &impl Host) -> Result<Vec<u8>, Absence> {
    match host.property(&["connection", "sha256_peer_certificate_digest"]).map_err(host_error)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Absence::NoCertificate),
    }
}

/// 64 hexadecimal digits.
fn digest(text: &[u8]) -> Option<[u8; 32]> {
    let value = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    if text.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (place, pair) in std::iter::zip(&mut digest, text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *place = value(*high)? << 4 | value(*low)?;
    }
    Some(digest)
}

/// An nginx variable: APISIX has it under its name, Kong under a prefix.
pub fn variable(host: &impl Host, source: &Source, name: &str) -> Result<Option<Vec<u8>>, HostError> {
    match source.kind {
        SourceKind::Kong => host.property(&["ngx", name]),
        SourceKind::Header => match host.property(&[name]) {
            Ok(Some(value)) => Ok(Some(value)),
            _ => host.property(&["ngx", name]),
        },
        SourceKind::Apisix | SourceKind::Envoy | SourceKind::EnvoyXfcc => host.property(&[name]),
    }
}

fn nginx(host: &impl Host, source: &Source) -> Result<Key, Absence> {
    let variable = |name: &str| variable(host, source, name).map_err(host_error);
    // also on a resumed session, and for each request: the location may differ from the last one's
    match variable("ssl_client_verify")?.as_deref() {
        Some(b"SUCCESS") => {}
        None | Some(b"" | b"NONE") => return Err(Absence::NoCertificate),
        Some(other) => return Err(Absence::Unverified(format!("it says {}", shown(other)))),
    }
    match variable("ssl_client_raw_cert")? {
        Some(pem) if !pem.is_empty() => Ok(Key { text: pem, carrier: Carrier::Pem }),
        _ => Err(Absence::NoCertificate),
    }
}

fn header(host: &impl Host, source: &Source, headers: Option<&HeaderMap>) -> Result<Key, Absence> {
    trusted_peer(host, source)?;
    let headers = all_headers(host, headers)?;
    let value = only_header(&headers, &source.header)?.ok_or(Absence::NoCertificate)?;
    let chain = match source.format {
        HeaderFormat::Rfc9440 => only_header(&headers, &format!("{}-chain", source.header))?,
        HeaderFormat::EscapedPem | HeaderFormat::Xfcc => None,
    };
    let chain = chain.unwrap_or_default();
    // after the length, so that no two pairs look alike
    let length = u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes();
    Ok(Key { text: [&length[..], &value, &chain].concat(), carrier: Carrier::Header })
}

/// Whether who connected to this gateway is named as trusted.
fn trusted_peer(host: &impl Host, source: &Source) -> Result<(), Absence> {
    let mut seen = String::new();
    if !source.trusted_certificates.is_empty() {
        let peer = match host.family() {
            Family::Envoy => envoy_digest(host).ok().and_then(|text| digest(&text)),
            Family::Nginx => {
                let peer = nginx(host, source).and_then(|key| from_pem(&key.text));
                peer.ok().map(|peer| peer.certificate.sha256)
            }
        };
        if peer.is_some_and(|peer| source.trusted_certificates.contains(&peer)) {
            return Ok(());
        }
        seen.push_str(
            &peer.map_or_else(
                || "a peer without certificate".to_owned(),
                |peer| certificate::hexadecimal(&peer),
            ),
        );
    }
    if !source.trusted_addresses.is_empty() {
        let text = match host.family() {
            Family::Envoy => host.property(&["source", "address"]),
            Family::Nginx => variable(host, source, "realip_remote_addr"),
        };
        let text = text.ok().flatten().unwrap_or_default();
        let address = std::str::from_utf8(&text).ok().and_then(|text| peer_address(text, host.family()));
        if address
            .is_some_and(|address| source.trusted_addresses.iter().any(|network| network.contains(address)))
        {
            return Ok(());
        }
        if !seen.is_empty() {
            seen.push_str(" from ");
        }
        seen.push_str(&if text.is_empty() { "a peer without address".to_owned() } else { shown(&text) });
    }
    Err(Absence::UntrustedPeer(seen))
}

/// Envoy's `10.0.0.7:1234` or `[::1]:1234`, nginx's `10.0.0.7` or `::1`.
fn peer_address(text: &str, family: Family) -> Option<std::net::IpAddr> {
    match family {
        // no connection comes from port 0: Envoy writes it beside an address that X-Forwarded-For claims
        Family::Envoy => {
            let address: std::net::SocketAddr = text.parse().ok()?;
            (address.port() != 0).then(|| address.ip())
        }
        Family::Nginx => text.parse().ok(),
    }
}

/// The value of a header that may be there once: of two, nobody knows which the proxy set.
fn only_header(headers: &HeaderMap, name: &str) -> Result<Option<Vec<u8>>, Absence> {
    let mut values = headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some((_, value)), None) => Ok(Some(value.to_vec())),
        (Some(_), Some(_)) => Err(Absence::Malformed(format!("the header {name} is there more than once"))),
    }
}

fn from_pem(text: &[u8]) -> Result<Presented, Absence> {
    let malformed = |why: String| Absence::Malformed(why);
    let text = std::str::from_utf8(text).map_err(|_| malformed("the certificate is not text".to_owned()))?;
    let decoded;
    // PEM itself has no percent sign; the escaped form may leave the dashes as they are
    let text = if !text.contains('%') {
        text
    } else {
        decoded =
            unescape(text).ok_or_else(|| malformed("the certificate's escapes are broken".to_owned()))?;
        &decoded
    };
    if text.len() > certificate::LONGEST.saturating_mul(4) {
        return Err(malformed(format!("the certificate's text has {} bytes", text.len())));
    }
    let mut certificates =
        certificate::certificates_in(text).map_err(|error| malformed(error.to_string()))?.into_iter();
    let first = certificates.next().ok_or_else(|| malformed("there is no certificate in it".to_owned()))?;
    Ok(Presented { certificate: first, chain: certificates.take(MOST).collect() })
}

fn from_header(format: HeaderFormat, value: &[u8], chain: &[u8]) -> Result<Presented, Absence> {
    match format {
        HeaderFormat::EscapedPem => from_pem(value),
        HeaderFormat::Rfc9440 => {
            let certificate = rfc9440(value)?;
            let chain = chain.split(|byte| *byte == b',').filter(|part| !part.is_empty());
            let chain = chain.take(MOST).map(rfc9440).collect::<Result<_, _>>()?;
            Ok(Presented { certificate, chain })
        }
        HeaderFormat::Xfcc => match xfcc(value)?.as_slice() {
            [only] => only.presented(),
            // an unescaped URI= or DNS= can look like a further element: which is the proxy's, nobody knows
            elements => Err(Absence::Malformed(format!(
                "X-Forwarded-Client-Cert has {} elements with Cert=, one is expected",
                elements.len()
            ))),
        },
    }
}

/// One RFC 9440 byte sequence: base64 between colons.
fn rfc9440(value: &[u8]) -> Result<Certificate, Absence> {
    let text = std::str::from_utf8(value).unwrap_or_default().trim_matches([' ', '\t']);
    let base64 = text.strip_prefix(':').and_then(|text| text.strip_suffix(':'));
    let base64 =
        base64.ok_or_else(|| Absence::Malformed("the header is no byte sequence of RFC 9440".to_owned()))?;
    certificate::parse_base64(base64).map_err(|error| Absence::Malformed(error.to_string()))
}

/// What one `Cert=` of an X-Forwarded-Client-Cert header says, with the `Chain=` of its element.
#[derive(Debug)]
struct Element {
    certificate: Vec<u8>,
    chain: Option<Vec<u8>>,
}

impl Element {
    fn new(certificate: Option<&[u8]>, chain: Option<&[u8]>) -> Option<Self> {
        Some(Element { certificate: certificate?.to_vec(), chain: chain.map(<[u8]>::to_vec) })
    }

    fn presented(&self) -> Result<Presented, Absence> {
        let mut presented = from_pem(&self.certificate)?;
        if let Some(chain) = &self.chain {
            presented.chain = from_pem(chain).map(|chain| [vec![chain.certificate], chain.chain].concat())?;
        }
        Ok(presented)
    }
}

/// The elements that have a `Cert=`. Elements are parted by commas, their pairs by semicolons, both outside quotes.
///
/// A quote opens a value or nothing, and closes it or nothing: of what a client wrote into its names no part counts as
/// quoted, and no part of the proxy's own element vanishes in a quote that a client opened.
fn xfcc(value: &[u8]) -> Result<Vec<Element>, Absence> {
    let malformed = |why: &str| Absence::Malformed(format!("X-Forwarded-Client-Cert {why}"));
    let mut elements = Vec::new();
    let (mut certificate, mut chain) = (None, None);
    let mut rest = value;
    loop {
        let name = rest.iter().position(|byte| b"=,;\"".contains(byte)).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(name).unwrap_or_default();
        let (text, after) = match after.strip_prefix(b"=") {
            None => (&b""[..], after),
            Some(value) => match value.strip_prefix(b"\"") {
                Some(quoted) => closed(quoted).ok_or_else(|| malformed("has an open quote"))?,
                None => {
                    let end = value.iter().position(|byte| b",;\"".contains(byte)).unwrap_or(value.len());
                    value.split_at_checked(end).unwrap_or_default()
                }
            },
        };
        if !after.is_empty() && !after.starts_with(b",") && !after.starts_with(b";") {
            return Err(malformed("has a quote where none may stand"));
        }
        if name.trim_ascii().eq_ignore_ascii_case(b"cert") && certificate.replace(text).is_some() {
            return Err(malformed("has too many Cert="));
        }
        if name.trim_ascii().eq_ignore_ascii_case(b"chain") {
            chain = Some(text);
        }
        let Some((separator, next)) = after.split_first() else { break };
        rest = next;
        if *separator == b',' {
            elements.extend(Element::new(certificate.take(), chain.take()));
            if elements.len() > MOST {
                return Err(malformed("has too many Cert="));
            }
        }
    }
    elements.extend(Element::new(certificate, chain));
    if elements.is_empty() { Err(Absence::NoCertificate) } else { Ok(elements) }
}

/// What stands before the closing quote, and what follows it.
fn closed(quoted: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut escaped = false;
    let end = quoted.iter().position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    })?;
    Some((quoted.get(..end)?, quoted.get(end.checked_add(1)?..)?))
}

/// The certificate of this connection in the X-Forwarded-Client-Cert that Envoy set itself, with its chain.
///
/// Whatever else a client or its names put into the header, only this very certificate has its digest: so each `Cert="`
/// is tried, whatever stands around it, the last first, since Envoy appends.
fn own_element(value: &[u8], digest: [u8; 32]) -> Result<Presented, Absence> {
    let text = String::from_utf8_lossy(value);
    let mut pieces = text.rsplit("Cert=\"").peekable();
    let mut found = None;
    for _ in 0..MOST {
        let (Some(piece), true) = (pieces.next(), pieces.peek().is_some()) else { break };
        let quoted = |text: &str| text.split('"').next().map(|text| text.as_bytes().to_vec());
        let chain = piece.split_once("Chain=\"").and_then(|(_, chain)| quoted(chain));
        let element = Element { certificate: quoted(piece).unwrap_or_default(), chain };
        found = element.presented().ok().filter(|presented| presented.certificate.sha256 == digest);
        if found.is_some() {
            break;
        }
    }
    found.ok_or_else(|| {
        Absence::Unverified("no Cert= of X-Forwarded-Client-Cert is the connection's certificate".to_owned())
    })
}

/// Percent-decodes; `+` is a plus sign, as base64 needs it.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut pieces = text.split('%');
    bytes.extend(pieces.next()?.bytes());
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(piece.get(2..)?.bytes());
    }
    String::from_utf8(bytes).ok()
}

/// The request's headers, fetched unless somebody has them.
fn all_headers<'h>(host: &impl Host, headers: Option<&'h HeaderMap>) -> Result<Cow<'h, HeaderMap>, Absence> {
    match headers {
        Some(headers) => Ok(Cow::Borrowed(headers)),
        None => host.headers().map(Cow::Owned).map_err(host_error),
    }
}

/// A host function's failure as the reason that there is no certificate.
pub fn host_error(error: HostError) -> Absence {
    Absence::HostError(error.to_string())
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(80).flat_map(char::escape_debug).collect()
}
