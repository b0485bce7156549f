//! Parsers by themselves.

use std::sync::Arc;

use mtls_lint::source::{FileId, Span, Text};
use mtls_lint::stack::encrypted_key::Budget;
use mtls_lint::stack::load::{Passphrases, ReadOnce};
use mtls_lint::stack::{boringssl, go, openssl};
use mtls_lint::syntax;
use mtls_lint::syntax::yaml::Node;

fn whole(data: &[u8]) -> Text {
    Text::whole(FileId(0), Arc::new(data.to_vec()))
}

/// A span lies in its file, on whole characters.
pub(super) fn assert_within(span: Span, bytes: &[u8]) {
    let (start, end) = (span.start as usize, span.end as usize);
    assert!(start <= end && end <= bytes.len(), "{span:?} in {} bytes", bytes.len());
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "{span:?} cuts a character");
    }
}

/// Every node of every document, and the text of each scalar once more as YAML.
pub(super) fn yaml(data: &[u8]) {
    let text = whole(data);
    let parsed = syntax::yaml::parse(&text);
    for problem in &parsed.problems {
        assert_within(problem.span, data);
    }
    for document in &parsed.documents {
        let mut left = 20_000;
        walk(document.root(), data, &mut left, 1);
    }
}

fn walk(node: Node<'_>, data: &[u8], left: &mut u32, embeddings: u32) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    assert_within(node.span(), data);
    let _ = (node.as_bool(), node.as_i64(), node.as_str());
    for (key, value) in node.entries() {
        walk(key, data, left, embeddings);
        walk(value, data, left, embeddings);
    }
    for item in node.items() {
        walk(item, data, left, embeddings);
    }
    let Some(embedded) = node.text().filter(|_| embeddings > 0) else { return };
    let length = embedded.bytes().len();
    let is_boundary = |index: &usize| embedded.bytes().get(*index).is_none_or(|byte| byte & 0xc0 != 0x80);
    let half = (length / 2..length).find(is_boundary).unwrap_or(length);
    assert_within(embedded.full_span(), data);
    assert_within(embedded.span(half..length), data);
    // only scalars of several lines hold documents
    if embedded.bytes().contains(&b'\n') {
        for document in syntax::yaml::parse(&embedded).documents {
            walk(document.root(), data, left, embeddings - 1);
        }
    }
}

/// The PEM of people, and of each library.
pub(super) fn pem(data: &[u8]) {
    for block in syntax::pem::blocks(data) {
        assert!(block.range.start <= block.range.end && block.range.end <= data.len());
    }
    let text = whole(data);
    let span = |problem: &mtls_lint::stack::load::Problem| assert_within(problem.span, data);
    let once = ReadOnce::default();
    let _ = openssl::load::chain(&text, &once).map_err(|problem| span(&problem));
    let _ = openssl::load::anchors(&text, &once).map_err(|problem| span(&problem));
    let _ = openssl::load::client_ca_list(&text).map_err(|problem| span(&problem));
    let _ =
        openssl::load::private_key(&text, Passphrases::Unseen("unseen")).map_err(|problem| span(&problem));
    let _ = openssl::load::revocation_lists(&text).map_err(|problem| span(&problem));
    let _ = go::load::chain(&text, &once).map_err(|problem| span(&problem));
    let _ = go::load::anchors(&text, &once).map_err(|problem| span(&problem));
    let _ = boringssl::load::chain(&text, &once).map_err(|problem| span(&problem));
    let _ = boringssl::load::anchors(&text, &once).map_err(|problem| span(&problem));
    let _ = boringssl::load::private_key(&text, Passphrases::Given(&[b"a"], &Budget::default()))
        .map_err(|problem| span(&problem));
    let _ = boringssl::load::revocation_lists(&text).map_err(|problem| span(&problem));
}
