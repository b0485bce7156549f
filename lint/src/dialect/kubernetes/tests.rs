use super::*;
use crate::source::Sources;
use crate::syntax::yaml;

fn read(text: &str) -> Fragment {
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", text.as_bytes());
    let parsed = yaml::parse(&sources.text(file).unwrap());
    assert_eq!(parsed.problems, vec![]);
    let mut fragment = Fragment::default();
    for document in &parsed.documents {
        assert!(recognises(document.root()), "{text}");
        objects(document.root()).into_iter().for_each(|object| fragment.read(object));
    }
    fragment
}

fn slice(text: &str, span: Span) -> &str {
    &text[span.start as usize..span.end as usize]
}

#[test]
fn every_kind_of_workload_shows_its_pod() {
    let pod = "{containers: [{name: c, image: 'nginx:1'}]}";
    for (kind, spec) in [
        ("Pod", pod.to_owned()),
        ("Deployment", format!("{{template: {{metadata: {{labels: {{a: b}}}}, spec: {pod}}}}}")),
        (
            "StatefulSet",
            format!("{{serviceName: s, template: {{metadata: {{labels: {{a: b}}}}, spec: {pod}}}}}"),
        ),
        ("DaemonSet", format!("{{template: {{metadata: {{labels: {{a: b}}}}, spec: {pod}}}}}")),
        ("ReplicaSet", format!("{{template: {{metadata: {{labels: {{a: b}}}}, spec: {pod}}}}}")),
        ("Job", format!("{{template: {{metadata: {{labels: {{a: b}}}}, spec: {pod}}}}}")),
        (
            "CronJob",
            format!(
                "{{jobTemplate: {{spec: {{template: {{metadata: {{labels: {{a: b}}}}, spec: {pod}}}}}}}}}"
            ),
        ),
    ] {
        let version = if kind == "Pod" { "v1" } else { "apps/v1" };
        let text = format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: w, labels: {{a: b}}}}\nspec: {spec}\n"
        );
        let fragment = read(&text);
        let [workload] = fragment.workloads.as_slice() else { panic!("{kind}") };
        assert_eq!(workload.pod.containers[0].name.value, "c");
        assert_eq!(workload.pod_labels[0].value.value, "b", "{kind}");
        assert_eq!(slice(&text, workload.pod.containers[0].image.as_ref().unwrap().span), "nginx:1");
    }
}

#[test]
fn lists_and_streams_are_unfolded() {
    let item = |name: &str| format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}");
    let text = format!(
        "apiVersion: v1\nkind: List\nitems: [{}, {{apiVersion: v1, kind: NamespaceList, metadata: {{}}, items: [{}]}}]\n---\n# Source: x\n{}\n",
        item("a"),
        item("b"),
        item("c")
    );
    let names: Vec<String> =
        read(&text).namespaces.into_iter().map(|namespace| namespace.name.value).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn secrets_are_decoded_and_their_values_never_shown() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: n}\ntype: kubernetes.io/tls\ndata:\n  a: aGVs\n    bG8=\n  b: '%%'\n  c: |\n    aGVs\n    bG8=\nstringData:\n  c: over\n  pem: |\n    one\n    two\n";
    let fragment = read(text);
    let secret = &fragment.secrets[0];
    let value = |key: &str| {
        let datum = secret.data.iter().find(|datum| datum.key.value == key).unwrap();
        datum
            .value
            .as_ref()
            .map(|text| String::from_utf8(text.bytes().to_vec()).unwrap())
            .map_err(Clone::clone)
    };
    // a plain scalar over two lines has a space in it, which is not base64
    assert!(value("a").is_err());
    assert_eq!(value("c"), Ok("over".to_owned()));
    assert_eq!(value("pem"), Ok("one\ntwo\n".to_owned()));
    let undecodable = fragment.refusals.iter().filter(|refusal| refusal.rule == "undecodable-secret");
    let places: Vec<&str> = undecodable.map(|refusal| slice(text, refusal.labels[1].span)).collect();
    assert_eq!(places, ["aGVs\n    bG8=", "%%"]);
    let debug = format!("{secret:?}");
    assert!(!debug.contains("over") && !debug.contains("111, 118"), "{debug}");
}

#[test]
fn pem_in_a_secret_maps_to_its_lines() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  pem: |\n    one\n    two\n";
    let fragment = read(text);
    let pem = fragment.secrets[0].data[0].value.as_ref().unwrap();
    assert_eq!(slice(text, pem.span(4..7)), "two");
}

#[test]
fn what_config_maps_cannot_hold_is_said() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a: 1\n  b: {c: d}\n  e: on\n  f: text\nbinaryData: {g: aGk=}\n";
    let fragment = read(text);
    let places: Vec<&str> = fragment.problems.iter().map(|problem| slice(text, problem.span)).collect();
    assert_eq!(places, ["1", "{c: d}", "on"]);
    assert_eq!(fragment.config_maps[0].data.len(), 5);
}

#[test]
fn volumes_mounts_environment_and_probes_are_read() {
    let text = r#"
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
    - name: c
      command: [etcd]
      args: ["--name=$(NAME)", 5]
      env:
        - {name: A, value: "1"}
        - {name: B}
        - name: C
          valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}
        - name: D
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
      envFrom:
        - {prefix: P_, configMapRef: {name: cm}}
      ports: [{containerPort: 2379, name: client}, {containerPort: 53, protocol: UDP}]
      volumeMounts:
        - {name: v, mountPath: /a, subPath: x}
      livenessProbe: {httpGet: {scheme: HTTPS, port: client, path: /health}}
  volumes:
    - {name: v, secret: {secretName: s, defaultMode: 0400, items: [{key: a, path: b/c, mode: 256}]}}
    - {name: w, projected: {sources: [{secret: {name: s}}, {configMap: {name: cm}}, {serviceAccountToken: {path: t}}]}}
    - {name: x, csi: {driver: csi.cert-manager.io, volumeAttributes: {csi.cert-manager.io/issuer-name: i}}}
    - {name: y, emptyDir: {}}
    - {name: z, persistentVolumeClaim: {claimName: q}}
"#;
    let fragment = read(text);
    let pod = &fragment.workloads[0].pod;
    let container = &pod.containers[0];
    assert_eq!(container.args[1].value, "5");
    assert_eq!(container.ports.iter().map(|port| port.tcp).collect::<Vec<_>>(), [true, false]);
    assert!(matches!(&container.env[2].value, EnvironmentValue::SecretKey(key) if key.optional));
    assert_eq!(container.env_from[0].prefix, "P_");
    assert!(
        matches!(&container.probes[0].action, ProbeAction::Http { https: Some(https), .. } if https.value)
    );
    let VolumeSource::Secret(keys) = &pod.volumes[0].source else { panic!() };
    assert_eq!((keys.mode, keys.items.as_ref().unwrap()[0].path.value.as_str()), (Some(0o400), "b/c"));
    assert!(matches!(&pod.volumes[1].source, VolumeSource::Projected { sources, .. } if sources.len() == 3));
    assert!(
        matches!(&pod.volumes[2].source, VolumeSource::CertManager { attributes } if attributes.len() == 1)
    );
    assert!(matches!(&pod.volumes[3].source, VolumeSource::EmptyDir));
    assert!(matches!(&pod.volumes[4].source, VolumeSource::Other(kind) if kind == "persistentVolumeClaim"));
}
