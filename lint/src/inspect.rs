//! `mtls-lint inspect`: what certificate files hold, in which order, what belongs together, and who refuses them.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use mtls_identity::sorted;
use serde_json::{Value, json};

use crate::source::{Span, Text};
use crate::stack::certificate::{Certificate, GeneralName, KeyUsage, usage_name};
use crate::stack::crl::RevocationList;
use crate::stack::load::{Certificates, Passphrases, Problem, ReadOnce, looks_like};
use crate::stack::private_key::PrivateKey;
use crate::stack::signatures::{Signatures, Signed};
use crate::stack::{KeyType, boringssl, go, openssl};
use crate::syntax::pem;
use crate::time::UnixSeconds;
use crate::time::{format, format_day};
use crate::visible::on_one_line;

/// What files hold.
#[derive(Debug)]
pub struct Inspection {
    /// One for each file, in the order given.
    pub files: Vec<Inspected>,
}

/// What one file holds.
#[derive(Debug)]
pub struct Inspected {
    /// The path as given.
    pub path: String,
    /// Its parts, in their order.
    pub items: Vec<Item>,
    /// What is wrong with it, or worth knowing.
    pub remarks: Vec<Remark>,
}

/// A part of a file.
#[derive(Debug)]
pub struct Item {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub what: What,
    /// Who issued it, or whose key it is, among the files: path and number within the file, from 1.
    pub belongs_to: Option<(String, usize)>,
}

/// What a part of a file is.
#[derive(Debug)]
pub enum What {
    /// A certificate.
    Certificate(Arc<Certificate>),
    /// A private key; only its public half is known here. None: encrypted.
    Key(Option<PrivateKey>),
    /// A revocation list.
    List(Box<RevocationList>),
    /// A block with another label, or whose content is not what its label says.
    Other(String),
}

/// Something to say of a file.
#[derive(Debug)]
pub struct Remark {
    /// It is wrong, and not only worth knowing.
    pub wrong: bool,
    /// What.
    pub message: String,
    /// Where.
    pub span: Span,
}

/// Looks at files, together and one by one.
pub fn inspect(files: &[(String, Text)], at: UnixSeconds) -> Inspection {
    let once = ReadOnce::default();
    let mut inspected: Vec<Inspected> = files.iter().map(|(path, text)| read(path, text, &once)).collect();
    let signatures = Signatures::default();
    relate(&mut inspected, &signatures);
    for (file, (_, text)) in inspected.iter_mut().zip(files) {
        judge(file, text, at, &once);
    }
    Inspection { files: inspected }
}

fn read(path: &str, text: &Text, once: &ReadOnce) -> Inspected {
    let mut file = Inspected { path: path.to_owned(), items: Vec::new(), remarks: Vec::new() };
    for block in pem::blocks(text.bytes()) {
        let span = text.span(block.range.clone());
        let what = match &block.content {
            Err(damage) => {
                let message = match damage {
                    pem::Damage::NoEnd => {
                        format!("the block {} has no line -----END {}-----", block.label, block.label)
                    }
                    pem::Damage::Base64 => format!("the block {} is not base64", block.label),
                };
                file.remarks.push(Remark { wrong: true, message, span });
                What::Other(block.label.clone())
            }
            Ok(der) => item(&block, der, span, once),
        };
        if block.indented {
            let message =
                "the BEGIN line does not start its line, so that no program sees the block".to_owned();
            file.remarks.push(Remark { wrong: true, message, span });
        }
        file.items.push(Item { span, what, belongs_to: None });
    }
    if file.items.is_empty() {
        whole(&mut file, text);
    }
    file
}

fn item(block: &pem::Block, der: &[u8], span: Span, once: &ReadOnce) -> What {
    let label = block.label.as_str();
    if label.ends_with("PRIVATE KEY") {
        if label == "ENCRYPTED PRIVATE KEY" || block.encrypted {
            return What::Key(None);
        }
        return PrivateKey::read(label, der)
            .map_or_else(|| What::Other(label.to_owned()), |key| What::Key(Some(key)));
    }
    if openssl::pem::is_trusted_certificate(label)
        && let Ok(certificate) = once.certificate(der, span)
    {
        return What::Certificate(certificate);
    }
    if label == "X509 CRL"
        && let Some(list) = RevocationList::read(der, span)
    {
        return What::List(Box::new(list));
    }
    What::Other(label.to_owned())
}

/// A file without a block: DER is named, everything else is called what it looks like.
fn whole(file: &mut Inspected, text: &Text) {
    let span = text.full_span();
    if let Ok(certificate) = Certificate::read(text.bytes(), span) {
        file.items.push(Item { span, what: What::Certificate(Arc::new(certificate)), belongs_to: None });
        let message = format!(
            "the file is DER, and servers read PEM; write: openssl x509 -inform DER -in {0} -out {0}.pem",
            file.path
        );
        file.remarks.push(Remark { wrong: true, message, span });
        return;
    }
    let message = format!("the file {}", looks_like(text.bytes()));
    file.remarks.push(Remark { wrong: true, message, span });
}

/// Certificates of one name that are looked at, and those tried as an issuer beside the likeliest one in a whole run.
const MOST_TRIED: usize = 1000;

/// A certificate among the files: where it stands, its number there, and what it says.
type Place = (usize, usize, Arc<Certificate>);

/// Who issued whom, and whose key is whose.
fn relate(files: &mut [Inspected], signatures: &Signatures) {
    let mut by_name: HashMap<Vec<u8>, Vec<Place>> = HashMap::new();
    let mut by_key: HashMap<PrivateKey, Vec<Place>> = HashMap::new();
    let keys = files.iter().flat_map(|file| &file.items).any(|item| matches!(item.what, What::Key(Some(_))));
    for (place, file) in files.iter().enumerate() {
        for (index, item) in file.items.iter().enumerate() {
            let What::Certificate(certificate) = &item.what else { continue };
            let found = (place, index + 1, Arc::clone(certificate));
            if keys && let Some(key) = PrivateKey::of(certificate) {
                by_key.entry(key).or_default().push(found.clone());
            }
            match by_name.get_mut(&certificate.subject.canonical) {
                Some(named) => named.push(found),
                None => {
                    by_name.insert(certificate.subject.canonical.clone(), vec![found]);
                }
            }
        }
    }
    let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    let mut left = MOST_TRIED;
    for (place, file) in files.iter_mut().enumerate() {
        let mut untried = Vec::new();
        for item in &mut file.items {
            let owner = match &item.what {
                What::Certificate(certificate) => {
                    let named = by_name.get(&certificate.issuer.canonical).map_or(&[][..], Vec::as_slice);
                    issuer(certificate, named, place, signatures, &mut left).unwrap_or_else(|| {
                        untried.push((certificate.shown.clone(), item.span));
                        None
                    })
                }
                // one of the same file before one of another
                What::Key(Some(key)) => by_key.get(key).and_then(|with| {
                    with.iter().find(|(other, _, _)| *other == place).or_else(|| with.first())
                }),
                What::Key(None) | What::List(_) | What::Other(_) => None,
            };
            item.belongs_to =
                owner.and_then(|(other, number, _)| Some((paths.get(*other)?.clone(), *number)));
        }
        let remarks = untried.into_iter().map(|(shown, span)| Remark {
            wrong: false,
            message: format!(
                "too many certificates bear the name of the issuer of {shown} to try them all; inspect fewer at once"
            ),
            span,
        });
        file.remarks.extend(remarks);
    }
}

/// Who issued a certificate, of those that bear its issuer's name; None: too many bear it.
fn issuer<'p>(
    certificate: &Certificate,
    named: &'p [Place],
    place: usize,
    signatures: &Signatures,
    left: &mut usize,
) -> Option<Option<&'p Place>> {
    let key_id = certificate.authority_key_id.as_ref().and_then(|authority| authority.key_id.as_ref());
    // the likeliest first: one with the key that the certificate names, one of the same file
    let likeliness = |(other, _, issuer): &Place| {
        let same_key = key_id.is_some() && key_id == issuer.subject_key_id.as_ref();
        (usize::from(!same_key), usize::from(*other != place))
    };
    let mut tried = 0;
    for (key, file) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        for found in named.iter().take(MOST_TRIED) {
            if likeliness(found) != (key, file) || found.2.digest == certificate.digest {
                continue;
            }
            if tried > 0 {
                *left = left.checked_sub(1)?;
            }
            tried += 1;
            signatures.renew();
            if signatures.signed(certificate, &found.2) == Signed::Yes {
                return Some(Some(found));
            }
        }
    }
    (named.len() <= MOST_TRIED).then_some(None)
}

fn judge(file: &mut Inspected, text: &Text, at: UnixSeconds, once: &ReadOnce) {
    let certificates: Vec<Arc<Certificate>> = file
        .items
        .iter()
        .filter_map(|item| match &item.what {
            What::Certificate(certificate) => Some(Arc::clone(certificate)),
            _ => None,
        })
        .collect();
    for certificate in &certificates {
        let mut wrong =
            |message: String| file.remarks.push(Remark { wrong: true, message, span: certificate.span });
        if certificate.not_after < at {
            wrong(format!("{} expired on {}", certificate.shown, format_day(certificate.not_after)));
        }
        if certificate.not_before > at {
            wrong(format!("{} is valid from {} on", certificate.shown, format_day(certificate.not_before)));
        }
        if let Some(oid) = &certificate.duplicate_extension {
            wrong(format!("{} has the extension {oid} twice", certificate.shown));
        }
        if !openssl::self_signed(certificate) && !openssl::level::signature_allowed(certificate, 1) {
            let digest = openssl::level::digest_name(certificate);
            wrong(format!("{} is signed with {digest}, which OpenSSL and Go refuse", certificate.shown));
        }
        if !openssl::level::key_allowed(certificate.key.kind, 2) {
            wrong(format!(
                "{} has the key {}, which Debian's OpenSSL refuses",
                certificate.shown, certificate.key.kind
            ));
        }
    }
    order(file);
    keys(file);
    // DER was named as such
    if text.bytes().is_ascii() || !pem::blocks(text.bytes()).is_empty() {
        refusals(file, text, &certificates, once);
    }
}

/// Whether each certificate is followed by its issuer.
fn order(file: &mut Inspected) {
    let issuers: Vec<(usize, Span, String, Option<usize>, bool)> = file
        .items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| match &item.what {
            What::Certificate(certificate) => {
                let here = item
                    .belongs_to
                    .as_ref()
                    .filter(|(path, _)| *path == file.path)
                    .map(|(_, number)| *number);
                Some((
                    index + 1,
                    item.span,
                    certificate.shown.clone(),
                    here,
                    certificate.is_ca() || certificate.is_self_issued(),
                ))
            }
            _ => None,
        })
        .collect();
    // a bundle of CAs has no order
    if issuers.iter().all(|(_, _, _, _, ca)| *ca) {
        return;
    }
    let issuing: BTreeSet<usize> = sorted::set(issuers.iter().filter_map(|(_, _, _, issuer, _)| *issuer));
    for pair in issuers.windows(2) {
        let [(_, _, shown, issuer, _), (next, span, other, _, _)] = pair else { continue };
        match issuer {
            Some(number) if number == next => {}
            Some(number) => file.remarks.push(Remark {
                wrong: false,
                message: format!("{shown} was issued by number {number}, but {other} follows it; put issuers right after what they issued"),
                span: *span,
            }),
            None if issuing.contains(next) => {}
            None => file.remarks.push(Remark {
                wrong: false,
                message: format!("{other} did not issue {shown}, which it follows, and is sent for nothing"),
                span: *span,
            }),
        }
    }
}

/// A key must belong to the first certificate.
fn keys(file: &mut Inspected) {
    let first =
        file.items.iter().position(|item| matches!(item.what, What::Certificate(_))).map(|index| index + 1);
    let mut remarks = Vec::new();
    for item in &file.items {
        match (&item.what, &item.belongs_to, first) {
            (What::Key(None), _, _) => {
                remarks.push((false, "the private key is encrypted".to_owned(), item.span))
            }
            (What::Key(Some(_)), Some((path, number)), Some(first))
                if *path == file.path && *number != first =>
            {
                remarks.push((
                    true,
                    format!("the private key belongs to number {number}, but programs take number {first} for its certificate"),
                    item.span,
                ));
            }
            (What::Key(Some(_)), None, _) => remarks.push((
                first.is_some(),
                "the private key belongs to none of the certificates in these files".to_owned(),
                item.span,
            )),
            _ => {}
        }
    }
    file.remarks.extend(remarks.into_iter().map(|(wrong, message, span)| Remark { wrong, message, span }));
}

/// Which programs refuse the file for what it seems to be.
fn refusals(file: &mut Inspected, text: &Text, certificates: &[Arc<Certificate>], once: &ReadOnce) {
    let has_key = file.items.iter().any(|item| matches!(item.what, What::Key(_)));
    let mut found: Vec<(&str, Problem)> = Vec::new();
    if !certificates.is_empty() {
        let bundle =
            certificates.iter().all(|certificate| certificate.is_ca() || certificate.is_self_issued());
        let checks: [(&str, Result<Certificates, Problem>); 3] = if bundle {
            [
                ("OpenSSL (nginx, curl, APISIX)", openssl::load::anchors(text, once)),
                ("Go (etcd)", go::load::anchors(text, once)),
                ("Envoy", boringssl::load::anchors(text, once)),
            ]
        } else {
            [
                ("OpenSSL (nginx, curl, APISIX)", openssl::load::chain(text, once)),
                ("Go (etcd)", go::load::chain(text, once).map(|(chain, _)| chain)),
                ("Envoy", boringssl::load::chain(text, once)),
            ]
        };
        let fewer = bundle && matches!(&checks, [_, (_, Ok(by_go)), _] if by_go.len() < certificates.len());
        found.extend(checks.into_iter().filter_map(|(who, read)| Some((who, read.err()?))));
        if fewer {
            let span = text.full_span();
            let message =
                "Go (etcd) reads fewer certificates of the file than there are, and says nothing".to_owned();
            file.remarks.push(Remark { wrong: true, message, span });
        }
    } else if has_key {
        let checks = [
            ("OpenSSL (nginx, curl, APISIX)", openssl::load::private_key(text, Passphrases::None).err()),
            ("Go (etcd)", go::load::private_key(text).err()),
            ("Envoy", boringssl::load::private_key(text, Passphrases::None).err()),
        ];
        found.extend(checks.into_iter().filter_map(|(who, problem)| Some((who, problem?))));
    }
    for (who, problem) in found {
        let message = format!("{who} refuses it: the file {}", problem.message);
        file.remarks.push(Remark { wrong: true, message, span: problem.span });
    }
}

impl Inspection {
    /// Something is wrong with a file.
    pub fn is_wrong(&self) -> bool {
        self.files.iter().any(|file| file.remarks.iter().any(|remark| remark.wrong))
    }

    /// As a person reads it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for file in &self.files {
            // writing into a String cannot fail
            let _ = writeln!(out, "{}", on_one_line(&file.path));
            for (index, item) in file.items.iter().enumerate() {
                let _ = writeln!(out, "  {}. {}", index + 1, on_one_line(&item.headline()));
                for line in item.details() {
                    let _ = writeln!(out, "     {}", on_one_line(&line));
                }
            }
            for remark in &file.remarks {
                let kind = if remark.wrong { "wrong" } else { "note" };
                let _ = writeln!(out, "  {kind}: {}", on_one_line(&remark.message));
            }
        }
        out
    }

    /// As JSON, version 1.
    pub fn json(&self) -> Value {
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|file| {
                let items: Vec<Value> = file.items.iter().map(Item::json).collect();
                let remarks: Vec<Value> = file
                    .remarks
                    .iter()
                    .map(|remark| {
                        json!({"wrong": remark.wrong, "message": remark.message,
                               "start": remark.span.start, "end": remark.span.end})
                    })
                    .collect();
                json!({"file": file.path, "items": items, "remarks": remarks})
            })
            .collect();
        json!({"version": 1, "files": files})
    }
}

impl Item {
    fn headline(&self) -> String {
        match &self.what {
            What::Certificate(certificate) => {
                let kind = if openssl::self_signed(certificate) {
                    if certificate.is_ca() { "root certificate" } else { "self-signed certificate" }
                } else if certificate.is_ca() {
                    "intermediate certificate"
                } else {
                    "end-entity certificate"
                };
                format!("{kind} {}", certificate.shown)
            }
            What::Key(Some(key)) => {
                format!(
                    "private key, {}",
                    key.kind().map_or_else(|| "of an unknown kind".to_owned(), |kind| kind.to_string())
                )
            }
            What::Key(None) => "private key, encrypted".to_owned(),
            What::List(list) => format!("revocation list of {}", list.issuer.text),
            What::Other(label) => format!("block {label}"),
        }
    }

    fn details(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let owner = self.belongs_to.as_ref().map(|(path, number)| format!("number {number} in {path}"));
        match &self.what {
            What::Certificate(certificate) => {
                if !openssl::self_signed(certificate) {
                    lines.push(match owner {
                        Some(owner) => format!("issued by {}: {owner}", certificate.issuer.text),
                        None => {
                            format!("issued by {}, which is not among these files", certificate.issuer.text)
                        }
                    });
                }
                lines.push(format!(
                    "valid {} to {}",
                    format_day(certificate.not_before),
                    format_day(certificate.not_after)
                ));
                lines.push(format!(
                    "key {}, signed with {}",
                    certificate.key.kind,
                    openssl::level::digest_name(certificate)
                ));
                if certificate.alternative_names.is_some() {
                    lines.push(format!("names {}", certificate.shown_names()));
                }
                if let Some(bits) = certificate.key_usage {
                    lines.push(format!("key usage {}", KeyUsage::names(bits)));
                }
                if let Some(usages) = &certificate.extended_key_usage {
                    let names: Vec<&str> = usages.iter().map(|oid| usage_name(oid)).collect();
                    lines.push(format!("extended key usage {}", names.join(", ")));
                }
            }
            What::Key(_) => lines.extend(owner.map(|owner| format!("belongs to {owner}"))),
            What::List(list) => {
                lines.push(format!("{} certificates revoked", list.revoked.len()));
                lines.extend(list.next_update.map(|next| format!("to be renewed by {}", format_day(next))));
            }
            What::Other(_) => {}
        }
        lines
    }

    fn json(&self) -> Value {
        let belongs_to =
            self.belongs_to.as_ref().map(|(path, number)| json!({"file": path, "number": number}));
        match &self.what {
            What::Certificate(certificate) => {
                let names: Vec<String> = certificate.names().iter().map(GeneralName::shown).collect();
                let usages: Option<Vec<&str>> = certificate
                    .extended_key_usage
                    .as_ref()
                    .map(|usages| usages.iter().map(|oid| usage_name(oid)).collect());
                json!({"kind": "certificate", "subject": certificate.subject.text, "issuer": certificate.issuer.text,
                       "not_before": format(certificate.not_before), "not_after": format(certificate.not_after),
                       "key": certificate.key.kind.to_string(), "ca": certificate.is_ca(),
                       "self_signed": openssl::self_signed(certificate), "names": names,
                       "key_usage": certificate.key_usage.map(KeyUsage::names), "extended_key_usage": usages,
                       "sha256": hex(&certificate.digest), "issued_by": belongs_to})
            }
            What::Key(key) => {
                let kind: Option<KeyType> = key.as_ref().and_then(PrivateKey::kind);
                json!({"kind": "private-key", "key": kind.map(|kind| kind.to_string()), "encrypted": key.is_none(),
                       "belongs_to": belongs_to})
            }
            What::List(list) => json!({"kind": "revocation-list", "issuer": list.issuer.text,
                                       "revoked": list.revoked.len(), "next_update": list.next_update.map(format)}),
            What::Other(label) => json!({"kind": "other", "label": label}),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    fn of(text: &str) -> Inspection {
        let text = Text::excerpt(FileId(0), 0, text.as_bytes());
        inspect(&[("a.pem".to_owned(), text)], 1_795_392_000)
    }

    #[test]
    fn what_is_no_pem_is_called_what_it_looks_like() {
        for (text, part) in [
            ("", "is empty"),
            ("hello", "has no line starting with -----BEGIN"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "has no line -----END"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "is not base64"),
        ] {
            let found = of(text);
            assert!(found.is_wrong(), "{text}");
            assert!(found.text().contains(part), "{text}: {}", found.text());
        }
    }
}
