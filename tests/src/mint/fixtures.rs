//! fixtures/pki: the certificates that the project's fixtures and tests share.
//!
//! | file | what it is |
//! | --- | --- |
//! | `ca.pem`, `other-ca.pem` | the trust anchor of nearly everything here, and one that issued nothing |
//! | `NAME.pem`, `NAME.key` | end-entity certificate with what its owner sends, and its private key |
//! | `NAME.crl.pem` | revocation lists of its issuers |
//! | `decisions/` | what fixtures/decisions asks about, see [`super::decisions`] |

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::certificate::General;
use super::plan::{EXPIRED, Item, NOT_YET, Plan, Revocations, Role};
use super::variation::{
    AUTHORITIES, CONSTRAINTS, DATES, FILES, KEYS, ODDITIES, PATHS, REVOCATIONS, SIGNATURES, USAGES, Variation,
};

const SERVER: &str = "server.example.test";
const SPIFFE: &str = "spiffe://example.test/ns/shop/sa/client";

type Change = fn(&mut Plan);

/// Name, role, names, and what is different about it.
const TABLE: &[(&str, Role, &[&str], Change)] = &[
    ("server", Role::Server, &[SERVER], |_| ()),
    ("server-chain", Role::Server, &[SERVER], |p| p.intermediates(1)),
    ("server-chain-incomplete", Role::Server, &[SERVER], |p| vary(p, PATHS, "intermediate not sent")),
    ("server-rsa", Role::Server, &[SERVER], |p| vary(p, KEYS, "key rsa2048")),
    ("server-rsa1024", Role::Server, &[SERVER], |p| vary(p, KEYS, "key rsa1024")),
    ("server-ed25519", Role::Server, &[SERVER], |p| vary(p, KEYS, "key ed25519")),
    ("server-p384", Role::Server, &[SERVER], |p| vary(p, KEYS, "key p384")),
    ("server-expired", Role::Server, &[SERVER], |p| p.leaf.validity = EXPIRED),
    ("server-expiring", Role::Server, &[SERVER], |p| p.leaf.validity = ((2025, 12, 10), (2026, 12, 10))),
    ("server-outliving", Role::Server, &[SERVER], |p| {
        own_root(p);
        p.root().validity = ((2020, 1, 1), (2040, 1, 1));
    }),
    ("server-authority", Role::Server, &[SERVER], |p| vary(p, ODDITIES, "CA:TRUE")),
    ("server-not-yet", Role::Server, &[SERVER], |p| p.leaf.validity = NOT_YET),
    ("server-other-name", Role::Server, &["elsewhere.example.test"], |_| ()),
    ("server-wildcard", Role::Server, &["*.example.test"], |_| ()),
    ("server-no-names", Role::Server, &[], |_| ()),
    ("server-client-usage", Role::Server, &[SERVER], |p| vary(p, USAGES, "eku of the other side")),
    ("server-sha1", Role::Server, &[SERVER], |p| vary(p, SIGNATURES, "signature ecdsa sha1")),
    ("server-mismatched-key", Role::Server, &[SERVER], |p| vary(p, KEYS, "key of another certificate")),
    ("server-encrypted-key", Role::Server, &[SERVER], |p| vary(p, KEYS, "key encrypted")),
    ("server-self-signed", Role::Server, &[SERVER], |p| vary(p, PATHS, "self-signed, trusted")),
    ("server-swapped", Role::Server, &[SERVER], |p| vary(p, FILES, "certificate and key swapped")),
    ("server-root-expired", Role::Server, &[SERVER], |p| {
        own_root(p);
        vary(p, DATES, "root expired");
    }),
    ("server-not-a-ca", Role::Server, &[SERVER], |p| {
        own_root(p);
        vary(p, AUTHORITIES, "root CA:FALSE");
    }),
    ("server-constrained", Role::Server, &[SERVER], |p| {
        own_root(p);
        vary(p, CONSTRAINTS, "dns constraint violated");
    }),
    ("server-unknown-critical", Role::Server, &[SERVER], |p| vary(p, ODDITIES, "unknown critical extension")),
    ("server-spoilt", Role::Server, &[SERVER], |p| vary(p, SIGNATURES, "signature spoilt")),
    ("server-negative-serial", Role::Server, &[SERVER], |p| vary(p, ODDITIES, "serial negative")),
    ("server-subjectless", Role::Server, &[SERVER], |p| p.leaf.subject = super::certificate::Name::default()),
    ("server-public", Role::Server, &[SERVER], |p| {
        own_root(p);
        p.root().subject = super::certificate::Name(vec![
            ("2.5.4.10", 0x0c, "Let's Encrypt".into()),
            ("2.5.4.3", 0x0c, "R99".into()),
        ]);
    }),
    ("server-nameless", Role::Server, &[], |p| p.leaf.subject = super::certificate::Name::default()),
    ("server-path-length", Role::Server, &[SERVER], |p| {
        own_root(p);
        vary(p, AUTHORITIES, "root path length 0, one intermediate");
    }),
    ("server-intermediate-trusted", Role::Server, &[SERVER], |p| {
        own_root(p);
        vary(p, PATHS, "intermediate trusted alone, chain sent");
    }),
    ("peer", Role::Peer, &[SERVER], |_| ()),
    ("peer-elsewhere", Role::Peer, &["127.0.0.2"], |_| ()),
    ("peer-here", Role::Peer, &[SERVER, "127.0.0.2"], |_| ()),
    ("client-chain-two", Role::Client, &["client.example.test"], |p| p.intermediates(2)),
    ("client", Role::Client, &["client.example.test"], |_| ()),
    ("client-chain", Role::Client, &["client.example.test"], |p| p.intermediates(1)),
    ("client-expired", Role::Client, &["client.example.test"], |p| p.leaf.validity = EXPIRED),
    ("client-not-yet", Role::Client, &["client.example.test"], |p| p.leaf.validity = NOT_YET),
    ("client-server-usage", Role::Client, &["client.example.test"], |p| {
        vary(p, USAGES, "eku of the other side")
    }),
    ("client-any-usage", Role::Client, &["client.example.test"], |p| vary(p, USAGES, "eku any")),
    ("client-no-usage", Role::Client, &["client.example.test"], |p| vary(p, USAGES, "eku absent")),
    ("client-cert-sign", Role::Client, &["client.example.test"], |p| vary(p, USAGES, "ku keyCertSign")),
    ("client-no-names", Role::Client, &[], |_| ()),
    ("client-authority", Role::Client, &["client.example.test"], |p| vary(p, ODDITIES, "CA:TRUE")),
    ("client-stranger", Role::Client, &["client.example.test"], own_root),
    ("client-weak-authority", Role::Client, &["client.example.test"], |p| {
        own_root(p);
        vary(p, SIGNATURES, "root rsa1024");
    }),
    ("client-revoked", Role::Client, &["client.example.test"], |p| vary(p, REVOCATIONS, "crl lists it")),
    ("client-revocations-expired", Role::Client, &["client.example.test"], |p| {
        vary(p, REVOCATIONS, "crl expired")
    }),
    ("client-spiffe", Role::Client, &[SPIFFE], |_| ()),
    ("client-spiffe-second-uri", Role::Client, &[SPIFFE, "spiffe://example.test/ns/other/sa/client"], |_| ()),
    ("client-spiffe-dns", Role::Client, &[SPIFFE, "client.example.test"], |_| ()),
    ("client-email", Role::Client, &["client@example.test"], |_| ()),
];

fn vary(plan: &mut Plan, list: &[Variation], name: &str) {
    let variation = list.iter().find(|variation| variation.name == name).expect("a variation of this name");
    (variation.change)(plan);
}

/// An authority that issued this certificate alone.
fn own_root(plan: &mut Plan) {
    plan.authority_label.clone_from(&plan.label);
    plan.authority_label.push_str(" own");
}

/// Every file of fixtures/pki with its text.
pub fn all() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut put = |name: String, bytes: Option<Vec<u8>>| {
        if let Some(bytes) = bytes {
            files.insert(name, String::from_utf8(bytes).expect("PEM is text"));
        }
    };
    let mut good = plan("server", Role::Server, &[SERVER]);
    put("ca.pem".to_owned(), good.mint().bundle);
    good.bundle = vec![Item::Stranger];
    put("other-ca.pem".to_owned(), good.mint().bundle);
    for (name, role, names, change) in TABLE {
        let mut plan = plan(name, *role, names);
        change(&mut plan);
        // a list of its issuers, where the table does not say another
        plan.revocations = plan.revocations.map(|revocations| Revocations { issuers: &[0], ..revocations });
        let minted = plan.mint();
        put(format!("{name}.pem"), minted.certificate);
        put(format!("{name}.key"), minted.key);
        put(format!("{name}.crl.pem"), minted.revocations);
        if plan.authority_label != AUTHORITY {
            put(format!("{name}.ca.pem"), minted.bundle);
        }
    }
    files.extend(super::decisions::all().into_iter().map(|(name, text)| (format!("decisions/{name}"), text)));
    files
}

const AUTHORITY: &str = "fixtures ca";

fn plan(name: &str, role: Role, names: &[&str]) -> Plan {
    let general = |name: &&str| match name {
        uri if uri.contains("://") => General::Uri((*uri).to_owned()),
        email if email.contains('@') => General::Email((*email).to_owned()),
        name => match name.parse() {
            Ok(IpAddr::V4(address)) => General::Ip(address.octets().to_vec()),
            Ok(IpAddr::V6(address)) => General::Ip(address.octets().to_vec()),
            Err(_) => General::Dns((*name).to_owned()),
        },
    };
    let mut plan = Plan::new(role, &format!("fixtures {name}"), name, names.iter().map(general).collect());
    plan.authority_label = AUTHORITY.to_owned();
    let root = plan.root();
    root.subject = super::certificate::Name::of("fixtures root");
    plan
}
