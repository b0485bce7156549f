//! Secrets and ConfigMaps: keys and the bytes they stand for.

use base64::Engine;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use super::{Metadata, problem, text};
use crate::deployment::Refusal;
use crate::dialect::placeholder::is_placeholder;
use crate::finding::Label;
use crate::source::{Located, Span, Text};
use crate::syntax::pem;
use crate::syntax::yaml::{Kind, Node, Problem};

/// A Secret.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Its name and namespace.
    pub metadata: Metadata,
    /// `kubernetes.io/tls`, …
    pub kind: Option<Located<String>>,
    /// `data` decoded, overwritten by `stringData`.
    pub data: Vec<Datum>,
}

/// A ConfigMap.
#[derive(Debug, Clone)]
pub struct ConfigMap {
    /// Its name and namespace.
    pub metadata: Metadata,
    /// `data` and `binaryData`.
    pub data: Vec<Datum>,
}

/// One key.
#[derive(Debug, Clone)]
pub struct Datum {
    /// The key.
    pub key: Located<String>,
    /// Its bytes, or why they could not be read.
    pub value: Result<Text, String>,
    /// It is written as a folded scalar, which joins its lines.
    pub folded: bool,
}

impl Datum {
    /// Whether a private key stands in it, not encrypted.
    pub fn holds_private_key(&self) -> bool {
        let Ok(text) = &self.value else { return false };
        let is_key = |block: &pem::Block| {
            block.label.ends_with("PRIVATE KEY")
                && block.label != "ENCRYPTED PRIVATE KEY"
                && !block.encrypted
                && block.content.as_ref().is_ok_and(|der| der.len() > 32)
        };
        pem::blocks(text.bytes()).iter().any(is_key)
    }
}

pub(super) fn secret(
    object: Node<'_>,
    metadata: Metadata,
    problems: &mut Vec<Problem>,
    refusals: &mut Vec<Refusal>,
    hidden: &mut Vec<Span>,
) -> Secret {
    let title = format!("Secret {}", metadata.path());
    let mut data = encoded(object, "data", &title, refusals, hidden);
    refusals.extend(twice_encoded(&data, &title, "PEM encoded twice", "base64 of base64"));
    let plain = plain(object, "stringData", problems);
    refusals.extend(twice_encoded(
        &plain,
        &title,
        "base64 under stringData, which is encoded once more",
        "base64, where text stands as it is",
    ));
    for datum in plain {
        data.retain(|other| other.key.value != datum.key.value);
        data.push(datum);
    }
    let secret = Secret { metadata, kind: text(object, "type"), data };
    refusals.extend(without_pair(object, &secret, &title));
    secret
}

/// The API server wants both keys in a Secret of type kubernetes.io/tls.
fn without_pair(object: Node<'_>, secret: &Secret, title: &str) -> Option<Refusal> {
    let kind = secret.kind.as_ref().filter(|kind| kind.value == "kubernetes.io/tls")?;
    // a part of an object, to be merged into another
    if object.get("data").is_none() && object.get("stringData").is_none() && object.get("sops").is_some() {
        return None;
    }
    let lacks = ["tls.crt", "tls.key"]
        .into_iter()
        .filter(|key| !secret.data.iter().any(|datum| datum.key.value == *key));
    let lacks: Vec<&str> = lacks.collect();
    if lacks.is_empty() {
        return None;
    }
    let has: Vec<&str> = secret.data.iter().map(|datum| datum.key.value.as_str()).collect();
    let has = if has.is_empty() { "no key".to_owned() } else { has.join(", ") };
    let lacks = lacks.join(" and ");
    Some(Refusal {
        rule: "tls-secret-without-pair",
        message: format!("{title} is of type kubernetes.io/tls and lacks {lacks}"),
        labels: vec![
            Label { span: kind.span, message: "this type has tls.crt and tls.key".to_owned() },
            Label { span: secret.metadata.name.span, message: format!("has {has}") },
        ],
        help: None,
        log: Some("data[tls.crt]: Required value".to_owned()),
    })
}

/// PEM that went through base64 once too often: all such keys of a Secret at once.
fn twice_encoded<'d>(
    data: impl IntoIterator<Item = &'d Datum>,
    title: &str,
    what: &str,
    here: &str,
) -> Option<Refusal> {
    let found = data.into_iter().filter_map(|datum| Some((datum.key.value.as_str(), hidden_pem(datum)?)));
    let (keys, places): (Vec<&str>, Vec<Span>) = found.unzip();
    let (last, others) = keys.split_last()?;
    let (names, are) = match others {
        [] => ((*last).to_owned(), "is"),
        others => (format!("{} and {last}", others.join(", ")), "are"),
    };
    Some(Refusal {
        rule: "double-encoded-secret",
        message: format!("{names} in {title} {are} {what}: whoever mounts it finds base64"),
        labels: places.into_iter().map(|span| Label { span, message: here.to_owned() }).collect(),
        help: None,
        log: None,
    })
}

/// Whether a key is called as a file of certificates is.
fn is_certificate_file(key: &str) -> bool {
    matches!(key.rsplit_once('.'), Some((_, "crt" | "pem" | "cer" | "cert")))
}

/// Where a value stands that is base64 of PEM after all decoding.
fn hidden_pem(datum: &Datum) -> Option<Span> {
    let text = datum.value.as_ref().ok()?;
    let once = std::str::from_utf8(text.bytes()).ok()?.trim();
    let pem = |text: &str| text.trim_start().starts_with("-----BEGIN ");
    if once.is_empty() || pem(once) {
        return None;
    }
    let twice = decode(once).ok()?;
    pem(std::str::from_utf8(&twice).ok()?).then(|| text.full_span())
}

/// The values of a Secret that is kept encrypted (SOPS) or filled in before it is applied are not seen.
fn unseen(object: Node<'_>, written: &str) -> Option<&'static str> {
    if object.get("sops").is_some() || written.starts_with("ENC[") {
        return Some("it is encrypted by SOPS");
    }
    // what is valid base64 is meant as it is
    let template = is_placeholder(written) && decode(written).is_err();
    template.then_some("it is filled in before it is applied")
}

pub(super) fn config_map(
    object: Node<'_>,
    metadata: Metadata,
    problems: &mut Vec<Problem>,
    refusals: &mut Vec<Refusal>,
    hidden: &mut Vec<Span>,
) -> ConfigMap {
    let title = format!("ConfigMap {}", metadata.path());
    let mut data = plain(object, "data", problems);
    // other values may be meant for somebody who decodes them
    let files = data.iter().filter(|datum| is_certificate_file(&datum.key.value));
    let here = "base64, where text stands as it is";
    refusals.extend(twice_encoded(files, &title, "base64 under data, which is not decoded", here));
    let binary = encoded(object, "binaryData", &title, refusals, hidden);
    refusals.extend(twice_encoded(&binary, &title, "PEM encoded twice", "base64 of base64"));
    data.extend(binary);
    ConfigMap { metadata, data }
}

fn plain(object: Node<'_>, field: &str, problems: &mut Vec<Problem>) -> Vec<Datum> {
    let mut found = Vec::new();
    for (key, value) in object.get(field).into_iter().flat_map(Node::entries) {
        let Some(name) = super::scalar(key) else { continue };
        let folded = value.is_folded();
        let value = match value.kind() {
            Kind::Null => Ok(Text::opaque(value.span(), Vec::new())),
            Kind::Scalar => {
                if value.as_bool().is_some() || value.is_plain() && number(value) {
                    problems.push(problem(
                        value.span(),
                        format!(
                            "{field} holds text, and Kubernetes refuses a number or boolean there: quote it"
                        ),
                    ));
                }
                value.text().ok_or_else(|| "it could not be read".to_owned())
            }
            Kind::Sequence | Kind::Mapping => {
                problems.push(problem(
                    value.span(),
                    format!("{field} holds text, not YAML: write `|` after the colon to make it text"),
                ));
                Err(format!("the value of {} is no text", name.value))
            }
        };
        found.push(Datum { key: name, value, folded });
    }
    found.shrink_to_fit();
    found
}

fn number(value: Node<'_>) -> bool {
    value.as_i64().is_some() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok())
}

fn encoded(
    object: Node<'_>,
    field: &str,
    title: &str,
    refusals: &mut Vec<Refusal>,
    hidden: &mut Vec<Span>,
) -> Vec<Datum> {
    let mut found = Vec::new();
    for (key, value) in object.get(field).into_iter().flat_map(Node::entries) {
        let Some(name) = super::scalar(key) else { continue };
        let written = value.as_str().unwrap_or_default();
        if let Some(why) = unseen(object, written) {
            found.push(Datum { key: name, value: Err(why.to_owned()), folded: false });
            continue;
        }
        let decoded = if matches!(value.kind(), Kind::Sequence | Kind::Mapping) {
            Err("it is no text")
        } else {
            decode(written)
        };
        let value = match decoded {
            Ok(bytes) => Ok(Text::opaque(value.span(), bytes)),
            Err(why) => {
                hidden.push(value.span());
                refusals.push(not_base64(&name, value.span(), written, why, title));
                Err(format!("the value of {} is not base64", name.value))
            }
        };
        found.push(Datum { key: name, value, folded: false });
    }
    found.shrink_to_fit();
    found
}

fn not_base64(name: &Located<String>, place: Span, written: &str, why: &str, title: &str) -> Refusal {
    let what = if written.trim_start().starts_with("-----BEGIN") {
        "PEM, not base64".to_owned()
    } else {
        format!("not base64: {why}")
    };
    // documentation writes words or dots where a value belongs
    let stands_in = written.contains("...") || !written.contains('\n') && written.trim().contains(' ');
    let here = match stands_in && !written.contains("-----") {
        true => "stands in for a value: what base64 -w0 prints of the file belongs here",
        false => "stands here as it is",
    };
    Refusal {
        rule: "undecodable-secret",
        message: format!("the value of {} in {title} is {what}", name.value),
        labels: vec![
            Label { span: name.span, message: "its value cannot be decoded".to_owned() },
            Label { span: place, message: here.to_owned() },
        ],
        help: None,
        log: Some("illegal base64 data at input byte 0".to_owned()),
    }
}

/// Standard base64 with padding; line breaks in it are skipped, and bits that are left over at the end forgiven, as Go
/// does (`base64.StdEncoding` is not `Strict`).
fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    const FORGIVING: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, FORGIVING);
    if let Ok(bytes) = engine.decode(text) {
        return Ok(bytes);
    }
    let bare: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    engine.decode(&bare).map_err(|error| match error {
        base64::DecodeError::InvalidLength(_) => "its length is wrong",
        base64::DecodeError::InvalidPadding => "its padding is wrong",
        base64::DecodeError::InvalidByte(..) => "it has a character that base64 does not know",
        base64::DecodeError::InvalidLastSymbol { .. } => "it ends in the middle of a byte",
    })
}
