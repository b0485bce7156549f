//! Our own certification authority for tests: every key from a label, every date fixed, every mistake on purpose.
//!
//! Certificates are written as DER by hand, because half of what a test wants is what a careful library refuses to make:
//! version 1, doubled extensions, negative serial numbers, SHA-1 and MD5, identifiers that point elsewhere. What a
//! library does make is compared with rcgen, byte for byte.

pub mod certificate;
pub mod decisions;
pub mod der;
pub mod file;
pub mod fixtures;
pub mod key;
pub mod plan;
pub mod variation;

/// A PEM block with lines of 64 characters.
pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::certificate::General;
    use super::key::{Key, KeyKind};
    use super::plan::{Item, Plan, Role};

    fn good() -> Plan {
        Plan::new(Role::Server, "test", "srv", vec![General::Dns("srv.example.test".into())])
    }

    #[test]
    fn the_same_label_mints_the_same_bytes() {
        assert_eq!(good().certificate(Item::Leaf), good().certificate(Item::Leaf));
        assert_ne!(
            good().certificate(Item::Leaf),
            Plan { label: "other".into(), ..good() }.certificate(Item::Leaf)
        );
    }

    #[test]
    fn a_good_chain_of_every_kind_of_key_verifies_by_openssl() {
        let folder = std::env::temp_dir().join(format!("mtls-mint-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for kind in
            [KeyKind::Ec(256), KeyKind::Ec(384), KeyKind::Ec(521), KeyKind::Ed25519, KeyKind::Rsa(2048)]
        {
            let mut plan = good();
            plan.intermediates(1);
            plan.leaf.key = kind;
            plan.root().key = kind;
            let minted = plan.mint();
            let path = |name: &str| folder.join(name);
            std::fs::write(path("ca.pem"), minted.bundle.unwrap()).unwrap();
            std::fs::write(path("chain.pem"), minted.certificate.unwrap()).unwrap();
            std::fs::write(
                path("traditional.pem"),
                super::pem(
                    Key::new(kind, "test leaf").traditional_label(),
                    &Key::new(kind, "test leaf").traditional(),
                ),
            )
            .unwrap();
            std::fs::write(path("key.pem"), minted.key.unwrap()).unwrap();
            let openssl = |arguments: &[&str]| {
                let mut command = Command::new(std::env::var_os("MTLS_OPENSSL").unwrap_or("openssl".into()));
                let output = command.args(arguments).current_dir(&folder).output().unwrap();
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(
                    output.status.success(),
                    "{kind:?}: {text}{}",
                    String::from_utf8_lossy(&output.stderr)
                );
                text
            };
            let verified =
                ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", "-untrusted"];
            openssl(&[&verified[..], &["chain.pem", "chain.pem"]].concat());
            let public = openssl(&["x509", "-in", "chain.pem", "-noout", "-pubkey"]);
            for key in ["key.pem", "traditional.pem"] {
                assert_eq!(
                    openssl(&["pkey", "-in", key, "-check", "-pubout"]).replace("Key is valid\n", ""),
                    public
                );
            }
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
