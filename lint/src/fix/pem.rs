//! PEM files, alone or in a block scalar of a manifest: certificates in the order of their path.

use super::edit::{insert, lines, replace};
use super::fix;
use super::site::Site;
use crate::deployment::{Content, Credential, FileRef, Lookup, Trust};
use crate::finding::Fix;
use crate::source::{Span, Text};
use crate::stack::Certificate;
use crate::stack::private_key::PrivateKey;
use crate::stack::signatures::{Signatures, Signed};
use crate::syntax::pem::{self, Block};

/// Longer chains are not sorted: nobody deploys them.
const LONGEST: usize = 16;

/// A certificate as it stands in a file.
struct Standing {
    certificate: Certificate,
    /// The block as the user wrote it, from BEGIN to END.
    span: Span,
}

/// The certificate of the key first, and after it those that issued it.
pub fn sort_chain(site: &Site<'_>) -> Option<Fix> {
    let credential = credential(site)?;
    let (chain, _) = standing(site, &credential.certificate)?;
    let key = text(credential.key.as_ref()?)?;
    let key = pem::blocks(key.bytes()).into_iter().find_map(|block| {
        let content = block.content.ok()?;
        PrivateKey::read(&block.label, &content)
    })?;
    let own = |standing: &Standing| key.belongs_to(&standing.certificate) == Some(true);
    let mut wanted = vec![chain.iter().position(own)?];
    let signatures = Signatures::default();
    while let Some(issued) = wanted.last().and_then(|last| chain.get(*last)) {
        let next = chain.iter().enumerate().position(|(index, standing)| {
            !wanted.contains(&index) && issues(&signatures, &standing.certificate, &issued.certificate)
        });
        let Some(next) = next else { break };
        wanted.push(next);
    }
    // what belongs to another path has no place of its own
    if wanted.len() != chain.len() {
        return None;
    }
    let mut edits = Vec::new();
    for (index, (place, moved)) in chain.iter().zip(&wanted).enumerate() {
        let moved = chain.get(*moved)?;
        // a root at the end serves nobody: whoever trusts it has it
        if index > 0 && moved.certificate.is_self_issued() {
            edits.push(replace(whole_lines(site, place.span)?, ""));
            continue;
        }
        let (there, here) = (site.written(moved.span)?, site.written(place.span)?);
        if there != here {
            edits.push(replace(place.span, there));
        }
    }
    fix("put the certificate of the key first", edits)
}

/// The intermediate that is not sent, where another file of the sources has it.
pub fn append_intermediate(site: &Site<'_>) -> Option<Fix> {
    let credential = credential(site)?;
    let (chain, _) = standing(site, &credential.certificate)?;
    let last = chain.last()?;
    let signatures = Signatures::default();
    let mut issuers: Vec<(Certificate, String)> = Vec::new();
    let loose = site.report.deployment.loose.iter().map(|(_, text)| text);
    for text in files(site).into_iter().filter_map(text).chain(loose) {
        for block in certificates(text) {
            let Ok(der) = &block.content else { continue };
            let Ok(candidate) = Certificate::read(der, text.span(block.range.clone())) else { continue };
            let known = issuers.iter().any(|(known, _)| known.digest == candidate.digest);
            if !known
                && !candidate.is_self_issued()
                && candidate.is_ca()
                && issues(&signatures, &candidate, &last.certificate)
            {
                let written = text.bytes().get(block.range.clone())?;
                issuers.push((candidate, String::from_utf8(written.to_vec()).ok()?));
            }
        }
    }
    // two that could be meant: a cross-signed authority has no certain one
    let [(_, issuer)] = issuers.as_slice() else { return None };
    let bytes = site.bytes(last.span);
    let lead = lines::lead(bytes, last.span.start as usize)?;
    if !lead.trim().is_empty() || !lines::is_last(bytes, last.span.end as usize) {
        return None;
    }
    let line = format!("{}{lead}", lines::line_end(bytes, last.span.end as usize));
    let block: Vec<&str> = issuer.lines().map(str::trim).collect();
    let edit =
        insert(last.span, lines::end(bytes, last.span.end as usize), format!("{line}{}", block.join(&line)))?;
    fix("append the intermediate", [edit])
}

/// A certificate that has no place in its file is taken out of it.
pub fn remove_block(site: &Site<'_>) -> Option<Fix> {
    let text = files(site).into_iter().filter_map(text).find(|text| {
        let whole = text.full_span();
        whole.file == site.span.file && whole.start <= site.span.start && site.span.end <= whole.end
    })?;
    let mut blocks = certificates(text);
    // the file keeps one certificate at least
    (blocks.len() > 1).then_some(())?;
    blocks.retain(|block| text.span(block.range.clone()).start == site.span.start);
    let [block] = blocks.as_slice() else { return None };
    let span = as_written(site, text, block)?;
    let edit = replace(whole_lines(site, span)?, "");
    fix("remove the certificate", [edit])
}

/// A block with its line end, where it has its lines for itself.
fn whole_lines(site: &Site<'_>, span: Span) -> Option<Span> {
    let bytes = site.bytes(span);
    let (start, end) = (span.start as usize, span.end as usize);
    if !lines::lead(bytes, start)?.trim().is_empty() || !lines::is_last(bytes, end) {
        return None;
    }
    let line_end = lines::end(bytes, end);
    let rest = bytes.get(line_end..)?;
    let newline = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |newline| newline + 1);
    Some(Span {
        start: u32::try_from(lines::start(bytes, start)).ok()?,
        end: u32::try_from(line_end + newline).ok()?,
        ..span
    })
}

/// The credential whose certificate file a label of the finding names, or lies in.
fn credential<'s>(site: &Site<'s>) -> Option<&'s Credential> {
    let named = |credential: &&Credential| {
        let within = text(&credential.certificate).map(Text::full_span);
        site.finding.labels.iter().any(|label| {
            let span = label.span;
            span == credential.certificate.path.span
                || within.is_some_and(|whole| {
                    whole.file == span.file && whole.start <= span.start && span.end <= whole.end
                })
        })
    };
    credentials(site).find(named)
}

fn credentials<'s>(site: &Site<'s>) -> impl Iterator<Item = &'s Credential> + use<'s> {
    site.report.deployment.programs.iter().flat_map(|program| {
        let contexts = program.listeners.iter().filter_map(|listener| listener.tls.as_ref());
        let served = contexts.flat_map(|tls| &tls.contexts).flat_map(|context| &context.credentials);
        let presented = program.dialers.iter().filter_map(|dialer| dialer.tls.as_ref()?.credential.as_ref());
        served.chain(presented)
    })
}

/// Every file of certificates that a program loads.
fn files<'s>(site: &Site<'s>) -> Vec<&'s FileRef> {
    let mut files: Vec<&FileRef> = credentials(site).map(|credential| &credential.certificate).collect();
    for program in &site.report.deployment.programs {
        let contexts = program.listeners.iter().filter_map(|listener| listener.tls.as_ref());
        let of_clients =
            contexts.flat_map(|tls| &tls.contexts).flat_map(|context| &context.client_auth.trust);
        let of_servers = program.dialers.iter().filter_map(|dialer| dialer.tls.as_ref());
        let trust = of_clients.chain(of_servers.flat_map(|tls| &tls.trust)).chain(&program.bundles);
        files.extend(trust.filter_map(|trust| match trust {
            Trust::File { file, .. } => Some(file),
            Trust::System(_) => None,
        }));
    }
    files
}

fn text(file: &FileRef) -> Option<&Text> {
    match &file.content {
        Lookup::Found(Content::Bytes(text)) => Some(text),
        _ => None,
    }
}

fn certificates(text: &Text) -> Vec<Block> {
    let mut blocks = pem::blocks(text.bytes());
    blocks.retain(|block| matches!(block.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE"));
    blocks
}

/// The certificates of a file, all of them readable and written as PEM.
fn standing<'s>(site: &Site<'s>, file: &'s FileRef) -> Option<(Vec<Standing>, &'s Text)> {
    let text = text(file)?;
    let blocks = certificates(text);
    if blocks.len() > LONGEST {
        return None;
    }
    let read = blocks.iter().map(|block| {
        let span = as_written(site, text, block)?;
        let der = block.content.as_ref().ok()?;
        Some(Standing { certificate: Certificate::read(der, span).ok()?, span })
    });
    let found: Option<Vec<Standing>> = read.collect();
    Some((found.filter(|found| !found.is_empty())?, text))
}

/// Where a block stands; None where the file has it encoded, or on one line.
fn as_written(site: &Site<'_>, text: &Text, block: &Block) -> Option<Span> {
    let span = text.span(block.range.clone());
    let written = site.written(span)?;
    let whole = written.starts_with("-----BEGIN ") && written.ends_with("-----");
    (whole && written.matches("-----BEGIN ").count() == 1 && !written.contains('\\')).then_some(span)
}

fn issues(signatures: &Signatures, issuer: &Certificate, issued: &Certificate) -> bool {
    issuer.subject == issued.issuer
        && issuer.digest != issued.digest
        && matches!(signatures.signed(issued, issuer), Signed::Yes)
}
