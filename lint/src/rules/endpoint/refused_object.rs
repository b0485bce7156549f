use std::collections::BTreeSet;

use crate::deployment::{Configuration, Refusal};
use crate::finding::Finding;
use crate::rules::{Subject, rule};

rule! {
    /// APISIX drops an object that its schema refuses, and goes on without it.
    ///
    /// Every route, upstream and ssl object is checked when it is loaded. One that does not pass is left out: its
    /// server name then finds no certificate, its path finds no route, and the rest works as before.
    ///
    /// ## Why it matters
    ///
    /// Nothing stops. A dropped ssl object with `client.ca` beside a wildcard object without one means that the same
    /// server name is served without asking for a client certificate.
    ///
    /// ## How to fix
    ///
    /// Write what the message says is expected. The usual ones:
    ///
    /// - `cert`, `key` and `client.ca` are PEM texts, never paths; `|` keeps the line breaks in YAML
    /// - an ssl object has either `sni` or `snis`, and both `cert` and `key`
    /// - a star stands for the first label only: `*.example.com`
    /// - `tls.client_cert` needs `tls.client_key`, and neither goes with `tls.client_cert_id`
    /// - apisix.yaml ends with the line `#END`
    ///
    /// ## What you see in the logs
    ///
    /// - `failed to check item data of [ssls] err:…`, `failed to check item data of […] err:…`
    /// - `property "cert" validation failed: string too short, expected at least 128`,
    ///   `property "key" validation failed: string too short, expected at least 64`
    /// - `property "upstream" validation failed: …`, `then clause did not match`,
    ///   `expect array to have at least 1 items`, `additional properties forbidden, found …`,
    ///   `matches none of the enum`, `value should match only one schema, but matches none`,
    ///   `failed to validate dependent schema for`, `wrong type: expected …, got …`
    /// - the Admin API, 400: `invalid configuration: …`
    /// - later, for each client, what `host-without-certificate` has
    /// - `missing valid end flag in file`
    /// - APISIX: `mismatched number of certs and keys`
    /// - APISIX, of a host to rewrite to that is not given: `attempt to concatenate local 'sni' (a nil value)`
    ///
    /// ## Reference
    ///
    /// <https://apisix.apache.org/docs/apisix/deployment-modes/>, apisix/schema_def.lua
    "refused-object", Error, check
}

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut places = BTreeSet::new();
    for program in &subject.deployment.programs {
        let Configuration::Apisix(facts) = &program.configuration else { continue };
        let objects = &facts.objects;
        let ssls = objects.ssls.iter().flat_map(|ssl| &ssl.refusals);
        let routes = objects.routes.iter().chain(&objects.stream_routes).flat_map(|route| &route.refusals);
        let upstreams = objects.upstreams.iter().flat_map(|upstream| &upstream.refusals);
        let services = objects.services.iter().flat_map(|service| &service.refusals);
        let all = ssls.chain(routes).chain(upstreams).chain(services).chain(&objects.refusals);
        for refusal in all.filter(|refusal| refusal.rule == RULE.id) {
            if let Some(label) = refusal.labels.first()
                && places.insert(label.span)
            {
                findings.push(finding(refusal));
            }
        }
    }
}

/// What to write, by what is told of the object.
const ADVICE: [(&str, &str); 13] = [
    (
        "client_cert_id beside client_cert",
        "keep client_cert_id, or client_cert with client_key, and delete the other",
    ),
    ("client_cert without client_key", "write client_key, the private key of client_cert, beside it"),
    ("client_key without client_cert", "write client_cert, the certificate of client_key, beside it"),
    ("certs has ", "write one key in keys for each certificate in certs, in the same order"),
    ("both cert and key", "write cert and key, both as PEM text"),
    ("sni or snis", "write snis with every name, and no sni"),
    ("snis is empty", "write at least one name in snis"),
    ("no key of an ssl object", "correct its name, or delete it"),
    ("#END", "write #END as the last line"),
    ("PEM and not a path", "write the PEM text itself, from its -----BEGIN line on"),
    ("no protocol it knows", "write TLSv1.2 or TLSv1.3"),
    ("start with -----BEGIN", "begin the text with its -----BEGIN line"),
    ("client has no ca", "write client.ca, the certificates of the clients' CA as PEM text"),
];

fn finding(refusal: &Refusal) -> Finding {
    let help =
        ADVICE.iter().find(|(told, _)| refusal.message.contains(told)).map(|(_, help)| (*help).to_owned());
    let mut labels = refusal.labels.clone();
    if let Some(label) = labels.first_mut().filter(|label| label.message.is_empty()) {
        "refused".clone_into(&mut label.message);
    }
    RULE.finding(refusal.message.clone(), help, labels)
}
