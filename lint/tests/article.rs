//! The article's deployment, and variants of it that are one edit away: what is predicted of each.

#![expect(clippy::unwrap_used, reason = "the functions around the tests are tests too")]

use std::fmt::Write as _;
use std::path::Path;

use mtls_lint::assume::Assume;
use mtls_lint::handshake::Side;
use mtls_lint::source::Sources;
use mtls_lint::{Options, Report, lint, render};

const AT: &str = "2026-11-23T00:00:00Z";

/// One edit: in a file, the first occurrence of a text becomes another.
struct Variant {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

const VARIANTS: &[Variant] = &[
    Variant {
        name: "etcd-without-client-auth-usage",
        file: "2-certificates.yaml",
        from: "    - server auth\n    - client auth\n",
        to: "    - server auth\n",
    },
    Variant {
        name: "etcd-without-server-auth-usage",
        file: "2-certificates.yaml",
        from: "    - server auth\n    - client auth\n",
        to: "    - client auth\n",
    },
    Variant {
        name: "gateway-client-with-server-auth-only",
        file: "2-certificates.yaml",
        from: "  usages:\n    - client auth\n  emailAddresses:\n    - gateway@demo.example\n",
        to: "  usages:\n    - server auth\n  emailAddresses:\n    - gateway@demo.example\n",
    },
    Variant {
        name: "etcd-certificate-for-another-name",
        file: "2-certificates.yaml",
        from: "  dnsNames:\n    - etcd\n",
        to: "  dnsNames:\n    - store\n",
    },
    Variant {
        name: "gateway-client-by-another-issuer",
        file: "2-certificates.yaml",
        from: "    - gateway@demo.example\n  issuerRef:\n    name: demo-issuer\n    kind: Issuer\n",
        to: "    - gateway@demo.example\n  issuerRef:\n    name: self-signed\n    kind: ClusterIssuer\n",
    },
    Variant { name: "authority-without-is-ca", file: "1-authority.yaml", from: "  isCA: true\n", to: "" },
    Variant {
        name: "issuer-that-does-not-exist",
        file: "2-certificates.yaml",
        from: "    - etcd\n  issuerRef:\n    name: demo-issuer\n    kind: Issuer\n",
        to: "    - etcd\n  issuerRef:\n    name: demo-issuer\n    kind: ClusterIssuer\n",
    },
    Variant {
        name: "secret-nobody-creates",
        file: "3-etcd.yaml",
        from: "secretName: etcd-tls",
        to: "secretName: etcd-server-tls",
    },
    Variant {
        name: "path-nobody-mounts",
        file: "3-etcd.yaml",
        from: "value: /opt/etcd/tls/ca.crt",
        to: "value: /opt/etcd/tls/root.crt",
    },
    Variant {
        name: "authority-by-acme",
        file: "1-authority.yaml",
        from: "spec:\n  ca:\n    secretName: demo-ca\n",
        to: "spec:\n  acme:\n    server: https://acme-v02.api.letsencrypt.org/directory\n    privateKeySecretRef:\n      name: account\n",
    },
    Variant {
        name: "gateway-without-trusted-certificate",
        file: "4-gateway.yaml",
        from: "        ssl_trusted_certificate: /etc/ssl/certs/ca.crt\n",
        to: "        enable: true\n",
    },
    Variant {
        name: "gateway-dials-etcd-in-plaintext",
        file: "4-gateway.yaml",
        from: "- https://etcd:2379",
        to: "- http://etcd:2379",
    },
    Variant {
        name: "service-selects-nothing",
        file: "3-etcd.yaml",
        from: "  selector:\n    part: store\n",
        to: "  selector:\n    part: etcd\n",
    },
];

fn read(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn fixture(name: &str) -> Vec<(String, String)> {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/deployments").join(name))
}

fn judge(files: &[(String, String)], command: Option<&str>) -> Report {
    let mut sources = Sources::default();
    for (path, text) in files {
        sources.add(path.clone(), text.as_bytes());
    }
    let options = Options {
        at: mtls_lint::time::parse(AT).unwrap(),
        assume: Assume::default(),
        expires_within: 30 * 86_400,
        command: command.map(|line| line.split_whitespace().map(str::to_owned).collect()),
    };
    lint(&sources, &options)
}

/// A connection in a few lines: what a person asks first.
fn connections(report: &Report) -> String {
    let mut out = String::new();
    for connection in &report.connections {
        let prediction = &connection.prediction;
        let side = match prediction.rejected_by {
            Some(Side::Client) => " by the client",
            Some(Side::Server) => " by the server",
            None => "",
        };
        let _ = writeln!(
            out,
            "{} {} → {} {}  {}\n  {}{side}; authenticated: server {:?}, client {:?}",
            connection.client.kind,
            connection.client.name.as_deref().unwrap_or("-"),
            connection.server.kind,
            connection.server.name.as_deref().unwrap_or("-"),
            connection.url,
            prediction.outcome.name(),
            prediction.server_authenticated,
            prediction.client_authenticated,
        );
        for why in &prediction.why {
            let _ = writeln!(out, "  why: [{}] {}", why.rule, why.message);
        }
        for why in &prediction.undetermined_because {
            let _ = writeln!(out, "  undetermined because {why}");
        }
        for (who, text) in
            [("client sees", &prediction.client_sees), ("server logs", &prediction.server_logs)]
        {
            if let Some(text) = text {
                let _ = writeln!(out, "  {who}: {text}");
            }
        }
    }
    out
}

#[test]
fn the_article_as_it_is() {
    let report = judge(&fixture("apisix-mtls-article"), None);
    assert_eq!(report.incomplete, Vec::new());
    insta::assert_snapshot!("article-connections", connections(&report));
    insta::assert_snapshot!("article-findings", render::json::check(&report));
}

#[test]
fn the_article_as_it_should_be_has_no_findings() {
    let report = judge(&fixture("apisix-mtls"), None);
    assert_eq!(report.incomplete, Vec::new());
    insta::assert_snapshot!("mutual-connections", connections(&report));
    let findings: Vec<_> = report.findings.iter().map(|finding| (finding.rule, &finding.message)).collect();
    assert_eq!(findings, Vec::new());
}

#[test]
fn the_admin_api_with_the_certificate_of_a_secret() {
    let line = "curl --resolve admin:30180:127.0.0.1 https://admin:30180/apisix/admin/routes \
                --cert k8s:demo/person-tls/tls.crt --key k8s:demo/person-tls/tls.key \
                --cacert k8s:demo/person-tls/ca.crt -H X-API-KEY:edd1c9f034335f136f87ad84b625c8f1";
    insta::assert_snapshot!(
        "admin-with-certificate",
        connections(&judge(&fixture("apisix-mtls-article"), Some(line)))
    );
    let line = line.replace("--cert k8s:demo/person-tls/tls.crt --key k8s:demo/person-tls/tls.key", "");
    insta::assert_snapshot!(
        "admin-without-certificate",
        connections(&judge(&fixture("apisix-mtls-article"), Some(&line)))
    );
}

#[test]
fn variants_that_are_one_edit_away() {
    for variant in VARIANTS {
        let mut files = fixture("apisix-mtls-article");
        let (_, text) = files.iter_mut().find(|(path, _)| path == variant.file).unwrap();
        assert!(text.contains(variant.from), "{}: the text to edit is gone", variant.name);
        *text = text.replacen(variant.from, variant.to, 1);
        insta::assert_snapshot!(format!("variant-{}", variant.name), connections(&judge(&files, None)));
    }
}

/// A Secret whose files are real ones.
fn secret(name: &str, certificate: &str, key: &str, authority: &str) -> String {
    use base64::Engine as _;
    let pki = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pki");
    let encoded =
        |file: &str| base64::engine::general_purpose::STANDARD.encode(std::fs::read(pki.join(file)).unwrap());
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: demo\ntype: kubernetes.io/tls\ndata:\n  \
         tls.crt: {}\n  tls.key: {}\n  ca.crt: {}\n---\n",
        encoded(certificate),
        encoded(key),
        encoded(authority)
    )
}

#[test]
fn a_certificate_that_was_issued_counts_and_may_have_expired() {
    let mut files = fixture("apisix-mtls-article");
    let etcd = secret("etcd-tls", "server-expired.pem", "server-expired.key", "ca.pem");
    let gateway = secret("gateway-client-tls", "client.pem", "client.key", "ca.pem");
    files.push(("7-secrets.yaml".to_owned(), format!("{etcd}{gateway}")));
    let report = judge(&files, None);
    let connection =
        report.connections.iter().find(|connection| connection.url == "https://etcd:2379").unwrap();
    let rules: Vec<&str> = connection.prediction.why.iter().map(|why| why.rule).collect();
    assert_eq!(rules.first(), Some(&"expired-certificate"), "{}", connections(&report));
    assert_eq!(connection.prediction.rejected_by, Some(Side::Client));
    let finding = report.findings.iter().find(|finding| finding.rule == "expired-certificate").unwrap();
    assert_eq!(report.files.path(finding.labels[0].span.file), "7-secrets.yaml");
}
