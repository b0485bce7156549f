//! The linter as a whole, in every output format.

use std::collections::BTreeMap;
use std::sync::Arc;

use mtls_lint::finding::{Finding, Incomplete};
use mtls_lint::render::{diagram, github, json, junit, sarif, terminal};
use mtls_lint::source::{FileId, Sources, Span, Text};
use mtls_lint::visible::is_hidden;
use mtls_lint::{Options, Report};
use serde_json::Value;

use super::text::assert_within;

/// The moment of every judgement here: 2026-11-23T00:00:00Z.
pub const MOMENT: i64 = 1_795_392_000;

/// Parts the files of one input; the file's name stands on the rest of the line.
pub(super) const FILE: &str = "\n@@@ ";

/// Several files: `@@@ NAME`, then the content.
pub(super) fn lint(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut sources = Sources::default();
    for part in format!("\n{text}").split(FILE).filter(|part| !part.is_empty()) {
        let (name, content) = part.split_once('\n').unwrap_or((part, ""));
        sources.add(name, content);
    }
    checked(&sources, None);
}

/// A configuration of nginx.
pub(super) fn nginx(data: &[u8]) {
    one("nginx.conf", data);
}

/// A configuration or objects of APISIX.
pub(super) fn apisix(data: &[u8]) {
    let name = if data.starts_with(b"{") { "objects.json" } else { "config.yaml" };
    one(name, data);
}

/// A bootstrap of Envoy.
pub(super) fn envoy(data: &[u8]) {
    one("envoy.yaml", data);
}

/// A configuration file of etcd, or its environment.
pub(super) fn etcd(data: &[u8]) {
    one(if data.starts_with(b"ETCD_") { "etcd.env" } else { "etcd.conf.yml" }, data);
}

/// A command line, dialling an nginx.
pub(super) fn command(data: &[u8]) {
    let line = String::from_utf8_lossy(data);
    let mut sources = Sources::default();
    sources.add(
        "nginx.conf",
        "events {}\nhttp { server { listen 8443 ssl; server_name shop.test; ssl_certificate a.pem; \
         ssl_certificate_key a.key; ssl_client_certificate ca.pem; ssl_verify_client on; } }\n",
    );
    checked(&sources, Some(vec![format!("{line} ")]));
    checked(&sources, Some(line.split(' ').map(str::to_owned).collect()));
}

/// A script that a container runs: written in the manifest, and mounted; nothing dials once the script has ended.
pub(super) fn script(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    run_in_container(&text);
    let report = run_in_container(&format!("exit 0\n{text}"));
    let dialled = report.connections.iter().find(|connection| connection.client.kind != "any");
    assert!(dialled.is_none(), "a script that ended dials: {dialled:?}");
}

fn run_in_container(script: &str) -> Report {
    let container = |name: &str, image: &str, command: &[&str]| {
        serde_json::json!({"name": name, "image": image, "command": command, "env": [{"name": "HOST", "value": "shop.test"}],
               "volumeMounts": [{"name": "tls", "mountPath": "/tls"}, {"name": "scripts", "mountPath": "/scripts"}]})
    };
    let pod = serde_json::json!({
        "containers": [container("written", "curlimages/curl", &["sh", "-c", script]),
                       container("mounted", "bitnami/etcd:3.5", &["/bin/sh", "/scripts/run.sh"])],
        "volumes": [{"name": "tls", "secret": {"secretName": "a"}},
                    {"name": "scripts", "configMap": {"name": "scripts"}}],
    });
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "scripts"}, "data": {"run.sh": script}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod},
    ]});
    let mut sources = Sources::default();
    sources.add("pod.yaml", list.to_string());
    checked(&sources, None)
}

/// Files given to `inspect`; the byte 0xff parts them.
pub(super) fn inspect(data: &[u8]) {
    let parts: Vec<&[u8]> = data.split(|byte| *byte == 0xff).take(4).collect();
    let files = parts
        .iter()
        .zip(0..)
        .map(|(part, index)| (format!("{index}.pem"), Text::whole(FileId(index), Arc::new(part.to_vec()))));
    let inspection = mtls_lint::inspect::inspect(&files.collect::<Vec<_>>(), MOMENT);
    assert_visible("inspect", &inspection.text());
    let json = mtls_lint::visible::json(inspection.json().to_string());
    assert_visible("json", &json);
    assert!(serde_json::from_str::<Value>(&json).is_ok());
}

fn one(name: &str, data: &[u8]) {
    let mut sources = Sources::default();
    sources.add(name, data);
    checked(&sources, None);
}

/// Lints, prints in every format, and holds the report to what it promises.
pub fn checked(sources: &Sources, command: Option<Vec<String>>) -> Report {
    let options = Options { at: MOMENT, assume: Default::default(), expires_within: 30 * 86_400, command };
    let report = mtls_lint::lint(sources, &options);
    let spans = report.findings.iter().flat_map(spans);
    let incomplete = report.incomplete.iter().filter_map(|Incomplete { span, .. }| *span);
    for span in spans.chain(incomplete) {
        assert_within(span, report.files.bytes(span.file));
    }
    let plain = terminal::Style { color: false, width: 110 };
    assert_visible("human", &terminal::check(&report, plain));
    assert_visible("predict", &terminal::predict(&report, plain));
    assert_visible("github", &github::check(&report));
    assert_visible("junit", &junit::check(&report));
    assert_visible("mermaid", &diagram::mermaid(&report));
    assert_visible("svg", &diagram::svg(&report));
    let found = json::check(&report);
    // with all rules' pages in it, SARIF would take nearly all of the time: one input in about thirty-two is printed so
    let sarif = found.len().is_multiple_of(32).then(|| ("sarif", sarif::check(&report)));
    for (format, text) in [("json", found), ("json", json::predict(&report))].into_iter().chain(sarif) {
        assert_visible(format, &text);
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{format} is no JSON");
    }
    report
}

fn spans(finding: &Finding) -> Vec<Span> {
    assert!(!finding.labels.is_empty(), "{} stands nowhere", finding.rule);
    let edits = finding.fix.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span);
    // edits of one file do not overlap
    let mut ends: BTreeMap<FileId, Vec<(u32, u32)>> = BTreeMap::new();
    for span in edits.clone() {
        ends.entry(span.file).or_default().push((span.start, span.end));
    }
    for places in ends.values_mut() {
        places.sort_unstable();
        assert!(
            places.windows(2).all(|pair| matches!(pair, [one, other] if one.1 <= other.0)),
            "{}",
            finding.rule
        );
    }
    finding.labels.iter().map(|label| label.span).chain(edits).collect()
}

/// Nothing that a terminal or a page would obey instead of showing it.
fn assert_visible(format: &str, text: &str) {
    assert_eq!(text.chars().find(|letter| is_hidden(*letter)), None, "{format}");
}
