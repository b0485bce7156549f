//! The certificates of a deployment: those that its programs load, those that stand among its files, and those that
//! cert-manager will issue.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::deployment::{
    Content, Deployment, FileRef, Lookup, PlannedCertificate, PlannedIssuer, PlannedKey, Program, Trust,
};
use crate::inspect::inspect;
use crate::report::{Files, Report};
use crate::resolve::discover::{Form, form};
use crate::source::{FileId, Sources, Span, Text};
use crate::stack::certificate::{Certificate, usage_name};
use crate::syntax::pem;
use crate::time::UnixSeconds;

/// What is loaded from one place, and by whom.
struct Held {
    text: Text,
    /// Program, what it takes the file for, and the path by which it knows it.
    users: Vec<(String, &'static str, String)>,
}

/// JSON version 1: `files` as `inspect` has them, each with its users, and `planned`.
pub fn json(sources: &Sources, report: &Report, at: UnixSeconds) -> Value {
    let mut held: BTreeMap<(FileId, u32, u32), Held> = BTreeMap::new();
    for (id, file) in sources.iter() {
        let Some(text) = sources.text(id).filter(|text| is_certificates(&file.path, text)) else { continue };
        held.insert(place(&text), Held { text, users: Vec::new() });
    }
    let mut planned_users: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
    for program in &report.deployment.programs {
        for (role, file) in loaded(program) {
            let user = (named(program), role, file.path.value.clone());
            match &file.content {
                Lookup::Found(Content::Bytes(text)) => {
                    let entry = held.entry(place(text));
                    let held = entry.or_insert_with(|| Held { text: text.clone(), users: Vec::new() });
                    if !held.users.contains(&user) {
                        held.users.push(user);
                    }
                }
                Lookup::Found(Content::PlannedCertificates(ids)) => {
                    let users = ids.first().map(|id| planned_users.entry(*id).or_default());
                    if let Some(users) = users.filter(|users| !users.contains(&user_json(&user))) {
                        users.push(user_json(&user));
                    }
                }
                Lookup::Found(_) | Lookup::Missing(_) | Lookup::Unseen(_) => {}
            }
        }
    }
    let texts: Vec<(String, Text)> =
        held.values().map(|held| (shown(&report.files, held), held.text.clone())).collect();
    let mut inspected = inspect(&texts, at).json();
    if let Some(files) = inspected.get_mut("files").and_then(Value::as_array_mut) {
        for (file, held) in files.iter_mut().zip(held.values()) {
            if let Some(file) = file.as_object_mut() {
                let span = held.text.full_span();
                file.insert("source".to_owned(), json!(report.files.path(span.file)));
                file.insert("line".to_owned(), json!(report.files.places(span).0.line));
                file.insert("used_by".to_owned(), held.users.iter().map(user_json).collect());
            }
        }
    }
    let deployment = &report.deployment;
    let planned: Vec<Value> = deployment
        .planned
        .iter()
        .enumerate()
        .map(|(id, certificate)| {
            let users = planned_users.remove(&id).unwrap_or_default();
            planned(&report.files, deployment, certificate, users)
        })
        .collect();
    json!({"version": 1, "files": inspected.get("files"), "planned": planned})
}

/// `apisix Pod demo/gateway`; a name that says the kind itself stands alone.
fn named(program: &Program) -> String {
    let (kind, name) = (program.kind.name(), program.name.as_str());
    match name {
        "" => kind.to_owned(),
        name if name.starts_with(kind) => name.to_owned(),
        name => format!("{kind} {name}"),
    }
}

/// Every file that a program loads for TLS, and what for.
fn loaded(program: &Program) -> Vec<(&'static str, &FileRef)> {
    let mut files = Vec::new();
    for context in
        program.listeners.iter().filter_map(|listener| listener.tls.as_ref()).flat_map(|tls| &tls.contexts)
    {
        for credential in &context.credentials {
            files.push(("server certificate", &credential.certificate));
            files.extend(credential.key.iter().map(|key| ("private key", key)));
        }
        files.extend(files_of(&context.client_auth.trust).map(|file| ("trusted issuers of clients", file)));
        files.extend(context.client_auth.checks.crls.iter().map(|file| ("revocation list", file)));
    }
    for tls in program.dialers.iter().filter_map(|dialer| dialer.tls.as_ref()) {
        if let Some(credential) = &tls.credential {
            files.push(("client certificate", &credential.certificate));
            files.extend(credential.key.iter().map(|key| ("private key", key)));
        }
        files.extend(files_of(&tls.trust).map(|file| ("trusted issuers of servers", file)));
        files.extend(tls.checks.crls.iter().map(|file| ("revocation list", file)));
    }
    files
}

fn files_of(trust: &[Trust]) -> impl Iterator<Item = &FileRef> {
    trust.iter().filter_map(|trust| match trust {
        Trust::File { file, .. } => Some(file),
        Trust::System(_) => None,
    })
}

/// Whether a file holds certificates or keys, and nothing else that is read.
fn is_certificates(path: &str, text: &Text) -> bool {
    let bytes = text.bytes();
    matches!(form(path, bytes), Form::Other)
        && (!pem::blocks(bytes).is_empty() || Certificate::read(bytes, text.full_span()).is_ok())
}

fn place(text: &Text) -> (FileId, u32, u32) {
    let Span { file, start, end } = text.full_span();
    (file, start, end)
}

/// The path by which programs know it; else the file's own.
fn shown(files: &Files, held: &Held) -> String {
    let span = held.text.full_span();
    held.users.first().map_or_else(|| files.path(span.file).to_owned(), |(_, _, path)| path.clone())
}

fn user_json((program, role, path): &(String, &'static str, String)) -> Value {
    json!({"program": program, "role": role, "path": path})
}

fn planned(
    files: &Files,
    deployment: &Deployment,
    certificate: &PlannedCertificate,
    users: Vec<Value>,
) -> Value {
    let names: Vec<String> = [
        ("DNS", &certificate.dns_names),
        ("email", &certificate.email_addresses),
        ("IP", &certificate.ip_addresses),
        ("URI", &certificate.uris),
    ]
    .iter()
    .flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind}:{}", name.value)))
    .collect();
    let key = match certificate.key {
        PlannedKey::Rsa(bits) => format!("RSA {bits}"),
        PlannedKey::Ecdsa(bits) => format!("EC P-{bits}"),
        PlannedKey::Ed25519 => "Ed25519".to_owned(),
    };
    let issuer = match &certificate.issuer {
        PlannedIssuer::SelfSigned => "itself".to_owned(),
        PlannedIssuer::Planned(id) => {
            deployment.planned.get(*id).map_or_else(String::new, |issuer| issuer.name.clone())
        }
        PlannedIssuer::Certificate(file) => file.path.value.clone(),
        PlannedIssuer::Public => "a public CA".to_owned(),
        PlannedIssuer::Unknown { name, .. } => name.clone(),
        PlannedIssuer::Nobody(missing) => format!("nobody: {}", missing.message),
    };
    let usages: Vec<&str> =
        certificate.extended_key_usage.value().iter().map(|oid| usage_name(oid)).collect();
    json!({"kind": "planned", "name": certificate.name, "subject": certificate.subject.value(), "names": names,
           "key": key, "ca": certificate.is_ca.value(), "key_usage": certificate.key_usage.value(),
           "extended_key_usage": usages, "issuer": issuer, "duration": certificate.duration.value(),
           "renew_before": certificate.renew_before.value(), "file": files.path(certificate.span.file),
           "line": files.places(certificate.span).0.line, "used_by": users})
}
