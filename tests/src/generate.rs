//! Large deployments: as many workloads as wanted, ten manifests each, all of it valid and connected.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::mint::certificate::General;
use crate::mint::plan::{Plan, Role};

/// Manifests of one workload.
pub const MANIFESTS_EACH: usize = 10;

/// One file a workload, and one for what they share: path and text.
///
/// Each workload is an nginx that asks for client certificates and dials the next workload over mutual TLS. Its server
/// and client credentials are there as cert-manager Certificates and as issued Secrets; a Service, an ApisixRoute, an
/// ApisixUpstream and an ApisixTls lead to it.
pub fn deployment(workloads: usize) -> Vec<(String, String)> {
    let shared = "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata:\n  name: authority\nspec:\n  \
                  ca:\n    secretName: authority\n";
    let mut files = vec![("authority.yaml".to_owned(), shared.to_owned())];
    files.extend((0..workloads).map(|number| {
        let next = (number + 1) % workloads.max(1);
        (format!("workload-{number:05}.yaml"), workload(number, next))
    }));
    files
}

fn workload(number: usize, next: usize) -> String {
    let (name, upstream) = (format!("app-{number}"), format!("app-{next}"));
    let documents = [
        certificate(&name, "server", "server auth"),
        certificate(&name, "client", "client auth"),
        secret(&name, "server", Role::Server),
        secret(&name, "client", Role::Client),
        configuration(&name, &upstream),
        launch(&name),
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  selector:\n    \
             app: {name}\n  ports:\n  - name: https\n    port: 443\n    targetPort: 8443\n"
        ),
        format!(
            "apiVersion: apisix.apache.org/v2\nkind: ApisixRoute\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  \
             http:\n  - name: all\n    match:\n      hosts:\n      - {name}.example.test\n      paths:\n      - /*\n    \
             backends:\n    - serviceName: {name}\n      servicePort: 443\n"
        ),
        format!(
            "apiVersion: apisix.apache.org/v2\nkind: ApisixUpstream\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  \
             scheme: https\n  tlsSecret:\n    name: {name}-client\n    namespace: shop\n"
        ),
        format!(
            "apiVersion: apisix.apache.org/v2\nkind: ApisixTls\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  \
             hosts:\n  - {name}.example.test\n  secret:\n    name: {name}-server\n    namespace: shop\n"
        ),
    ];
    debug_assert_eq!(documents.len(), MANIFESTS_EACH);
    documents.join("---\n")
}

fn certificate(name: &str, role: &str, usage: &str) -> String {
    format!(
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata:\n  name: {name}-{role}\n  namespace: shop\nspec:\n  \
         secretName: {name}-{role}\n  usages:\n  - digital signature\n  - {usage}\n  dnsNames:\n  - {name}\n  \
         - {name}.shop.svc\n  - {name}.example.test\n  issuerRef:\n    name: authority\n    kind: ClusterIssuer\n"
    )
}

fn secret(name: &str, side: &str, role: Role) -> String {
    let names = [name.to_owned(), format!("{name}.shop.svc"), format!("{name}.example.test")];
    let names = names.into_iter().map(General::Dns).collect();
    let mut plan = Plan::new(role, &format!("generated {name} {side}"), name, names);
    plan.authority_label = "generated".to_owned();
    plan.root().subject = crate::mint::certificate::Name::of("generated authority");
    let minted = plan.mint();
    let encoded = |bytes: Option<Vec<u8>>| STANDARD.encode(bytes.unwrap_or_default());
    format!(
        "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata:\n  name: {name}-{side}\n  namespace: shop\n\
         data:\n  tls.crt: {}\n  tls.key: {}\n  ca.crt: {}\n",
        encoded(minted.certificate),
        encoded(minted.key),
        encoded(minted.bundle)
    )
}

fn configuration(name: &str, upstream: &str) -> String {
    let nginx = format!(
        "events {{}}\nhttp {{\n  server {{\n    listen 8443 ssl;\n    server_name {name};\n    \
         ssl_certificate /etc/nginx/server/tls.crt;\n    ssl_certificate_key /etc/nginx/server/tls.key;\n    \
         ssl_client_certificate /etc/nginx/server/ca.crt;\n    ssl_verify_client on;\n    location / {{\n      \
         proxy_pass https://{upstream};\n      proxy_ssl_verify on;\n      \
         proxy_ssl_trusted_certificate /etc/nginx/client/ca.crt;\n      \
         proxy_ssl_certificate /etc/nginx/client/tls.crt;\n      \
         proxy_ssl_certificate_key /etc/nginx/client/tls.key;\n    }}\n  }}\n}}\n"
    );
    let block: String = nginx.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: shop\ndata:\n  nginx.conf: |\n{block}"
    )
}

fn launch(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  replicas: 2\n  \
         selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    \
         spec:\n      containers:\n      - name: nginx\n        image: nginx:1.26.3\n        ports:\n        \
         - containerPort: 8443\n        volumeMounts:\n        - name: config\n          \
         mountPath: /etc/nginx/nginx.conf\n          subPath: nginx.conf\n        - name: server\n          \
         mountPath: /etc/nginx/server\n        - name: client\n          mountPath: /etc/nginx/client\n      \
         volumes:\n      - name: config\n        configMap:\n          name: {name}\n      - name: server\n        \
         secret:\n          secretName: {name}-server\n      - name: client\n        secret:\n          \
         secretName: {name}-client\n"
    )
}

#[cfg(test)]
mod tests {
    use mtls_lint::{Options, lint, source::Sources};

    use super::*;

    #[test]
    fn every_workload_of_a_generated_deployment_dials_the_next_and_nothing_is_wrong() {
        let mut sources = Sources::default();
        for (path, text) in deployment(3) {
            sources.add(path, text);
        }
        let options =
            Options { at: 1_795_392_000, assume: Default::default(), expires_within: 0, command: None };
        let report = lint(&sources, &options);
        let answer: serde_json::Value =
            serde_json::from_str(&mtls_lint::render::json::predict(&report)).unwrap();
        let dials: Vec<_> = answer["connections"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|c| c["client"]["kind"] == "nginx")
            .collect();
        assert_eq!(dials.len(), 3, "{answer:#}");
        for connection in dials {
            assert_eq!(connection["outcome"], "completes", "{connection:#}");
            assert_eq!(connection["authenticated"]["client"], true);
        }
    }
}
