//! The factors that make a PKI differ from a good one, each under a name: what the oracle draws from.

use super::certificate::{Extension, General, Name, purpose, usage};
use super::key::{Hash, KeyKind};
use super::plan::{EXPIRED, Item, KeyForm, LONG, NOT_YET, Plan, Revocations};

/// A named change of a plan.
#[derive(Clone, Copy)]
pub struct Variation {
    /// Factor and level, `eku any`.
    pub name: &'static str,
    /// What it changes.
    pub change: fn(&mut Plan),
}

impl std::fmt::Debug for Variation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! variations {
    ($($(#[$doc:meta])* $list:ident: $($name:literal => $change:expr;)*)*) => {
        $($(#[$doc])* pub const $list: &[Variation] = &[$(Variation { name: $name, change: $change }),*];)*
    };
}

fn set_root_constraints(plan: &mut Plan, permitted: &[General], excluded: &[General]) {
    plan.root().extra.push(Extension::constraints(permitted, excluded));
}

fn list(issuers: &'static [usize]) -> Revocations {
    Revocations { issuers, stranger: false, leaf: false, intermediate: false, updates: LONG, form: "normal" }
}

variations! {
    /// What a key is.
    KEYS:
    "key rsa2048" => |p| p.leaf.key = KeyKind::Rsa(2048);
    "key rsa1024" => |p| p.leaf.key = KeyKind::Rsa(1024);
    "key p384" => |p| p.leaf.key = KeyKind::Ec(384);
    "key p521" => |p| p.leaf.key = KeyKind::Ec(521);
    "key ed25519" => |p| p.leaf.key = KeyKind::Ed25519;
    "key traditional" => |p| p.key_form = KeyForm::Traditional;
    "key rsa2048 traditional" => |p| { p.leaf.key = KeyKind::Rsa(2048); p.key_form = KeyForm::Traditional; };
    "key encrypted" => |p| p.key_form = KeyForm::Encrypted;
    "key of another certificate" => |p| p.key_form = KeyForm::Other;
    "key of another kind" => |p| p.key_form = KeyForm::OtherKind;
    "key is the public key" => |p| p.key_form = KeyForm::Public;

    /// How certificates are signed.
    SIGNATURES:
    "signature rsa sha1" => |p| { p.root().key = KeyKind::Rsa(2048); p.leaf.hash = Some(Hash::Sha1); };
    "signature rsa md5" => |p| { p.root().key = KeyKind::Rsa(2048); p.leaf.hash = Some(Hash::Md5); };
    "signature ecdsa sha1" => |p| p.leaf.hash = Some(Hash::Sha1);
    "signature sha512" => |p| p.leaf.hash = Some(Hash::Sha512);
    "signature spoilt" => |p| p.leaf.corrupt = true;
    "signature of the root sha1" => |p| { p.root().key = KeyKind::Rsa(2048); p.root().hash = Some(Hash::Sha1); };
    "signature of the intermediate sha1" => |p| {
        p.intermediate().hash = Some(Hash::Sha1);
        p.root().key = KeyKind::Rsa(2048);
    };
    "root rsa1024" => |p| p.root().key = KeyKind::Rsa(1024);
    "root p384" => |p| p.root().key = KeyKind::Ec(384);
    "root p521" => |p| p.root().key = KeyKind::Ec(521);
    "root ed25519" => |p| p.root().key = KeyKind::Ed25519;
    "intermediate rsa1024" => |p| p.intermediate().key = KeyKind::Rsa(1024);

    /// Extended key usage and key usage of the end-entity certificate.
    USAGES:
    "eku absent" => |p| p.leaf.purposes = None;
    "eku both" => |p| p.leaf.purposes = Some(vec![purpose::SERVER, purpose::CLIENT]);
    "eku of the other side" => |p| p.leaf.purposes = Some(vec![p.role.wrong_purpose()]);
    "eku any" => |p| p.leaf.purposes = Some(vec![purpose::ANY]);
    "eku code signing" => |p| p.leaf.purposes = Some(vec![purpose::CODE]);
    "eku any and code signing" => |p| p.leaf.purposes = Some(vec![purpose::ANY, purpose::CODE]);
    "eku critical" => |p| p.leaf.critical_purposes = true;
    "ku absent" => |p| p.leaf.usage = None;
    "ku keyEncipherment" => |p| p.leaf.usage = Some(vec![usage::KEY_ENCIPHERMENT]);
    "ku keyEncipherment, rsa" => |p| {
        p.leaf.usage = Some(vec![usage::KEY_ENCIPHERMENT]);
        p.leaf.key = KeyKind::Rsa(2048);
    };
    "ku keyAgreement" => |p| p.leaf.usage = Some(vec![usage::KEY_AGREEMENT]);
    "ku keyCertSign" => |p| p.leaf.usage = Some(vec![usage::KEY_CERT_SIGN]);
    "ku keyCertSign, rsa" => |p| {
        p.leaf.usage = Some(vec![usage::KEY_CERT_SIGN]);
        p.leaf.key = KeyKind::Rsa(2048);
    };
    "ku cRLSign" => |p| p.leaf.usage = Some(vec![usage::CRL_SIGN]);

    /// Dates.
    DATES:
    "expired" => |p| p.leaf.validity = EXPIRED;
    "not yet valid" => |p| p.leaf.validity = NOT_YET;
    "root expired" => |p| p.root().validity = EXPIRED;
    "root not yet valid" => |p| p.root().validity = NOT_YET;
    "intermediate expired" => |p| p.intermediate().validity = EXPIRED;

    /// The certification path.
    PATHS:
    "stranger trusted" => |p| p.bundle = vec![Item::Stranger];
    "stranger trusted too" => |p| p.bundle.insert(0, Item::Stranger);
    "expired stranger trusted too" => |p| p.bundle.insert(0, Item::ExpiredStranger);
    "expired twin first" => |p| p.bundle.insert(0, Item::ExpiredTwin);
    "expired twin last" => |p| p.bundle.push(Item::ExpiredTwin);
    "twin trusted" => |p| p.bundle = vec![Item::Twin];
    "twin trusted, no identifiers" => |p| {
        p.root().identifiers = false;
        p.leaf.identifiers = false;
        p.bundle = vec![Item::Twin];
    };
    "twin first, no identifiers" => |p| {
        p.root().identifiers = false;
        p.leaf.identifiers = false;
        p.bundle.insert(0, Item::Twin);
    };
    "no identifiers" => |p| { p.root().identifiers = false; p.leaf.identifiers = false; };
    "authority key identifier astray" => |p| p.leaf.astray = true;
    "root twice" => |p| p.bundle.push(Item::Authority(0));
    "root sent" => |p| p.sent.push(Item::Authority(0));
    "stranger sent" => |p| p.sent.push(Item::Stranger);
    "one intermediate" => |p| p.intermediates(1);
    "two intermediates" => |p| p.intermediates(2);
    "three intermediates" => |p| p.intermediates(3);
    "two intermediates in wrong order" => |p| { p.intermediates(2); p.sent.swap(1, 2); };
    "intermediate not sent" => |p| { p.intermediates(1); p.sent.truncate(1); };
    "intermediate trusted with the root" => |p| {
        p.intermediates(1);
        p.sent.truncate(1);
        p.bundle = vec![Item::Authority(1), Item::Authority(0)];
    };
    "intermediate trusted alone" => |p| {
        p.intermediates(1);
        p.sent.truncate(1);
        p.bundle = vec![Item::Authority(1)];
    };
    "intermediate trusted alone, chain sent" => |p| { p.intermediates(1); p.bundle = vec![Item::Authority(1)]; };
    "leaf trusted" => |p| p.bundle = vec![Item::Leaf];
    "leaf trusted with a stranger" => |p| p.bundle = vec![Item::Leaf, Item::Stranger];
    "leaf not first" => |p| { p.intermediates(1); p.sent.reverse(); };
    "self-signed, trusted" => |p| { p.authorities.clear(); p.bundle = vec![Item::Leaf]; };
    "self-signed, not trusted" => |p| { p.authorities.clear(); p.bundle = vec![Item::Stranger]; };
    "self-signed authority, trusted" => |p| {
        p.authorities.clear();
        p.leaf.constraints = Some((true, None));
        p.bundle = vec![Item::Leaf];
    };
    "cross-signed root sent" => |p| { p.intermediates(1); p.sent.push(Item::CrossSigned); };
    "intermediate named as the root" => |p| { let name = p.root().subject.clone(); p.intermediate().subject = name; };
    "leaf named as the root" => |p| p.leaf.subject = p.root().subject.clone();
    "issuer written otherwise" => |p| p.leaf.issuer = Some(p.root().subject.written_otherwise());

    /// What authorities may do.
    AUTHORITIES:
    "root without basic constraints" => |p| p.root().constraints = None;
    "root CA:FALSE" => |p| p.root().constraints = Some((false, None));
    "root v1" => |p| p.root().version_1 = true;
    "root without keyCertSign" => |p| p.root().usage = Some(vec![usage::DIGITAL_SIGNATURE]);
    "root without key usage" => |p| p.root().usage = None;
    "root eku right" => |p| p.root().purposes = Some(p.role.purposes());
    "root eku wrong" => |p| p.root().purposes = Some(vec![p.role.wrong_purpose()]);
    "root eku code signing" => |p| p.root().purposes = Some(vec![purpose::CODE]);
    "root unknown critical extension" => |p| p.root().extra.push(Extension::unknown(true));
    "root unknown extension" => |p| p.root().extra.push(Extension::unknown(false));
    "root path length 0, direct" => |p| p.root().constraints = Some((true, Some(0)));
    "root path length 0, one intermediate" => |p| {
        p.intermediates(1);
        p.root().constraints = Some((true, Some(0)));
    };
    "intermediate path length 0, another below" => |p| {
        p.intermediates(2);
        p.intermediate().constraints = Some((true, Some(0)));
    };
    "intermediate without basic constraints" => |p| p.intermediate().constraints = None;
    "intermediate CA:FALSE" => |p| p.intermediate().constraints = Some((false, None));
    "intermediate v1" => |p| p.intermediate().version_1 = true;
    "intermediate without keyCertSign" => |p| p.intermediate().usage = Some(vec![usage::CRL_SIGN]);
    "intermediate without key usage" => |p| p.intermediate().usage = None;
    "intermediate eku right" => |p| { let own = p.role.purposes(); p.intermediate().purposes = Some(own); };
    "intermediate eku wrong" => |p| { let wrong = p.role.wrong_purpose(); p.intermediate().purposes = Some(vec![wrong]); };
    "intermediate eku any" => |p| p.intermediate().purposes = Some(vec![purpose::ANY]);
    "intermediate eku wrong, trusted" => |p| {
        let wrong = p.role.wrong_purpose();
        p.intermediate().purposes = Some(vec![wrong]);
        p.sent.truncate(1);
        p.bundle = vec![Item::Authority(1), Item::Authority(0)];
    };
    "intermediate unknown critical extension" => |p| p.intermediate().extra.push(Extension::unknown(true));

    /// Name constraints of the root.
    CONSTRAINTS:
    "dns constraint satisfied" => |p| set_root_constraints(p, &[General::Dns("example.test".into())], &[]);
    "dns constraint violated" => |p| set_root_constraints(p, &[General::Dns("other.test".into())], &[]);
    "dns constraint excludes" => |p| set_root_constraints(p, &[], &[General::Dns("example.test".into())]);
    "dns constraint not critical, violated" => |p| {
        let constraint = Extension::constraints(&[General::Dns("other.test".into())], &[]);
        p.root().extra.push(Extension { critical: false, ..constraint });
    };
    "email constraint" => |p| set_root_constraints(p, &[General::Email("example.test".into())], &[]);
    "ip constraint" => |p| set_root_constraints(p, &[General::Ip(vec![10, 0, 0, 0, 255, 0, 0, 0])], &[]);
    "uri constraint" => |p| set_root_constraints(p, &[General::Uri("example.test".into())], &[]);
    "directory constraint satisfied" => |p| {
        let organisation = Name(vec![("2.5.4.10", 0x0c, "Oracle".into())]);
        set_root_constraints(p, &[General::Directory(organisation)], &[]);
    };

    /// Odd end-entity certificates.
    ODDITIES:
    "unknown critical extension" => |p| p.leaf.extra.push(Extension::unknown(true));
    "unknown extension" => |p| p.leaf.extra.push(Extension::unknown(false));
    "CA:TRUE" => |p| p.leaf.constraints = Some((true, None));
    "no basic constraints" => |p| p.leaf.constraints = None;
    "serial 0" => |p| p.leaf.serial = Some(vec![0]);
    "serial negative" => |p| p.leaf.serial = Some(vec![0x80, 1]);
    "serial of 25 bytes" => |p| p.leaf.serial = Some(vec![0x42; 25]);

    /// Names of a client, which nobody compares with anything.
    CLIENT_NAMES:
    "no names" => |p| p.leaf.names.clear();
    "email name" => |p| p.leaf.names = vec![General::Email("client@example.test".into())];
    "uri name" => |p| p.leaf.names = vec![General::Uri("spiffe://example.test/client".into())];
    "ip name elsewhere" => |p| p.leaf.names = vec![General::Ip(vec![10, 9, 8, 7])];
    "several names" => |p| p.leaf.names.push(General::Uri("spiffe://example.test/client".into()));
    "empty subject" => |p| p.leaf.subject = Name::default();

    /// Names of a server that is dialled as srv.example.test.
    SERVER_NAMES:
    "other name" => |p| p.leaf.names = vec![General::Dns("other.example.test".into())];
    "common name alone" => |p| {
        p.leaf.subject = Name::of("srv.example.test");
        p.leaf.names.clear();
    };
    "common name beside another name" => |p| {
        p.leaf.subject = Name::of("srv.example.test");
        p.leaf.names = vec![General::Dns("other.example.test".into())];
    };
    "common name beside an email name" => |p| {
        p.leaf.subject = Name::of("srv.example.test");
        p.leaf.names = vec![General::Email("srv@example.test".into())];
    };
    "wildcard" => |p| p.leaf.names = vec![General::Dns("*.example.test".into())];
    "wildcard alone" => |p| p.leaf.names = vec![General::Dns("*".into())];
    "wildcard of a top-level domain" => |p| p.leaf.names = vec![General::Dns("*.test".into())];
    "partial wildcard" => |p| p.leaf.names = vec![General::Dns("s*.example.test".into())];
    "inner wildcard" => |p| p.leaf.names = vec![General::Dns("srv.*.test".into())];
    "upper case" => |p| p.leaf.names = vec![General::Dns("SRV.EXAMPLE.TEST".into())];
    "trailing dot" => |p| p.leaf.names = vec![General::Dns("srv.example.test.".into())];
    "leading dot" => |p| p.leaf.names = vec![General::Dns(".example.test".into())];
    "space behind" => |p| p.leaf.names = vec![General::Dns("srv.example.test ".into())];
    "second of two names" => |p| p.leaf.names.insert(0, General::Dns("other.example.test".into()));
    "address alone" => |p| p.leaf.names = vec![General::Ip(vec![127, 0, 0, 1])];
    "uri alone" => |p| p.leaf.names = vec![General::Uri("https://srv.example.test/".into())];

    /// How files are written.
    FILES:
    "certificate file missing" => |p| p.certificate_file = "missing";
    "certificate file empty" => |p| p.certificate_file = "empty";
    "certificate file garbage" => |p| p.certificate_file = "garbage";
    "certificate file der" => |p| p.certificate_file = "der";
    "certificate file crlf" => |p| p.certificate_file = "crlf";
    "certificate file mixed line ends" => |p| p.certificate_file = "mixed-line-ends";
    "certificate file bom" => |p| p.certificate_file = "bom";
    "certificate file text before" => |p| p.certificate_file = "text-before";
    "certificate file comment between" => |p| { p.intermediates(1); p.certificate_file = "comment-between"; };
    "certificate file without final newline" => |p| p.certificate_file = "no-final-newline";
    "certificate file trailing space" => |p| p.certificate_file = "trailing-space";
    "certificate file leading space" => |p| p.certificate_file = "leading-space";
    "certificate file long line" => |p| p.certificate_file = "long-line";
    "certificate file x509 label" => |p| p.certificate_file = "x509-label";
    "certificate file trusted label" => |p| p.certificate_file = "trusted-label";
    "certificate file without begin" => |p| p.certificate_file = "no-begin";
    "certificate file key in front" => |p| p.certificate_file = "key-in-front";
    "certificate file key behind" => |p| p.certificate_file = "key-behind";
    "certificate file junk behind" => |p| p.certificate_file = "junk-behind";
    "certificate file text behind" => |p| p.certificate_file = "text-behind";
    "certificate and key swapped" => |p| { p.certificate_file = "swapped"; p.key_file = "swapped"; };
    "key file missing" => |p| p.key_file = "missing";
    "key file empty" => |p| p.key_file = "empty";
    "key file garbage" => |p| p.key_file = "garbage";
    "key file der" => |p| p.key_file = "der";
    "key file crlf" => |p| p.key_file = "crlf";
    "key file bom" => |p| p.key_file = "bom";
    "key file text before" => |p| p.key_file = "text-before";

    /// How the peer's CA file is written.
    BUNDLE_FILES:
    "ca file missing" => |p| p.bundle_file = "missing";
    "ca file empty" => |p| p.bundle_file = "empty";
    "ca file garbage" => |p| p.bundle_file = "garbage";
    "ca file text only" => |p| p.bundle_file = "text-only";
    "ca file der" => |p| p.bundle_file = "der";
    "ca file crlf" => |p| p.bundle_file = "crlf";
    "ca file bom" => |p| p.bundle_file = "bom";
    "ca file text before" => |p| p.bundle_file = "text-before";
    "ca file without final newline" => |p| p.bundle_file = "no-final-newline";
    "ca file trailing space" => |p| p.bundle_file = "trailing-space";
    "ca file leading space" => |p| p.bundle_file = "leading-space";
    "ca file long line" => |p| p.bundle_file = "long-line";
    "ca file x509 label" => |p| p.bundle_file = "x509-label";
    "ca file trusted label" => |p| p.bundle_file = "trusted-label";
    "ca file key in front" => |p| p.bundle_file = "key-in-front";
    "ca file junk first" => |p| p.bundle_file = "junk-first";
    "ca file junk behind" => |p| p.bundle_file = "junk-behind";
    "ca file bad base64 first" => |p| p.bundle_file = "bad-base64-first";
    "ca file glued" => |p| p.bundle_file = "glued";

    /// Revocation lists.
    REVOCATIONS:
    "crl good" => |p| p.revocations = Some(list(&[0, 1]));
    "crl lists it" => |p| p.revocations = Some(Revocations { leaf: true, ..list(&[0, 1]) });
    "crl expired" => |p| p.revocations = Some(Revocations { updates: EXPIRED, ..list(&[0, 1]) });
    "crl not yet valid" => |p| p.revocations = Some(Revocations { updates: NOT_YET, ..list(&[0, 1]) });
    "crl of a stranger" => |p| p.revocations = Some(Revocations { stranger: true, ..list(&[]) });
    "crl of the intermediate alone" => |p| { p.intermediates(1); p.revocations = Some(list(&[1])); };
    "crl of the root alone" => |p| { p.intermediates(1); p.revocations = Some(list(&[0])); };
    "crl of both" => |p| { p.intermediates(1); p.revocations = Some(list(&[0, 1])); };
    "crl lists the intermediate" => |p| {
        p.intermediates(1);
        p.revocations = Some(Revocations { intermediate: true, ..list(&[0, 1]) });
    };
    "crl missing" => |p| p.revocations = Some(Revocations { form: "missing", ..list(&[0]) });
    "crl empty" => |p| p.revocations = Some(Revocations { form: "empty", ..list(&[0]) });
}

/// Every list, for what has to hold of all.
pub const ALL: &[&[Variation]] = &[
    KEYS,
    SIGNATURES,
    USAGES,
    DATES,
    PATHS,
    AUTHORITIES,
    CONSTRAINTS,
    ODDITIES,
    CLIENT_NAMES,
    SERVER_NAMES,
    FILES,
    BUNDLE_FILES,
    REVOCATIONS,
];

#[cfg(test)]
mod tests {
    use super::super::plan::Role;
    use super::*;

    #[test]
    fn any_two_variations_can_follow_each_other() {
        let plan = Plan::new(Role::Server, "pairs", "srv", vec![General::Dns("srv.example.test".into())]);
        let all = || ALL.iter().copied().flatten();
        for first in all() {
            let mut once = plan.clone();
            (first.change)(&mut once);
            for second in all() {
                (second.change)(&mut once.clone());
            }
            once.mint();
        }
    }

    #[test]
    fn no_two_variations_have_one_name() {
        let names: Vec<_> = ALL.iter().copied().flatten().map(|variation| variation.name).collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
