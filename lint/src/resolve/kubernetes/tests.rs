use super::*;
use crate::deployment::{Content, Lookup, Missing, PlannedIssuer, ProgramKind};
use crate::resolve::machine::Index;
use crate::source::{Located, Span};
use crate::syntax::yaml;

/// The architecture of an mTLS demo in this project's own words.
const DEPLOYMENT: &str = r#"
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: self}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: root, namespace: demo}
spec: {isCA: true, commonName: root, secretName: root-key-pair, issuerRef: {name: self, kind: ClusterIssuer}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: ca, namespace: demo}
spec: {ca: {secretName: root-key-pair}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: store, namespace: demo}
spec: {secretName: store-tls, dnsNames: [store], issuerRef: {name: ca}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: demo}
data:
  level: debug
  a.conf: '# a'
---
apiVersion: v1
kind: Pod
metadata: {name: store, namespace: demo, labels: {role: store}}
spec:
  containers:
    - name: etcd
      image: quay.io/coreos/etcd:v3.5.16
      env:
        - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: LEVEL, valueFrom: {configMapKeyRef: {name: settings, key: level}}}
        - {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: URL, value: "https://$(NAME):2379/$$(NAME)/$(NOBODY)"}
        - {name: OWN, value: "https://$(ADDRESS):2379"}
      ports: [{name: client, containerPort: 2379}]
      readinessProbe: {httpGet: {scheme: HTTPS, port: client, path: health}}
      volumeMounts:
        - {name: tls, mountPath: /tls}
        - {name: settings, mountPath: /etc/a.conf, subPath: a.conf}
        - {name: data, mountPath: /data}
  volumes:
    - {name: tls, secret: {secretName: store-tls, defaultMode: 0400}}
    - {name: settings, configMap: {name: settings}}
    - {name: data, emptyDir: {}}
---
apiVersion: v1
kind: Service
metadata: {name: store, namespace: demo}
spec: {selector: {role: store}, ports: [{port: 2379, targetPort: client, nodePort: 32379}]}
---
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: other}
spec: {type: ExternalName, externalName: store.demo.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: demo}
spec: {type: ExternalName, externalName: example.com}
"#;

fn built(text: &str) -> (Sources, Built) {
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", text.as_bytes());
    let parsed = yaml::parse(&sources.text(file).unwrap());
    assert_eq!(parsed.problems, vec![], "{text}");
    let mut manifests = Manifests::default();
    for document in &parsed.documents {
        for object in kubernetes::objects(document.root()) {
            manifests.take(object, &Assume::default());
        }
    }
    let built = build(manifests, &sources, &Assume::default(), 1);
    (sources, built)
}

fn edited(from: &str, to: &str) -> Built {
    assert!(DEPLOYMENT.contains(from), "{from}");
    built(&DEPLOYMENT.replacen(from, to, 1)).1
}

fn read(sources: &Sources, built: &Built, path: &str) -> crate::deployment::FileRef {
    let span = Span { file: FileId(0), start: 0, end: 0 };
    built.machines[0].read(&Index::new(sources), &Located::new(path.to_owned(), span), "/")
}

fn missing(built: &Built, path: &str) -> Missing {
    match read(&Sources::default(), built, path).content {
        Lookup::Missing(missing) => missing,
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn a_certificate_becomes_the_files_of_its_secret() {
    let (sources, built) = built(DEPLOYMENT);
    let names: Vec<&str> = built.planned.iter().map(|planned| planned.name.as_str()).collect();
    assert_eq!(names, ["Certificate demo/root", "Certificate demo/store"]);
    assert!(matches!(built.planned[0].issuer, PlannedIssuer::SelfSigned));
    assert!(matches!(built.planned[1].issuer, PlannedIssuer::Planned(0)));
    for (file, expected) in [
        ("/tls/tls.crt", "PlannedCertificates([1])"),
        ("/tls/tls.key", "PlannedKey(1)"),
        ("/tls/ca.crt", "PlannedCertificates([0])"),
    ] {
        let found = read(&sources, &built, file);
        assert_eq!(format!("{:?}", found.content.found().unwrap()), expected, "{file}");
        assert_eq!(found.mode, Some(0o400));
    }
    let folder = read(&sources, &built, "/tls").content;
    assert!(matches!(folder, Lookup::Found(Content::Folder)));
    let config = read(&sources, &built, "/etc/a.conf").content;
    assert!(matches!(config, Lookup::Found(Content::Bytes(text)) if text.bytes() == b"# a"));
    assert!(matches!(read(&sources, &built, "/data/x").content, Lookup::Unseen(_)));
    assert!(matches!(read(&sources, &built, "/bin/sh").content, Lookup::Unseen(_)));
}

#[test]
fn an_intermediate_is_sent_and_its_root_becomes_ca_crt() {
    let chain = "---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: middle, namespace: demo}
spec: {isCA: true, commonName: m, secretName: middle, issuerRef: {name: ca}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: middle, namespace: demo}
spec: {ca: {secretName: middle}}
";
    let text = DEPLOYMENT.replacen(
        "dnsNames: [store], issuerRef: {name: ca}",
        "dnsNames: [store], issuerRef: {name: middle}",
        1,
    );
    let (sources, built) = built(&format!("{text}{chain}"));
    let shown = |file: &str| format!("{:?}", read(&sources, &built, file).content.found().unwrap());
    assert_eq!(shown("/tls/tls.crt"), "PlannedCertificates([1, 2])");
    assert_eq!(shown("/tls/ca.crt"), "PlannedCertificates([0])");
}

#[test]
fn what_cannot_be_issued_or_mounted_is_missing_for_a_reason() {
    for (from, to, path, rule, words) in [
        ("{isCA: true, commonName", "{commonName", "/tls/tls.crt", "issuer-without-ca", "is no CA"),
        (
            "{name: self, kind: ClusterIssuer}",
            "{name: self}",
            "/tls/tls.crt",
            "missing-issuer",
            "Issuer self in namespace demo",
        ),
        (
            "{name: self, kind: ClusterIssuer}",
            "{name: slef, kind: ClusterIssuer}",
            "/tls/tls.crt",
            "missing-issuer",
            "no ClusterIssuer slef",
        ),
        (
            "issuerRef: {name: ca}",
            "issuerRef: {name: ca, kind: VaultIssuer}",
            "/tls/tls.crt",
            "missing-issuer",
            "kind VaultIssuer",
        ),
        (
            "{ca: {secretName: root-key-pair}}",
            "{ca: {secretName: nobody}}",
            "/tls/tls.crt",
            "missing-secret",
            "no Secret nobody",
        ),
        (
            "secret: {secretName: store-tls",
            "secret: {secretName: nobody",
            "/tls/tls.crt",
            "missing-secret",
            "no Secret nobody in namespace demo",
        ),
        (
            "configMap: {name: settings}",
            "configMap: {name: nobody}",
            "/etc/a.conf",
            "missing-config-map",
            "no ConfigMap nobody",
        ),
        (
            "subPath: a.conf",
            "subPath: b.conf",
            "/etc/a.conf",
            "missing-key",
            "an empty folder is mounted at /etc/a.conf; it has a.conf, level",
        ),
        (
            "{name: tls, mountPath",
            "{name: none, mountPath",
            "/tls/x",
            "missing-volume",
            "mounts the volume none",
        ),
        (
            "secretName: store-tls, dnsNames",
            "secretName: store-tls, dnsNames",
            "/tls/server.pem",
            "missing-key",
            "has no key server.pem; it has ca.crt, tls.crt, tls.key",
        ),
        ("defaultMode: 0400", "items: [{key: nope, path: x}]", "/tls/x", "missing-key", "no key nope"),
    ] {
        let built = edited(from, to);
        let missing = missing(&built, path);
        assert_eq!(missing.rule, rule, "{to}: {}", missing.message);
        assert!(missing.message.contains(words), "{to}: {}", missing.message);
        assert!(!missing.labels.is_empty() || rule == "missing-secret", "{to}");
    }
}

#[test]
fn a_missing_secret_points_at_one_of_a_similar_name() {
    let labels = |name: &str| {
        let built = edited("secret: {secretName: store-tls", &format!("secret: {{secretName: {name}"));
        let labels = missing(&built, "/tls/tls.crt").labels;
        labels.into_iter().map(|label| label.message).collect::<Vec<_>>().join("; ")
    };
    for (name, similar) in
        [("store-tsl", true), ("storetls", true), ("stor-tlss", true), ("stack-tls", false)]
    {
        assert_eq!(labels(name).contains("Secret demo/store-tls has a similar name"), similar, "{name}");
    }
}

#[test]
fn a_path_that_nobody_mounts_is_missing_from_a_published_image_only() {
    for (from, to, path, missing) in [
        ("/tls", "/tls", "/certs/tls.crt", true),
        ("/tls", "/tls", "/etc/ssl/private/tls.crt", true),
        ("/tls", "/tls", "/etc/ssl/certs/ca-certificates.crt", false),
        ("/tls", "/tls", "/usr/local/x", false),
        ("/tls", "/tls", "/data/x", false),
        ("quay.io/coreos/etcd:v3.5.16", "registry.example/etcd:v3.5.16", "/certs/tls.crt", false),
        ("quay.io/coreos/etcd:v3.5.16", "example/etcd", "/certs/tls.crt", false),
        ("quay.io/coreos/etcd:v3.5.16", "bitnami/etcd:3@sha256:00", "/certs/tls.crt", true),
        ("      ports: [", "      command: [sh, -c, etcd]\n      ports: [", "/certs/tls.crt", false),
    ] {
        let built = edited(from, to);
        match read(&Sources::default(), &built, path).content {
            Lookup::Missing(found) => {
                assert!(missing, "{path}: {}", found.message);
                assert_eq!(found.rule, "unmounted-path");
            }
            Lookup::Unseen(_) => assert!(!missing, "{to} {path}"),
            Lookup::Found(content) => panic!("{path}: {content:?}"),
        }
    }
}

#[test]
fn what_others_may_make_is_unseen() {
    let nobody = DEPLOYMENT.replacen("secret: {secretName: store-tls", "secret: {secretName: nobody", 1);
    for (object, words) in [
        (
            "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: e, namespace: demo}\nspec: {target: {name: nobody}}",
            "written by ExternalSecret demo/e",
        ),
        (
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: nobody, namespace: demo}\nspec: {}",
            "written by SealedSecret",
        ),
        (
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: h, namespace: demo}\nspec: {}",
            "may be made by HelmRelease",
        ),
        ("secretGenerator: [{name: nobody, files: [tls.crt]}]", "may be made by a Kustomization"),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization",
            "may be made by a Kustomization",
        ),
        (
            "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, namespace: demo}\nspec: {template: {spec: {containers: [{name: c, args: [--secret-name=nobody]}]}}}",
            "may be made by Job demo/j",
        ),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: nobody}\nstringData: {a: b}", "names no namespace"),
    ] {
        let built = built(&format!("{nobody}---\n{object}\n")).1;
        match read(&Sources::default(), &built, "/tls/tls.crt").content {
            Lookup::Unseen(why) => assert!(why.contains(words), "{why}"),
            other => panic!("{object}: {other:?}"),
        }
    }
    let (_, built) = built(&nobody.replacen("secretName: nobody,", "secretName: nobody, optional: true,", 1));
    assert!(matches!(read(&Sources::default(), &built, "/tls/tls.crt").content, Lookup::Unseen(_)));
}

#[test]
fn a_real_secret_wins_over_its_certificate() {
    let real = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: store-tls, namespace: demo}\nstringData: {tls.crt: real, tls.key: ''}\n";
    let (sources, built) = built(&format!("{DEPLOYMENT}{real}"));
    let content = |file: &str| read(&sources, &built, file).content;
    assert!(
        matches!(content("/tls/tls.crt"), Lookup::Found(Content::Bytes(text)) if text.bytes() == b"real")
    );
    assert!(matches!(content("/tls/tls.key"), Lookup::Found(Content::Empty)));
    assert!(matches!(content("/tls/ca.crt"), Lookup::Found(Content::PlannedCertificates(_))));
    assert_eq!(built.planned.len(), 2);
}

#[test]
fn a_real_secret_signs() {
    let text = DEPLOYMENT.replacen("{ca: {secretName: root-key-pair}}", "{ca: {secretName: real}}", 1);
    let real = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: real, namespace: demo}\nstringData: {tls.crt: \"-----BEGIN A\\n-----BEGIN B\\n\", tls.key: k}\n";
    let (sources, built) = built(&format!("{text}{real}"));
    assert!(
        matches!(&built.planned[1].issuer, PlannedIssuer::Certificate(file) if file.path.value == "Secret demo/real/tls.crt")
    );
    let Lookup::Found(Content::Bytes(ca)) = read(&sources, &built, "/tls/ca.crt").content else { panic!() };
    assert_eq!(ca.bytes(), b"-----BEGIN B\n");
}

#[test]
fn issuers_outside_the_sources_leave_ca_crt_open() {
    for (spec, ca, issuer) in [
        ("{acme: {server: 'https://acme-v02.api.letsencrypt.org/directory'}}", "gives no ca.crt", "Public"),
        ("{acme: {server: 'https://ca.internal/acme'}}", "gives no ca.crt", "Unknown"),
        ("{vault: {path: x}}", "outside the sources", "Unknown"),
    ] {
        let built = edited("{ca: {secretName: root-key-pair}}", spec);
        let shown = format!("{:?}", built.planned[1].issuer);
        assert!(shown.starts_with(issuer), "{shown}");
        let why = match read(&Sources::default(), &built, "/tls/ca.crt").content {
            Lookup::Missing(missing) => missing.message,
            Lookup::Unseen(why) => why,
            Lookup::Found(content) => panic!("{content:?}"),
        };
        assert!(why.contains(ca), "{why}");
        let certificate = read(&Sources::default(), &built, "/tls/tls.crt").content;
        assert!(matches!(certificate, Lookup::Found(Content::PlannedCertificates(_))));
    }
    let group = edited("issuerRef: {name: ca}", "issuerRef: {name: ca, kind: X, group: example.com}");
    assert!(
        matches!(&group.planned[1].issuer, PlannedIssuer::Unknown { name, .. } if name == "X ca.example.com")
    );
}

#[test]
fn a_circle_of_issuers_ends() {
    let text =
        DEPLOYMENT.replacen("issuerRef: {name: self, kind: ClusterIssuer}", "issuerRef: {name: ca}", 1);
    let (_, built) = built(&text);
    assert!(missing(&built, "/tls/tls.crt").message.contains("in turn"));
}

#[test]
fn a_cluster_issuer_takes_its_secret_from_its_own_namespace() {
    let cluster = |namespace: &str| {
        let text = DEPLOYMENT
            .replacen(
                "kind: Issuer\nmetadata: {name: ca, namespace: demo}",
                "kind: ClusterIssuer\nmetadata: {name: ca}",
                1,
            )
            .replacen("issuerRef: {name: ca}", "issuerRef: {name: ca, kind: ClusterIssuer}", 1)
            .replacen(
                "metadata: {name: root, namespace: demo}",
                &format!("metadata: {{name: root, namespace: {namespace}}}"),
                1,
            );
        built(&text).1
    };
    assert!(matches!(cluster("cert-manager").planned[1].issuer, PlannedIssuer::Planned(0)));
    let wrong = cluster("demo");
    let PlannedIssuer::Nobody(missing) = &wrong.planned[1].issuer else { panic!() };
    assert!(missing.message.contains("cert-manager's own namespace"), "{}", missing.message);
}

#[test]
fn a_csi_volume_is_a_planned_certificate() {
    let csi = "{name: tls, csi: {driver: csi.cert-manager.io, volumeAttributes: {csi.cert-manager.io/issuer-name: ca, csi.cert-manager.io/dns-names: '${POD_NAME}.demo,x', csi.cert-manager.io/key-usages: client auth}}}";
    let built = edited("{name: tls, secret: {secretName: store-tls, defaultMode: 0400}}", csi);
    let planned = built.planned.last().unwrap();
    assert_eq!(planned.name, "volume tls of Pod demo/store");
    let names: Vec<&str> = planned.dns_names.iter().map(|name| name.value.as_str()).collect();
    assert_eq!(names, ["store.demo", "x"]);
    let certificate = read(&Sources::default(), &built, "/tls/tls.crt").content;
    assert!(matches!(certificate, Lookup::Found(Content::PlannedCertificates(ids)) if ids == [2]));
}

#[test]
fn the_environment_is_what_the_container_sees() {
    let (_, built) = built(DEPLOYMENT);
    let launch = &built.launches[0];
    let value =
        |name: &str| &launch.environment.iter().find(|variable| variable.name.value == name).unwrap().value;
    assert_eq!(value("NAME").found().unwrap().value, "store");
    assert_eq!(value("LEVEL").found().unwrap().value, "debug");
    assert_eq!(value("URL").found().unwrap().value, "https://store:2379/$(NAME)/$(NOBODY)");
    assert!(matches!(value("OWN"), Lookup::Unseen(_)));
}

#[test]
fn every_form_of_a_name_leads_to_the_pods() {
    let (_, built) = built(DEPLOYMENT);
    for (host, namespace, found) in [
        ("store", Some("demo"), true),
        ("STORE.demo", Some("other"), true),
        ("store.demo.svc", Some("other"), true),
        ("store.demo.svc.cluster.local", Some("other"), true),
        ("store.demo.svc.cluster.local.", None, true),
        ("alias.other", Some("demo"), true),
        ("store", None, true),
        ("store", Some("other"), false),
        ("store.demo.", Some("demo"), false),
        ("outside", Some("demo"), false),
        ("example.com", Some("demo"), false),
        ("store.other.svc", Some("demo"), false),
    ] {
        let found_there = match namespace {
            Some(namespace) => built.cluster.resolve_from(host, 2379, namespace),
            None => built.cluster.resolve(host, 2379, None),
        };
        match found_there {
            Some(Lookup::Found(route)) => {
                assert!(
                    found && route.backends[0].machines == [1] && route.backends[0].port == 2379,
                    "{host}"
                );
                assert_eq!(route.name, "Service demo/store");
                assert_eq!(route.path.len(), 2);
            }
            Some(Lookup::Unseen(_)) | None => assert!(!found, "{host}"),
            Some(Lookup::Missing(missing)) => panic!("{host}: {missing:?}"),
        }
    }
    assert!(matches!(built.cluster.resolve_node_port(32379), Some(Lookup::Found(_))));
    assert!(built.cluster.resolve_node_port(1).is_none());
    assert!(
        matches!(built.cluster.resolve("localhost", 80, Some(1)), Some(Lookup::Found(route)) if route.backends[0].machines == [1])
    );
    assert!(built.cluster.resolve("localhost", 80, None).is_none());
}

#[test]
fn a_service_that_leads_nowhere_says_why() {
    for (from, to, port, rule, words) in [
        (
            "selector: {role: store}",
            "selector: {role: stone}",
            2379,
            "unmatched-selector",
            "selects role=stone, which no Pod of namespace demo has",
        ),
        (
            "selector: {role: store}",
            "selector: {role: store}",
            2380,
            "unknown-service-port",
            "has no port 2380; it has 2379",
        ),
        ("targetPort: client", "targetPort: http", 2379, "unknown-target-port", "a port named http"),
    ] {
        let built = edited(from, to);
        match built.cluster.resolve_from("store", port, "demo") {
            Some(Lookup::Missing(missing)) => {
                assert_eq!(missing.rule, rule);
                assert!(missing.message.contains(words), "{}", missing.message);
                assert!(!missing.labels.is_empty());
            }
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn replicas_that_ask_for_their_name_are_told_apart() {
    let text = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: e, namespace: n}
spec:
  replicas: 3
  serviceName: peers
  template:
    metadata: {labels: {app: e}, annotations: {domain: peers.n}}
    spec:
      containers:
        - name: etcd
          image: registry.k8s.io/etcd:3.5.16-0
          command: [sh, -c, 'exec etcd --name=$(ME) "--initial-advertise-peer-urls=https://$(ME).$(DOMAIN):2380"']
          env:
            - {name: ME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: DOMAIN, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['domain']"}}}
---
apiVersion: v1
kind: Service
metadata: {name: peers, namespace: n}
spec: {clusterIP: None, selector: {app: e}}
"#;
    let (_, built) = built(text);
    assert_eq!(built.launches.len(), 3);
    let arguments: Vec<&str> = built.launches[1].arguments.iter().map(|word| word.value.as_str()).collect();
    assert_eq!(arguments, ["--name=e-1", "--initial-advertise-peer-urls=https://e-1.peers.n:2380"]);
    let resolve = |host: &str| built.cluster.resolve_from(host, 2380, "n").unwrap();
    assert!(matches!(resolve("e-1.peers"), Lookup::Found(route) if route.backends[0].machines == [2]));
    assert!(matches!(resolve("peers.n.svc"), Lookup::Found(route) if route.backends.len() == 3));
    assert!(matches!(resolve("e-7.peers.n.svc.cluster.local"), Lookup::Missing(_)));
}

#[test]
fn programs_are_known_by_command_or_image() {
    let container = |fields: &str| {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: n}}\nspec:\n  containers:\n    - {{name: c, {fields}}}\n"
        );
        let (_, built) = built(&text);
        built.launches.first().map(|launch| {
            let words = launch.arguments.iter().map(|word| word.value.clone());
            (launch.kind, words.collect::<Vec<_>>().join(" "))
        })
    };
    for (fields, expected) in [
        ("image: 'bitnami/etcd:3.5.7'", Some((ProgramKind::Etcd, ""))),
        ("image: 'registry.example:5000/mirror/nginx@sha256:ab'", Some((ProgramKind::Nginx, ""))),
        ("image: 'apache/apisix:3.2.0-debian', args: [docker-start]", Some((ProgramKind::Apisix, ""))),
        ("image: apache/apisix-dashboard", None),
        ("image: registry.k8s.io/ingress-nginx/controller", None),
        ("image: envoyproxy/envoy, args: [-c, /e.yaml]", Some((ProgramKind::Envoy, "-c /e.yaml"))),
        ("image: any, command: [/usr/local/bin/etcd, --name, x]", Some((ProgramKind::Etcd, "--name x"))),
        ("image: nginx, args: [nginx, -g, daemon off;]", Some((ProgramKind::Nginx, "-g daemon off;"))),
        (
            "image: nginx, command: [sh, -c, 'envsubst < a > b && nginx -c b']",
            Some((ProgramKind::Nginx, "-c b")),
        ),
        ("image: nginx, command: [./start.sh]", None),
        ("image: any, command: [tini, --, etcd, --name, x]", Some((ProgramKind::Etcd, "--name x"))),
        ("image: curlimages/curl, args: [https://a]", Some((ProgramKind::Curl, "https://a"))),
        ("image: busybox", None),
    ] {
        let expected = expected.map(|(kind, words)| (kind, words.to_owned()));
        assert_eq!(container(fields), expected, "{fields}");
    }
}

#[test]
fn the_kubelet_probes_without_a_certificate() {
    let (_, built) = built(DEPLOYMENT);
    let [kubelet] = built.probes.as_slice() else { panic!() };
    assert_eq!(kubelet.kind, ProgramKind::Kubelet);
    assert_eq!(kubelet.dialers[0].target.url, "https://127.0.0.1:2379/health");
    let tls = kubelet.dialers[0].tls.as_ref().unwrap();
    assert!(tls.credential.is_none() && !tls.verify.value());
}

#[test]
fn what_somebody_copies_or_fills_is_unseen() {
    let certificate = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: c, namespace: certs}\nspec: {secretName: nobody, dnsNames: [a], issuerRef: {name: self, kind: ClusterIssuer}, secretTemplate: {annotations: {reflector.v1.k8s.emberstack.com/reflection-allowed: \"true\"}}}\n";
    for object in [
        certificate,
        "apiVersion: v1\nkind: Secret\nmetadata: {name: nobody, namespace: certs, annotations: {replicator.v1.mittwald.de/replicate-to: demo}}\n",
        "apiVersion: trust.cert-manager.io/v1alpha1\nkind: Bundle\nmetadata: {name: nobody}\nspec: {}\n",
        "apiVersion: trust-manager.io/v1alpha2\nkind: ClusterBundle\nmetadata: {name: nobody}\nspec: {}\n",
        "apiVersion: external-secrets.io/v1\nkind: ClusterExternalSecret\nmetadata: {name: x}\nspec: {externalSecretSpec: {target: {name: nobody}}}\n",
        "apiVersion: secrets.infisical.com/v1alpha1\nkind: InfisicalSecret\nmetadata: {name: x, namespace: demo}\nspec: {managedSecretReference: {secretName: nobody}}\n",
        "apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata: {name: no, namespace: demo}\nspec: {}\n",
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: demo, annotations: {cert-manager.io/issuer: ca}}\nspec: {listeners: [{port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: nobody}]}}]}\n",
    ] {
        let name = if object.contains("Kafka") { "no-cluster-ca-cert" } else { "nobody" };
        let text = DEPLOYMENT.replacen(
            "secret: {secretName: store-tls",
            &format!("secret: {{secretName: {name}"),
            1,
        );
        let (sources, built) = built(&format!("{text}---\n{object}"));
        let found = read(&sources, &built, "/tls/tls.crt").content;
        assert!(matches!(found, Lookup::Unseen(_)), "{object}: {found:?}");
    }
    let filled = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: nobody, namespace: demo, annotations: {service.beta.openshift.io/inject-cabundle: \"true\"}}\n";
    let text = DEPLOYMENT.replacen("configMap: {name: settings}", "configMap: {name: nobody}", 1);
    let (sources, built) = built(&format!("{text}{filled}"));
    assert!(matches!(read(&sources, &built, "/etc/a.conf").content, Lookup::Unseen(_)));
}
