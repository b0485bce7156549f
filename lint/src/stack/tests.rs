//! What the three stacks make of the same certificates, in tables. Certificates are minted here, really signed.

use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};

use super::certificate::{ANY_USAGE, CLIENT_AUTH, SERVER_AUTH};
use super::signatures::Signatures;
use super::{Anchors, Certificate, Knowledge, Mistake, Purpose, Question, boringssl, der, go, openssl};
use crate::source::{FileId, Span};

const AT: i64 = 1_795_392_000; // 2026-11-23
const SPAN: Span = Span { file: FileId(0), start: 0, end: 0 };
const ED25519: [u8; 3] = [0x2b, 0x65, 0x70];

/// A certificate to be minted: an end-entity or a CA, good unless told otherwise.
#[derive(Clone)]
struct Mint {
    subject: &'static str,
    issuer: &'static str,
    /// Seeds of the subject's and the signer's key.
    keys: (u8, u8),
    version: u8,
    years: (u8, u8),
    ca: Option<(bool, Option<u8>)>,
    key_usage: Option<u8>,
    usages: &'static [&'static str],
    key_ids: bool,
    authority: Option<u8>,
    critical: bool,
    permitted: Option<&'static str>,
    dns: &'static str,
}

fn ca(subject: &'static str, key: u8) -> Mint {
    Mint { ca: Some((true, None)), key_usage: Some(0x06), ..leaf(subject, subject, (key, key)) }
}

fn intermediate(subject: &'static str, issuer: &'static str, keys: (u8, u8)) -> Mint {
    Mint { ca: Some((true, None)), key_usage: Some(0x06), ..leaf(subject, issuer, keys) }
}

fn leaf(subject: &'static str, issuer: &'static str, keys: (u8, u8)) -> Mint {
    Mint {
        subject,
        issuer,
        keys,
        version: 3,
        years: (20, 46),
        ca: None,
        key_usage: None,
        usages: &[],
        key_ids: true,
        authority: None,
        critical: false,
        permitted: None,
        dns: "srv.example.test",
    }
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    der::write(der::SEQUENCE, &parts.concat())
}

fn name(text: &str) -> Vec<u8> {
    let attribute = [der::write(der::OBJECT_IDENTIFIER, &[0x55, 4, 3]), der::write(0x0c, text.as_bytes())];
    sequence(&[der::write(der::SET, &sequence(&attribute))])
}

fn oid(dotted: &str) -> Vec<u8> {
    let numbers: Vec<u32> = dotted.split('.').map(|part| part.parse().unwrap()).collect();
    let mut content = vec![(numbers[0] * 40 + numbers[1]) as u8];
    for number in &numbers[2..] {
        let mut bytes = vec![(number & 0x7f) as u8];
        let mut rest = number >> 7;
        while rest > 0 {
            bytes.insert(0, (rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        content.extend(bytes);
    }
    der::write(der::OBJECT_IDENTIFIER, &content)
}

fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![oid(id)];
    if critical {
        parts.push(der::write(der::BOOLEAN, &[0xff]));
    }
    parts.push(der::write(der::OCTET_STRING, value));
    sequence(&parts)
}

impl Mint {
    fn extensions(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        if let Some((ca, length)) = self.ca {
            let mut parts = Vec::new();
            if ca {
                parts.push(der::write(der::BOOLEAN, &[0xff]));
            }
            parts.extend(length.map(|length| der::write(der::INTEGER, &[length])));
            all.push(extension("2.5.29.19", true, &sequence(&parts)));
        }
        if let Some(bits) = self.key_usage {
            all.push(extension("2.5.29.15", true, &der::write(der::BIT_STRING, &[0, bits])));
        }
        if !self.usages.is_empty() {
            let usages: Vec<Vec<u8>> = self.usages.iter().map(|usage| oid(usage)).collect();
            all.push(extension("2.5.29.37", false, &sequence(&usages)));
        }
        if self.key_ids {
            all.push(extension("2.5.29.14", false, &der::write(der::OCTET_STRING, &[self.keys.0])));
            let authority = self.authority.unwrap_or(self.keys.1);
            all.push(extension("2.5.29.35", false, &sequence(&[der::write(0x80, &[authority])])));
        }
        if self.critical {
            all.push(extension("1.2.3.4", true, &[5, 0]));
        }
        if let Some(base) = self.permitted {
            let subtree = sequence(&[der::write(0x82, base.as_bytes())]);
            all.push(extension("2.5.29.30", true, &sequence(&[der::write(0xa0, &subtree)])));
        }
        all.push(extension("2.5.29.17", false, &sequence(&[der::write(0x82, self.dns.as_bytes())])));
        all
    }

    fn mint(&self) -> Arc<Certificate> {
        let key = |seed: u8| SigningKey::from_bytes(&[seed; 32]);
        let algorithm = sequence(&[der::write(der::OBJECT_IDENTIFIER, &ED25519)]);
        let mut public = vec![0];
        public.extend(key(self.keys.0).verifying_key().to_bytes());
        let time = |year: u8| der::write(der::UTC_TIME, format!("{year:02}0101000000Z").as_bytes());
        let mut tbs = Vec::new();
        if self.version == 3 {
            tbs.push(der::write(0xa0, &der::write(der::INTEGER, &[2])));
        }
        tbs.extend([
            der::write(der::INTEGER, &[1]),
            algorithm.clone(),
            name(self.issuer),
            sequence(&[time(self.years.0), time(self.years.1)]),
            name(self.subject),
            sequence(&[algorithm.clone(), der::write(der::BIT_STRING, &public)]),
        ]);
        if self.version == 3 {
            tbs.push(der::write(0xa3, &sequence(&self.extensions())));
        }
        let tbs = sequence(&tbs);
        let mut signature = vec![0];
        signature.extend(key(self.keys.1).sign(&tbs).to_bytes());
        let whole = sequence(&[tbs, algorithm, der::write(der::BIT_STRING, &signature)]);
        Arc::new(Certificate::read(&whole, SPAN).unwrap())
    }
}

/// What nginx (last fault), curl (first fault, partial paths), Go and Envoy make of it; None: accepted.
fn verdicts(sent: &[Mint], bundle: &[Mint], purpose: Purpose) -> [Option<Mistake>; 4] {
    let presented: Vec<Arc<Certificate>> = sent.iter().map(Mint::mint).collect();
    let anchors = Anchors { certificates: bundle.iter().map(Mint::mint).collect(), ..Anchors::default() };
    let question = Question { presented: &presented, anchors: &anchors, purpose, at: AT, crls: None };
    let signatures = Signatures::default();
    let knowledge = Knowledge::new(&signatures, true);
    let nginx = openssl::Settings { security_level: 2, depth: Some(9), partial_paths: false };
    let curl = openssl::Settings { partial_paths: true, depth: None, ..nginx };
    let mistake = |fault: &super::Fault| fault.mistake;
    [
        openssl::validate(&question, &nginx, &knowledge).faults.last().map(mistake),
        openssl::validate(&question, &curl, &knowledge).faults.first().map(mistake),
        go::validate(&question, &knowledge).err().as_ref().map(mistake),
        boringssl::validate(&question, &boringssl::Settings::default(), &knowledge)
            .err()
            .as_ref()
            .map(mistake),
    ]
}

#[test]
fn the_stacks_disagree_about_the_same_certificates() {
    use Mistake::*;
    let good = leaf("srv", "root", (9, 1));
    let below = leaf("srv", "inter", (9, 2));
    let inter = intermediate("inter", "root", (2, 1));
    let root = ca("root", 1);
    let no = None;
    type Row = (&'static str, Vec<Mint>, Vec<Mint>, [Option<Mistake>; 4]);
    let table: Vec<Row> = vec![
        ("a certificate of a trusted CA", vec![good.clone()], vec![root.clone()], [no; 4]),
        ("another CA", vec![good.clone()], vec![ca("other", 3)], [Some(UnknownIssuer); 4]),
        ("an intermediate that is sent", vec![below.clone(), inter.clone()], vec![root.clone()], [no; 4]),
        ("an intermediate in the bundle", vec![below.clone()], vec![inter.clone(), root.clone()], [no; 4]),
        (
            "only the intermediate in the bundle",
            vec![below.clone()],
            vec![inter.clone()],
            [Some(MissingRoot), no, no, no],
        ),
        (
            "the certificate itself in the bundle",
            vec![good.clone()],
            vec![good.clone()],
            [Some(UnknownIssuer), no, no, no],
        ),
        (
            "a self-signed certificate in the bundle",
            vec![leaf("srv", "srv", (9, 9))],
            vec![leaf("srv", "srv", (9, 9))],
            [no; 4],
        ),
        (
            "same name, other key, key identifiers",
            vec![good.clone()],
            vec![ca("root", 5)],
            [Some(IssuerWithOtherKey); 4],
        ),
        (
            "a twin with another key before the right one, without key identifiers",
            vec![Mint { key_ids: false, ..good.clone() }],
            vec![Mint { key_ids: false, ..ca("root", 5) }, Mint { key_ids: false, ..root.clone() }],
            [Some(IssuerWithOtherKey), Some(IssuerWithOtherKey), no, Some(IssuerWithOtherKey)],
        ),
        (
            "an expired twin before the valid one",
            vec![good.clone()],
            vec![Mint { years: (10, 15), ..root.clone() }, root.clone()],
            [no, no, no, Some(ExpiredCertificate)],
        ),
        (
            "a key identifier that does not fit",
            vec![Mint { authority: Some(77), ..good.clone() }],
            vec![root.clone()],
            [Some(IssuerWithOtherKey), Some(IssuerWithOtherKey), no, Some(IssuerWithOtherKey)],
        ),
        (
            "an issuer name that differs in case",
            vec![leaf("srv", "ROOT", (9, 1))],
            vec![root.clone()],
            [no, no, Some(UnknownIssuer), no],
        ),
        (
            "an anchor without basicConstraints",
            vec![good.clone()],
            vec![Mint { ca: None, ..root.clone() }],
            [no, no, Some(IssuerNotCa), no],
        ),
        (
            "an anchor that says CA:FALSE",
            vec![good.clone()],
            vec![Mint { ca: Some((false, None)), ..root.clone() }],
            [Some(IssuerNotCa), Some(IssuerNotCa), Some(IssuerNotCa), no],
        ),
        ("an anchor of version 1", vec![good.clone()], vec![Mint { version: 1, ..root.clone() }], [no; 4]),
        (
            "an anchor without keyCertSign",
            vec![good.clone()],
            vec![Mint { key_usage: Some(0x80), ..root.clone() }],
            [Some(UnsuitableKeyUsage), Some(IssuerNotCa), Some(UnsuitableKeyUsage), Some(IssuerWithOtherKey)],
        ),
        (
            "a path length of zero on the anchor, one intermediate below",
            vec![below.clone(), inter.clone()],
            vec![Mint { ca: Some((true, Some(0))), ..root.clone() }],
            [Some(PathLengthExceeded), Some(PathLengthExceeded), Some(PathLengthExceeded), no],
        ),
        (
            "an anchor for clients alone",
            vec![good.clone()],
            vec![Mint { usages: &[CLIENT_AUTH], ..root.clone() }],
            [Some(UsageExcludedByIssuer), Some(UsageExcludedByIssuer), Some(UsageExcludedByIssuer), no],
        ),
        (
            "an intermediate for any usage",
            vec![below.clone(), Mint { usages: &[ANY_USAGE], ..inter.clone() }],
            vec![root.clone()],
            [Some(UsageExcludedByIssuer), Some(UsageExcludedByIssuer), no, Some(UsageExcludedByIssuer)],
        ),
        (
            "a certificate for any usage",
            vec![Mint { usages: &[ANY_USAGE], ..good.clone() }],
            vec![root.clone()],
            [Some(MissingServerAuthUsage), Some(MissingServerAuthUsage), no, Some(MissingServerAuthUsage)],
        ),
        (
            "a certificate for servers",
            vec![Mint { usages: &[SERVER_AUTH], ..good.clone() }],
            vec![root.clone()],
            [no; 4],
        ),
        (
            "an unknown critical extension in the certificate",
            vec![Mint { critical: true, ..good.clone() }],
            vec![root.clone()],
            [Some(UnknownCriticalExtension); 4],
        ),
        (
            "an unknown critical extension in the anchor",
            vec![good.clone()],
            vec![Mint { critical: true, ..root.clone() }],
            [
                Some(UnknownCriticalExtension),
                Some(UnknownCriticalExtension),
                Some(UnknownCriticalExtension),
                no,
            ],
        ),
        (
            "a name that the root may not sign for",
            vec![good.clone()],
            vec![Mint { permitted: Some("other.test"), ..root.clone() }],
            [Some(NameConstraintViolated); 4],
        ),
        (
            "an expired certificate",
            vec![Mint { years: (10, 15), ..good.clone() }],
            vec![root.clone()],
            [Some(ExpiredCertificate); 4],
        ),
        (
            "a key for signing certificates alone",
            vec![Mint { key_usage: Some(0x04), ..good.clone() }],
            vec![root.clone()],
            [Some(UnsuitableKeyUsage), Some(UnsuitableKeyUsage), no, Some(UnsuitableKeyUsage)],
        ),
    ];
    for (what, sent, bundle, wanted) in table {
        assert_eq!(verdicts(&sent, &bundle, Purpose::Server), wanted, "{what}");
    }
}

#[test]
fn a_depth_counts_intermediates() {
    let sent =
        [leaf("srv", "i2", (9, 3)), intermediate("i2", "i1", (3, 2)), intermediate("i1", "root", (2, 1))]
            .map(|mint| mint.mint());
    let anchors = Anchors { certificates: vec![ca("root", 1).mint()], ..Anchors::default() };
    let question =
        Question { presented: &sent, anchors: &anchors, purpose: Purpose::Client, at: AT, crls: None };
    let signatures = Signatures::default();
    for (depth, accepted) in [(0, false), (1, false), (2, true), (3, true)] {
        let knowledge = Knowledge::new(&signatures, true);
        let settings = openssl::Settings { security_level: 2, depth: Some(depth), partial_paths: false };
        let faults = openssl::validate(&question, &settings, &knowledge).faults;
        assert_eq!(faults.is_empty(), accepted, "nginx, depth {depth}");
    }
    for (depth, accepted) in [(1, false), (2, false), (3, true)] {
        let knowledge = Knowledge::new(&signatures, true);
        let settings = boringssl::Settings { depth: Some(depth), ..boringssl::Settings::default() };
        assert_eq!(
            boringssl::validate(&question, &settings, &knowledge).is_ok(),
            accepted,
            "Envoy, depth {depth}"
        );
    }
}

#[test]
fn a_mesh_of_cross_signed_twins_ends() {
    let mut sent = vec![leaf("srv", "a", (9, 50)).mint()];
    // every twin bears one of two names and is signed by another twin's key: no path leads anywhere
    for key in 50..150 {
        let (subject, issuer) = if key % 2 == 0 { ("a", "b") } else { ("b", "a") };
        sent.push(Mint { key_ids: false, ..intermediate(subject, issuer, (key, key + 1)) }.mint());
    }
    let anchors = Anchors { certificates: vec![ca("root", 1).mint()], ..Anchors::default() };
    let question =
        Question { presented: &sent, anchors: &anchors, purpose: Purpose::Server, at: AT, crls: None };
    let signatures = Signatures::default();
    let knowledge = Knowledge::new(&signatures, true);
    let settings = openssl::Settings { security_level: 2, depth: None, partial_paths: true };
    assert!(!openssl::validate(&question, &settings, &knowledge).faults.is_empty());
    assert!(go::validate(&question, &knowledge).is_err());
    assert!(boringssl::validate(&question, &boringssl::Settings::default(), &knowledge).is_err());
}
