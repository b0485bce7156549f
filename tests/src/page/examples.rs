//! The page's examples: the deployments of fixtures, classic mistakes that are one edit away from one that is as it
//! should be, and three servers with issued certificates, for the dates.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::mint::certificate::{Day, General, Name};
use crate::mint::plan::{Plan, Role};

/// One edit that makes a mistake: in a file of the deployment without mistakes, a text that stands there once becomes
/// another.
struct Mistake {
    title: &'static str,
    about: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// The rule that names it.
    rule: &'static str,
}

const MISTAKES: [Mistake; 5] = [
    Mistake {
        title: "A client certificate that may not be one",
        about: "The gateway's certificate says server auth, and the peer it dials refuses it.",
        file: "2-certificates.yaml",
        from: "    - client auth\n  uris:\n",
        to: "    - server auth\n  uris:\n",
        rule: "missing-client-auth-usage",
    },
    Mistake {
        title: "Verification switched off",
        about: "Encrypted, and anybody can be etcd: one false where true belongs.",
        file: "4-gateway.yaml",
        from: "          verify: true\n",
        to: "          verify: false\n",
        rule: "unverified-server",
    },
    Mistake {
        title: "A name that is not in the certificate",
        about: "The gateway dials store; the certificate was made for storage.",
        file: "2-certificates.yaml",
        from: "    - store\n    - store.edge.svc\n",
        to: "    - storage\n    - store.edge.svc\n",
        rule: "name-mismatch",
    },
    Mistake {
        title: "Another authority",
        about: "The upstream's certificate is signed by an issuer that the gateway does not trust.",
        file: "2-certificates.yaml",
        from: "    - catalogue.edge.svc.cluster.local\n  issuerRef:\n    name: edge-issuer\n    kind: Issuer\n",
        to: "    - catalogue.edge.svc.cluster.local\n  issuerRef:\n    name: bootstrap\n    kind: ClusterIssuer\n",
        rule: "untrusted-self-signed-certificate",
    },
    Mistake {
        title: "Nobody asks",
        about: "The client has a certificate; the server never asks for it, and lets everybody in.",
        file: "5-catalogue.yaml",
        from: "        ssl_verify_client      on;\n",
        to: "        ssl_verify_client      off;\n",
        rule: "unasked-client-certificate",
    },
];

/// What is said of the deployments that people know by name; any other is called by its folder.
const DEPLOYMENTS: [(&str, &str, &str, &str); 2] = [
    (
        "apisix-mtls-article",
        "mTLS everywhere? As the article sets it up",
        "APISIX, etcd and nginx on Kubernetes, certificates by cert-manager. Which connections are really mutual?",
        "half",
    ),
    ("apisix-mtls", "The same, as it should be", "Every connection mutual, nothing to object to.", "good"),
];

/// The deployment that the mistakes are made in.
const SOUND: &str = "apisix-mtls";

const EDGE: &str = "# An nginx that passes requests on, and shows its own certificate to the servers behind.
events {}
http {
  server {
    listen 8080;

    proxy_ssl_certificate         edge.pem;
    proxy_ssl_certificate_key     edge.key;
    proxy_ssl_trusted_certificate ca.pem;
    proxy_ssl_verify              on;
    proxy_ssl_server_name         on;

    location /        { proxy_pass https://backend.shop.test:8443; }
    location /orders/ { proxy_pass https://orders.shop.test:9443; }
  }
}
";

const BACKEND: &str = "events {}
http {
  server {
    listen      8443 ssl;
    server_name backend.shop.test;

    ssl_certificate        backend.pem;
    ssl_certificate_key    backend.key;
    ssl_client_certificate ca.pem;
    ssl_verify_client      on;
  }
}
";

/// The examples as the page reads them.
pub fn json(root: &Path) -> Result<String, Box<dyn Error>> {
    let folder = root.join("fixtures/deployments");
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_by_key(|name| {
        (DEPLOYMENTS.iter().position(|known| known.0 == name).unwrap_or(DEPLOYMENTS.len()), name.clone())
    });
    let mut examples = Vec::new();
    for name in &names {
        let known = DEPLOYMENTS.iter().find(|known| known.0 == name);
        let (title, about, group) = known
            .map_or((name.as_str(), "A deployment of the tests.", ""), |known| (known.1, known.2, known.3));
        examples.push(example(title, about, group, None, files(&folder.join(name))?));
    }
    for mistake in &MISTAKES {
        let mut files = files(&folder.join(SOUND))?;
        let (_, text) = files.iter_mut().find(|(path, _)| path == mistake.file).ok_or("no such file")?;
        if text.matches(mistake.from).count() != 1 {
            return Err(format!("{}: {:?} stands there not once", mistake.file, mistake.from).into());
        }
        *text = text.replace(mistake.from, mistake.to);
        examples.push(example(mistake.title, mistake.about, "bad", Some(mistake.rule), files));
    }
    examples.push(dated()?);
    let text = json!({"deployments": examples, "certificate": shop()?});
    Ok(serde_json::to_string(&text)?)
}

/// The moment at which the example with dates begins, whatever the day of the visitor.
const BEGINNING: &str = "2026-11-23T00:00:00Z";

/// Three nginx with certificates that exist, so that the slider has dates to show.
fn dated() -> Result<Value, Box<dyn Error>> {
    let mint = |role, common_name: &str, validity: (Day, Day)| {
        let names = vec![General::Dns(common_name.to_owned())];
        let mut plan = Plan::new(role, &format!("page {common_name}"), common_name, names);
        plan.authority_label = "page authority".to_owned();
        plan.root().subject = named("shop authority");
        plan.leaf.subject = named(common_name);
        plan.leaf.validity = validity;
        plan.mint()
    };
    let client = mint(Role::Client, "edge.shop.test", ((2026, 9, 1), (2027, 9, 1)));
    let backend = mint(Role::Server, "backend.shop.test", ((2026, 3, 1), (2027, 3, 1)));
    let orders = mint(Role::Server, "orders.shop.test", ((2026, 6, 1), (2027, 6, 1)));
    let orders_conf = BACKEND.replace("backend", "orders").replace("8443", "9443");
    let mut files = vec![
        ("edge.conf".to_owned(), EDGE.to_owned()),
        ("backend.conf".to_owned(), BACKEND.to_owned()),
        ("orders.conf".to_owned(), orders_conf),
    ];
    for (path, bytes) in [
        ("ca.pem", client.bundle),
        ("edge.pem", client.certificate),
        ("edge.key", client.key),
        ("backend.pem", backend.certificate),
        ("backend.key", backend.key),
        ("orders.pem", orders.certificate),
        ("orders.key", orders.key),
    ] {
        files.push((path.to_owned(), String::from_utf8(bytes.ok_or("a file was not minted")?)?));
    }
    let about = "Three nginx with issued certificates: move the slider to the days on which they stop.";
    let mut example = example("Until it expires", about, "good", None, files);
    example["at"] = json!(BEGINNING);
    Ok(example)
}

fn named(common_name: &str) -> Name {
    Name(vec![("2.5.4.3", 0x0c, common_name.into())])
}

/// A certificate for the policy that the page begins with.
fn shop() -> Result<String, Box<dyn Error>> {
    let identity = vec![General::Uri("spiffe://example.test/ns/shop/sa/web".to_owned())];
    let minted = Plan::new(Role::Client, "page shop", "shop", identity).mint();
    Ok(String::from_utf8(minted.certificate.ok_or("the certificate was not minted")?)?)
}

fn example(title: &str, about: &str, group: &str, rule: Option<&str>, files: Vec<(String, String)>) -> Value {
    let files: Vec<Value> =
        files.into_iter().map(|(path, text)| json!({"path": path, "text": text})).collect();
    json!({"title": title, "about": about, "group": group, "rule": rule, "files": files})
}

/// The text files of a folder, by path.
fn files(folder: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(current) = waiting.pop() {
        for entry in fs::read_dir(current)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
                files.push((name, fs::read_to_string(&path)?));
            }
        }
    }
    files.sort();
    Ok(files)
}
