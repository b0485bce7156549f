//! PEM files as people, editors and scripts leave them.

use super::der::{oid, sequence, tlv};
use super::pem;

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Between `BEGIN` and the dashes.
    pub label: String,
    /// Its contents.
    pub der: Vec<u8>,
}

/// Every form a certificate or CA file can take here, `normal` first.
pub const FORMS: &[&str] = &[
    "normal",
    "missing",
    "empty",
    "garbage",
    "text-only",
    "der",
    "crlf",
    "mixed-line-ends",
    "bom",
    "text-before",
    "comment-between",
    "no-final-newline",
    "trailing-space",
    "leading-space",
    "long-line",
    "x509-label",
    "trusted-label",
    "no-begin",
    "key-in-front",
    "key-behind",
    "junk-first",
    "junk-behind",
    "bad-base64-first",
    "text-behind",
    "glued",
];

/// Writes blocks in one of the [`FORMS`]; None: there is no file. `key` is what stands in front or behind.
pub fn write(form: &str, blocks: &[Block], key: Option<&Block>) -> Option<Vec<u8>> {
    let text =
        |blocks: &[Block]| blocks.iter().map(|block| pem(&block.label, &block.der)).collect::<String>();
    let with_label = |label: &str| -> String {
        let named =
            |block: &Block| if block.label == "CERTIFICATE" { label.to_owned() } else { block.label.clone() };
        blocks.iter().map(|block| pem(&named(block), &block.der)).collect()
    };
    let key = key.map(|key| pem(&key.label, &key.der)).unwrap_or_default();
    let junk = pem("CERTIFICATE", b"this is no certificate, but it is valid base64");
    let normal = text(blocks);
    let written = match form {
        "missing" => return None,
        "empty" => String::new(),
        "garbage" => "\u{1}\u{2}garbage\u{0}\u{3}\n".to_owned(),
        "text-only" => "the certificate will be put here\n".to_owned(),
        "der" => return Some(blocks.first()?.der.clone()),
        "crlf" => normal.replace('\n', "\r\n"),
        "mixed-line-ends" => {
            let mut carriage = false;
            normal.split_inclusive('\n').fold(String::new(), |mut out, line| {
                carriage = !carriage;
                if carriage {
                    out.push_str(&line.replace('\n', "\r\n"))
                } else {
                    out.push_str(line)
                }
                out
            })
        }
        "bom" => format!("\u{feff}{normal}"),
        "text-before" => format!("Bag Attributes\n    friendlyName: oracle\nsubject=CN = x\n{normal}"),
        "comment-between" => {
            blocks.iter().map(|block| format!("# comment\n{}", pem(&block.label, &block.der))).collect()
        }
        "no-final-newline" => normal.trim_end().to_owned(),
        "trailing-space" => normal.replace('\n', " \n"),
        "leading-space" => normal.lines().map(|line| format!("  {line}\n")).collect(),
        "long-line" => blocks
            .iter()
            .map(|block| {
                let block = pem(&block.label, &block.der);
                let lines: Vec<_> = block.lines().collect();
                let body = lines[1..lines.len() - 1].concat();
                format!("{}\n{body}\n{}\n", lines[0], lines[lines.len() - 1])
            })
            .collect(),
        "x509-label" => with_label("X509 CERTIFICATE"),
        "trusted-label" => with_label("TRUSTED CERTIFICATE"),
        "no-begin" => {
            normal.lines().filter(|line| !line.contains("BEGIN")).map(|line| format!("{line}\n")).collect()
        }
        "key-in-front" => format!("{key}{normal}"),
        "key-behind" => format!("{normal}{key}"),
        "junk-first" => format!("{junk}{normal}"),
        "junk-behind" => format!("{normal}{junk}"),
        "bad-base64-first" => {
            format!("-----BEGIN CERTIFICATE-----\n!!!! not base64 !!!!\n-----END CERTIFICATE-----\n{normal}")
        }
        "text-behind" => format!("{normal}\nthat was all\n"),
        "glued" => format!("{}{}", normal.trim_end(), normal),
        _ => normal,
    };
    Some(written.into_bytes())
}

/// An EncryptedPrivateKeyInfo (PBES2, AES-256-CBC) that no password opens: whoever reads it asks for one first.
pub fn encrypted_key() -> Vec<u8> {
    let derivation = sequence(&[
        oid("1.2.840.113549.1.5.12"),
        sequence(&[
            tlv(0x04, [7; 8]),
            tlv(0x02, [8, 0]),
            sequence(&[oid("1.2.840.113549.2.9"), tlv(0x05, [])]),
        ]),
    ]);
    let cipher = sequence(&[oid("2.16.840.1.101.3.4.1.42"), tlv(0x04, [9; 16])]);
    let scheme = sequence(&[oid("1.2.840.113549.1.5.13"), sequence(&[derivation, cipher])]);
    sequence(&[scheme, tlv(0x04, [0x33; 144])])
}
