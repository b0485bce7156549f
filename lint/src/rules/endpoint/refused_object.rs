use std::collections::BTreeSet;

use crate::deployment::Configuration;
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
                findings.push(RULE.refusal(refusal.message.clone(), refusal.help.clone(), refusal));
            }
        }
    }
}
