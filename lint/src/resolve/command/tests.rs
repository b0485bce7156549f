use super::*;
use crate::assume::Assume;
use crate::deployment::{Missing, Stack, Version};
use crate::resolve::machine::{Files, Index};
use crate::source::{FileId, Sources};
use crate::syntax::command::parse;

const NETWORK: &[(&str, &str)] =
    &[("ca.pem", "CA"), ("c.pem", "CERTIFICATE"), ("k.pem", "KEY"), ("rc", "url = \"https://in.rc/\"\n")];

fn secret(namespace: &str, name: &str, key: &str) -> Lookup<Content> {
    match (namespace, name, key) {
        ("tls", "curl", "tls.crt") => Lookup::Found(Content::Empty),
        ("tls", "curl", key) => {
            Lookup::Missing(Missing { rule: "missing-key", message: format!("no {key}"), labels: Vec::new() })
        }
        _ => Lookup::Unseen("no such Secret among the sources".to_owned()),
    }
}

fn linked(line: &str, assume: &Assume) -> (Vec<Program>, Vec<String>) {
    let mut sources = Sources::default();
    for (path, text) in NETWORK {
        sources.add(*path, *text);
    }
    // SEQUENCE { SEQUENCE {}, SEQUENCE { OCTET STRING } } and SEQUENCE { 0, SEQUENCE { OCTET STRING } }, as far as they are looked at
    sources.add("c.der", [0x30, 0x07, 0x30, 0x00, 0x30, 0x03, 0x04, 0x01, 0xff]);
    sources.add("k.der", [0x30, 0x08, 0x02, 0x01, 0x00, 0x30, 0x03, 0x04, 0x01, 0xff]);
    sources.root = true;
    let machine = Machine { name: String::new(), files: Files::Root };
    let world = World {
        index: Index::new(&sources),
        assume,
        machines: vec![machine],
        apisix_objects: Default::default(),
    };
    let mut notes = Notes::default();
    let document = parse(&Text::excerpt(FileId(9), 0, line));
    let programs = link(&world, 0, &document, &secret, &mut notes);
    (programs, notes.incomplete.into_iter().map(|incomplete| incomplete.message).collect())
}

fn program(line: &str) -> Program {
    let (mut programs, incomplete) = linked(line, &Assume::default());
    assert_eq!(incomplete, Vec::<String>::new(), "{line}");
    assert_eq!(programs.len(), 1, "{line}");
    programs.remove(0)
}

fn only(line: &str) -> Dialer {
    let mut program = program(line);
    assert_eq!(program.refusals, [], "{line}");
    assert_eq!(program.dialers.len(), 1, "{line}");
    program.dialers.remove(0)
}

fn tls(line: &str) -> ClientTls {
    only(line).tls.unwrap_or_else(|| panic!("{line} is plaintext"))
}

#[test]
fn names_go_where_each_client_sends_them() {
    for (line, server_name, reference) in [
        ("curl https://srv.test:1/", Some("srv.test"), Some("srv.test")),
        ("curl https://srv.test.:1/", Some("srv.test"), Some("srv.test")),
        ("curl https://127.0.0.1:1/", None, Some("127.0.0.1")),
        ("curl https://[::1]:1/", None, Some("::1")),
        ("curl -k https://srv.test/", Some("srv.test"), None),
        ("curl --connect-to ::other:1 https://srv.test/", Some("srv.test"), Some("srv.test")),
        ("curl -H 'Host: other' https://srv.test/", Some("srv.test"), Some("srv.test")),
        ("etcdctl --endpoints https://a:1 get x", Some("a"), Some("a")),
        ("etcdctl --endpoints a:1 --cacert /ca.pem get x", Some("a"), Some("a")),
        ("etcdctl --endpoints https://127.0.0.1:1 get x", None, Some("127.0.0.1")),
        ("etcdctl --endpoints a:1 --cacert /ca.pem --insecure-skip-tls-verify get x", Some("a"), None),
        ("openssl s_client -connect a:1", Some("a"), None),
        ("openssl s_client -connect 127.0.0.1:1", None, None),
        ("openssl s_client -connect 127.0.0.1:1 -servername b", Some("b"), None),
        ("openssl s_client -connect a:1 -noservername -verify_hostname c", None, Some("c")),
        ("openssl s_client -connect a:1 -verify_ip 127.0.0.1", Some("a"), Some("127.0.0.1")),
    ] {
        let tls = tls(line);
        let compared = tls.reference.as_ref().map(|name| name.value.as_str());
        assert_eq!((tls.server_name.as_deref(), compared), (server_name, reference), "{line}");
    }
}

#[test]
fn tls_is_spoken_where_scheme_or_files_ask_for_it() {
    for (line, expected, url) in [
        ("curl http://a/", false, "http://a/"),
        ("curl a", false, "http://a"),
        ("curl https://a", true, "https://a"),
        ("etcdctl get x", false, "http://127.0.0.1:2379"),
        ("etcdctl --cacert /ca.pem get x", true, "https://127.0.0.1:2379"),
        ("etcdctl --endpoints http://a:1 --cacert /ca.pem get x", false, "http://a:1"),
        ("etcdctl --insecure-transport=false get x", true, "https://127.0.0.1:2379"),
        ("openssl s_client -connect a:1", true, "https://a:1"),
    ] {
        let dialer = only(line);
        assert_eq!((dialer.tls.is_some(), dialer.target.url.as_str()), (expected, url), "{line}");
    }
}

#[test]
fn the_first_endpoint_decides_for_all() {
    let program = program("etcdctl --endpoints https://a:1,b:2,http://c:3 get x");
    let spoken: Vec<_> = program
        .dialers
        .iter()
        .map(|dialer| (dialer.target.host.value.as_str(), dialer.tls.is_some()))
        .collect();
    assert_eq!(spoken, [("a", true), ("b", true), ("c", true)]);
}

#[test]
fn files_are_those_of_the_machine_or_keys_of_secrets() {
    let found = |tls: &ClientTls| {
        let credential = tls.credential.as_ref().unwrap();
        [Some(&credential.certificate), credential.key.as_ref()].map(|file| {
            match file.map(|file| &file.content) {
                Some(Lookup::Found(_)) => "found",
                Some(Lookup::Missing(_)) => "missing",
                Some(Lookup::Unseen(_)) => "unseen",
                None => "none",
            }
        })
    };
    for (line, expected) in [
        ("curl --cert /c.pem --key /k.pem https://a", ["found", "found"]),
        ("curl --cert /c.pem https://a", ["found", "found"]),
        ("curl --cert /c.pem --key /no.pem https://a", ["found", "missing"]),
        ("curl --cert k8s:tls/curl/tls.crt --key k8s:tls/curl/tls.key https://a", ["found", "missing"]),
        ("curl --cert k8s:a/b/c --key k8s:a https://a", ["unseen", "unseen"]),
        ("curl --cert <(make cert) --key /k.pem https://a", ["unseen", "found"]),
        ("etcdctl --endpoints https://a:1 --cert /c.pem --key /k.pem get x", ["found", "found"]),
        ("openssl s_client -connect a:1 -cert /c.pem", ["found", "found"]),
    ] {
        assert_eq!(found(&tls(line)), expected, "{line}");
    }
}

#[test]
fn trust_is_what_is_given_or_the_systems() {
    for (line, own) in [
        ("curl --cacert /ca.pem https://a", true),
        ("curl https://a", false),
        ("SSL_CERT_FILE=/ca.pem curl https://a", true),
        ("etcdctl --endpoints https://a:1 --cacert /ca.pem get x", true),
        ("etcdctl --endpoints https://a:1 get x", false),
        ("openssl s_client -connect a:1 -CAfile /ca.pem", true),
        ("openssl s_client -connect a:1", false),
    ] {
        let trust = tls(line).trust;
        assert_eq!(matches!(trust.as_slice(), [Trust::File { .. }]), own, "{line}");
        assert_eq!(matches!(trust.as_slice(), [Trust::System(_)]), !own, "{line}");
    }
}

#[test]
fn s_client_prints_failures_and_sends_one_certificate_unless_told_otherwise() {
    for (options, tolerates, one) in [
        ("", true, true),
        ("-verify 3", true, true),
        ("-verify_return_error", false, true),
        ("-cert /c.pem -cert_chain /c.pem", true, false),
        ("-cert /c.pem", true, true),
    ] {
        let tls = tls(&format!("openssl s_client -connect a:1 {options}"));
        assert_eq!((tls.tolerates_failure, tls.sends_end_entity_only), (tolerates, one), "{options}");
    }
    assert!(!tls("curl https://a").sends_end_entity_only);
    assert_eq!(only("openssl s_client -connect a:1 -cert /c.pem -cert_chain /k.pem").unseen.len(), 1);
}

#[test]
fn versions_are_bounded_by_options() {
    use Protocol::{Tls10, Tls11, Tls12, Tls13};
    for (line, expected) in [
        ("curl https://a", vec![Tls10, Tls11, Tls12, Tls13]),
        ("curl --tlsv1.2 https://a", vec![Tls12, Tls13]),
        ("curl --tlsv1.3 https://a", vec![Tls13]),
        ("curl --tls-max 1.1 https://a", vec![Tls10, Tls11]),
        ("etcdctl --endpoints https://a:1 get x", vec![Tls12, Tls13]),
        ("openssl s_client -connect a:1 -tls1_2", vec![Tls12]),
        ("openssl s_client -connect a:1 -no_tls1_3 -min_protocol TLSv1.1", vec![Tls11, Tls12]),
    ] {
        assert_eq!(tls(line).protocols.value().versions, expected, "{line}");
    }
}

#[test]
fn requests_are_what_the_server_will_see() {
    for (line, method, host, path) in [
        ("curl https://a:1/x?y", "GET", "a:1", "/x?y"),
        ("curl -H 'Host: b' -d z https://a", "POST", "b", "/"),
        ("openssl s_client -connect 127.0.0.1:1 -servername b", "GET", "b", "/"),
        ("openssl s_client -connect a:1", "GET", "a", "/"),
    ] {
        let request = only(line).request.unwrap();
        assert_eq!(
            (request.method.as_str(), request.host.as_str(), request.path.as_str()),
            (method, host, path),
            "{line}"
        );
    }
    assert_eq!(only("etcdctl get x").request, None);
    // a key that is not seen may be the right one
    assert_eq!(only("curl -H \"X-API-KEY: $KEY\" https://a").request, None);
}

#[test]
fn versions_come_from_what_is_assumed() {
    let assume = Assume::parse(&["curl=7.88.1", "openssl=3.0", "openssl-seclevel=1"]).unwrap();
    let (programs, _) = linked("curl https://a", &assume);
    assert_eq!(programs[0].versions.program, Version(7, 88, 1));
    assert_eq!(programs[0].versions.stack, Stack::OpenSsl { version: Version(3, 0, 0), security_level: 1 });
    assert_eq!(program("openssl s_client").versions.program, Version(3, 5, 0));
    assert_eq!(program("curl https://a").versions.program, Version(8, 14, 1));
}

#[test]
fn several_commands_are_several_programs() {
    let (programs, _) = linked(
        "curl https://a && etcdctl get x; echo done | openssl s_client -connect b:1",
        &Assume::default(),
    );
    let kinds: Vec<_> = programs.iter().map(|program| program.kind.name()).collect();
    assert_eq!(kinds, ["curl", "etcdctl", "openssl"]);
}

#[test]
fn whom_a_client_dials_is_not_known_where_a_part_of_it_is_not() {
    for (line, known) in [
        ("curl https://a.svc/", true),
        ("curl https://$h.svc/", false),
        ("curl \"https://$(hostname).svc/\"", false),
        ("curl https://etcd-$((1+1)).svc/", false),
        ("curl 'https://etcd-[0-2].svc/'", false),
        ("curl 'https://{a,b}.svc/'", false),
        ("curl -g 'https://{a,b}.svc/'", true),
        ("curl 'https://a.svc/{a,b}'", true),
        ("curl 'https://[::1]/'", true),
        ("curl --resolve a.svc:443:$ip https://a.svc/", false),
        ("curl --connect-to ::$h.svc:443 https://a.svc/", false),
        ("etcdctl --endpoints=https://a.svc:1 get x", true),
        ("etcdctl --endpoints=https://${HOSTNAME}.svc:1 get x", false),
        ("etcdctl --endpoints=https://etcd-$?.svc:1 get x", false),
        ("etcdctl --endpoints=https://etcd-{0,1}.svc:1 get x", false),
        ("etcdctl --endpoints=https://etcd-{0..1}.svc:1 get x", false),
        ("etcdctl --endpoints='https://etcd-{0,1}.svc:1' get x", true),
        ("openssl s_client -connect a.svc:1", true),
        ("openssl s_client -connect $h.svc:1", false),
        ("openssl s_client -host $h -port 1", false),
        ("openssl s_client -host a.svc -port https", false),
    ] {
        let dialers = program(line).dialers;
        assert!(!dialers.is_empty(), "{line}");
        for dialer in dialers {
            assert_eq!(dialer.unseen_target.is_none(), known, "{line}");
            assert!(known || !dialer.unseen.is_empty(), "{line}");
        }
    }
    // a range of letters looks like a broken address
    assert_eq!(program("curl 'https://[a-c].svc/'").unseen.len(), 1);
}

#[test]
fn a_value_that_is_not_known_leaves_the_connection_undetermined() {
    for line in [
        "openssl s_client -connect a:1 -servername $h",
        "openssl s_client -connect a:1 -verify_hostname $h",
        "openssl s_client -connect a:1 -cipher $c",
        "etcdctl --endpoints=https://a:1 --insecure-skip-tls-verify=$skip get x",
    ] {
        assert_eq!(only(line).unseen.len(), 1, "{line}");
    }
}

#[test]
fn files_are_of_the_type_that_a_client_is_told() {
    let shown = |content: &Lookup<Content>| match content {
        Lookup::Found(Content::Bytes(text)) => {
            text.as_str().ok().and_then(|text| text.lines().next()).unwrap_or_default().to_owned()
        }
        Lookup::Unseen(why) => why.clone(),
        other => format!("{other:?}"),
    };
    let pem = "-----BEGIN CERTIFICATE-----";
    let pkcs8 = "-----BEGIN PRIVATE KEY-----";
    for (line, certificate, key, unseen) in [
        ("curl --cert-type DER --cert /c.der --key /k.pem https://a", pem, "KEY", 0),
        ("curl --cert /c.der --cert-type der --key /k.der --key-type DER https://a", pem, pkcs8, 0),
        ("curl --cert /c.pem --cert-type PEM https://a", "CERTIFICATE", "CERTIFICATE", 0),
        (
            "curl --cert /c.pem --cert-type DER --key /k.pem https://a",
            "/c.pem is read as DER, and what it holds is not known here",
            "KEY",
            0,
        ),
        (
            "curl --cert /c.der --cert-type P12 https://a",
            "files of type P12 are not read",
            "files of type P12 are not read",
            1,
        ),
        ("openssl s_client -connect a:1 -cert /c.der -key /k.der", pem, pkcs8, 0),
    ] {
        let dialer = only(line);
        assert_eq!(dialer.unseen.len(), unseen, "{line}");
        let credential = dialer.tls.and_then(|tls| tls.credential).unwrap();
        let files = [&credential.certificate, credential.key.as_ref().unwrap()];
        assert_eq!(files.map(|file| shown(&file.content)), [certificate, key], "{line}");
    }
}

#[test]
fn a_configuration_file_of_curl_is_read_from_the_machine() {
    assert_eq!(only("curl -K /rc").target.url, "https://in.rc/");
    let missing = program("curl -K /none https://a");
    assert_eq!(missing.refusals[0].log.as_deref(), Some("curl: cannot read config from '/none'"));
}

#[test]
fn what_cannot_be_taken_says_what_to_write() {
    for (line, part) in [
        ("wget https://a", "wget is no command that is read here; write curl"),
        ("", "there is no command; write curl"),
        ("curl 'https://a", "this single quote is not closed"),
        ("etcdctl snapshot restore /b", "etcdctl opens no connection for this"),
    ] {
        let (programs, incomplete) = linked(line, &Assume::default());
        assert_eq!(programs.len(), 0, "{line}");
        assert!(incomplete[0].contains(part), "{line}: {incomplete:?}");
    }
}

#[test]
fn what_may_hold_options_is_not_refused() {
    for line in [
        "etcdctl --endpoints https://a:1 --cert /c.pem $KEY get x",
        "etcdctl --endpoints $ENDPOINTS get x",
        "curl $OPTIONS",
        "curl \"$URL\"",
    ] {
        let program = program(line);
        assert_eq!(program.refusals, [], "{line}");
        let unseen = program.dialers.iter().flat_map(|dialer| &dialer.unseen).chain(&program.unseen);
        assert!(unseen.count() > 0, "{line}");
    }
}

/// The clients of a container that mounts the Secret `tls` at /tls: kind and URL, `?` where something is not seen, and
/// whether there are trust and certificate.
fn contained(container: &str) -> String {
    let manifest = format!(
        r"
apiVersion: v1
kind: Secret
metadata: {{name: tls, namespace: n}}
stringData: {{ca.crt: CA, tls.crt: C, tls.key: K, run.sh: 'curl https://from.script/'}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: j, namespace: n}}
spec:
  template:
    spec:
      containers:
        - name: c
          volumeMounts: [{{name: tls, mountPath: /tls}}]
{container}
      volumes: [{{name: tls, secret: {{secretName: tls}}}}]
"
    );
    let mut sources = Sources::default();
    sources.add("job.yaml", manifest.as_bytes());
    let linked = crate::resolve::link(&sources, &Assume::default(), None);
    assert!(linked.incomplete.is_empty(), "{:?}", linked.incomplete);
    let shown = linked.deployment.programs.iter().flat_map(|program| {
        let doubt = |dialer: Option<&Dialer>| {
            let unseen = dialer.is_some_and(|dialer| !dialer.unseen.is_empty());
            if unseen || !program.unseen.is_empty() { "?" } else { "" }
        };
        let told = |dialer: &Dialer| {
            let tls = dialer.tls.as_ref();
            let found = |file: &FileRef| file.content.found().is_some();
            let trust = tls.is_some_and(|tls| {
                tls.trust.iter().any(|trust| matches!(trust, Trust::File { file, .. } if found(file)))
            });
            let own = tls.and_then(|tls| tls.credential.as_ref());
            let own = own.is_some_and(|own| found(&own.certificate));
            let (trust, own) = (if trust { " trust" } else { "" }, if own { " own" } else { "" });
            format!("{} {}{}{trust}{own}", program.kind.name(), dialer.target.url, doubt(Some(dialer)))
        };
        let none = program.dialers.is_empty().then(|| format!("{}{}", program.kind.name(), doubt(None)));
        program.dialers.iter().map(told).chain(none).collect::<Vec<_>>()
    });
    shown.collect::<Vec<_>>().join("; ")
}

#[test]
fn a_container_runs_clients_with_its_files_and_environment() {
    let etcd = "image: quay.io/coreos/etcd:v3.5.16";
    for (fields, expected) in [
        (
            format!("{etcd}, command: [etcdctl, --endpoints=https://a:1, --cacert=/tls/ca.crt, snapshot, save, /b]"),
            "etcdctl https://a:1 trust",
        ),
        // the kubelet fills in variables, the shell its own
        (
            format!("{etcd}, env: [{{name: E, value: 'https://a:1'}}], command: [etcdctl, --endpoints=$(E), get, x]"),
            "etcdctl https://a:1",
        ),
        (
            format!("{etcd}, env: [{{name: ETCDCTL_CACERT, value: /tls/ca.crt}}], command: [sh, -ec, 'etcdctl --endpoints https://a:1 --cert=/tls/tls.crt --key=/tls/tls.key get x']"),
            "etcdctl https://a:1 trust own",
        ),
        (
            format!("{etcd}, command: [bash, -euo, pipefail, -c], args: ['D=/tls; curl --cacert $D/ca.crt https://a/']"),
            "curl https://a/ trust",
        ),
        (format!("{etcd}, command: [sh, /tls/run.sh]"), "curl https://from.script/"),
        (format!("{etcd}, command: [tini, --, curl, -k, 'https://a/']"), "curl https://a/"),
        ("image: curlimages/curl:8.14.1, args: [-k, 'https://a/']".to_owned(), "curl https://a/"),
        (
            "image: example.test/a:1, command: [sh, -c, 'openssl s_client -connect a:1 -CAfile /tls/ca.crt </dev/null']"
                .to_owned(),
            "openssl https://a:1 trust",
        ),
        // what is a Secret's, set elsewhere or made by a command is not known
        (
            format!("{etcd}, env: [{{name: E, valueFrom: {{secretKeyRef: {{name: tls, key: ca.crt}}}}}}], command: [etcdctl, --endpoints=$(E), get, x]"),
            "etcdctl http://$(E):80?",
        ),
        (format!("{etcd}, command: [sh, -c, 'curl \"$URL\"']"), "curl http://$URL?"),
        (
            format!("{etcd}, envFrom: [{{secretRef: {{name: elsewhere}}}}], command: [etcdctl, --endpoints=https://a:1, get, x]"),
            "etcdctl https://a:1?",
        ),
        // an image of one's own may bring variables, and relative paths count from a folder of it
        (
            "image: example.test/backup:1, command: [etcdctl, --endpoints=https://a:1, get, x]".to_owned(),
            "etcdctl https://a:1?",
        ),
        (format!("{etcd}, command: [sh, -c, 'curl --cacert tls/ca.crt https://a/']"), "curl https://a/"),
        // nothing is dialled, or it is not certain
        (format!("{etcd}, command: [sh, -c, 'etcdctl snapshot restore /b']"), ""),
        (format!("{etcd}, command: [sh, -c, 'test -n x && curl https://a/']"), ""),
        (format!("{etcd}, command: [sh, -c, 'curl \"https://a/']"), ""),
        (format!("{etcd}, command: [/entry.sh, curl, 'https://a/']"), ""),
    ] {
        assert_eq!(contained(&format!("          {}", fields.replace(", command", "\n          command").replace(", args", "\n          args").replace(", env", "\n          env"))), expected, "{fields}");
    }
}

#[test]
fn a_probe_that_is_a_command_is_a_probe() {
    let probe = |command: &str| {
        contained(&format!(
            "          image: example.test/a:1\n          livenessProbe: {{exec: {{command: {command}}}}}"
        ))
    };
    assert_eq!(probe("[curl, -k, 'https://127.0.0.1/']"), "curl https://127.0.0.1/");
    assert_eq!(probe("[sh, -c, 'curl -k https://127.0.0.1/ || exit 1']"), "curl https://127.0.0.1/");
}
