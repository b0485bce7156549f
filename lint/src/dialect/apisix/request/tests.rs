use sha2::{Digest, Sha256};

use super::*;
use crate::deployment::{Content, FileRef, Gate, Lookup, PathChecks, Protocols, Setting};
use crate::source::{FileId, Located, Span};

const HERE: Span = Span { file: FileId(0), start: 0, end: 0 };

fn object(names: &[&str], mtls: bool, skip: &[&str]) -> ServerContext {
    let located = |text: &&str| Located::new((*text).to_owned(), HERE);
    let ca = FileRef { path: located(&"ca"), content: Lookup::Found(Content::Empty), mode: None };
    let mode = if mtls { ClientAuthMode::Required } else { ClientAuthMode::Off };
    ServerContext {
        names: names.iter().map(located).collect(),
        credentials: Vec::new(),
        client_auth: ClientAuth {
            mode: Setting::Given(Located::new(mode, HERE)),
            trust: mtls
                .then_some(Trust::File { file: ca, loader: TrustLoader::ApisixClientCa })
                .into_iter()
                .collect(),
            checks: PathChecks::default(),
            skip_paths: skip.iter().map(located).collect(),
        },
        protocols: Setting::Default { value: Protocols::default(), parent: HERE },
        ciphers: None,
        algorithms: crate::deployment::Algorithms::default(),
        rejects_handshake: false,
        refusals: Vec::new(),
        span: HERE,
    }
}

fn listener(contexts: Vec<ServerContext>) -> ListenerTls {
    ListenerTls {
        contexts,
        selection: Selection::Apisix { fallback: None, lists: Vec::new(), complete: true },
    }
}

fn request(host: &str, path: &str) -> Request {
    Request { method: "GET".to_owned(), host: host.to_owned(), path: path.to_owned(), ..Request::default() }
}

/// The status and log, or 200.
fn ask(contexts: Vec<ServerContext>, sni: &str, request: &Request, verify: &ClientVerify) -> (u16, String) {
    let tls = listener(contexts);
    let Selected::Context(index) = tls.select(Some(sni)) else { panic!("{sni} finds no context") };
    match data_plane(&tls, &tls.contexts[index], Some(sni), request, verify) {
        Answer::Passes => (200, String::new()),
        Answer::Refused { status, log, .. } => (status, log),
        Answer::Undetermined(why) => (0, why),
    }
}

#[test]
fn patterns_are_searched_in_the_decoded_path_without_the_query() {
    for (patterns, path, skipped) in [
        (&["/open.*"] as &[&str], "/x/open", true),
        (&["^/open/"], "/x/open/", false),
        (&["^/open/"], "/open/a", true),
        (&["^/open$"], "/open?x=1", true),
        (&["/open"], "/closed?x=/open", false),
        (&["/open"], "/%6fpen", true),
        (&["^/open/a/b$"], "/open/a%2Fb", true),
        (&["^/open/a%2Fb$"], "/open/a%2Fb", false),
        (&["/open"], "/open/../closed", false),
        (&["/open"], "/OPEN", false),
        (&["(?i)/open"], "/OPEN", true),
        (&["/a(", "/open"], "/open", true),
        (&["/a("], "/a(", false),
        (&["*"], "/x", false),
    ] {
        let contexts = vec![object(&["srv.test"], true, patterns)];
        let (status, log) = ask(contexts, "srv.test", &request("srv.test", path), &ClientVerify::None);
        let expected = if skipped { (200, "") } else { (400, "client certificate was not present") };
        assert_eq!((status, log.as_str()), expected, "{patterns:?} {path}");
    }
}

#[test]
fn a_pattern_beyond_this_engine_leaves_the_answer_open_unless_another_matches() {
    let ask_for = |patterns: &[&str]| {
        let contexts = vec![object(&["srv.test"], true, patterns)];
        ask(contexts, "srv.test", &request("srv.test", "/open"), &ClientVerify::None).0
    };
    assert_eq!(ask_for(&["^/(?!closed)"]), 0);
    assert_eq!(ask_for(&["^/(?!closed)", "open"]), 200);
}

#[test]
fn a_bad_certificate_is_refused_where_the_path_is_not_skipped() {
    let failed = ClientVerify::Failed("unable to verify the first certificate".to_owned());
    for (path, verify, status) in
        [("/open/a", &failed, 200), ("/closed", &failed, 400), ("/closed", &ClientVerify::Success, 200)]
    {
        let contexts = vec![object(&["srv.test"], true, &["^/open/"])];
        let (got, log) = ask(contexts, "srv.test", &request("srv.test", path), verify);
        assert_eq!(got, status, "{path} {verify:?}");
        if got == 400 {
            assert_eq!(
                log,
                "client certificate verification is not passed: FAILED:unable to verify the first certificate"
            );
        }
    }
}

#[test]
fn the_host_must_be_the_server_name_where_its_object_verifies_clients() {
    let a = || object(&["a.test"], true, &[]);
    let b = || object(&["b.test"], false, &[]);
    let wild = || object(&["*.test"], true, &[]);
    for (contexts, sni, host, status) in [
        (vec![a(), b()], "a.test", "a.test", 200),
        (vec![a(), b()], "a.test", "A.TEST.:9443", 200),
        (vec![a(), b()], "b.test", "a.test", 400),
        (vec![a(), b()], "a.test", "b.test", 200),
        (vec![a(), b()], "b.test", "other.example", 200),
        (vec![a(), b()], "a.test", "127.0.0.1", 200),
        (vec![wild()], "a.test", "b.test", 400),
        (vec![object(&["a.test"], true, &["/open"]), b()], "b.test", "a.test", 400),
    ] {
        let verify = ClientVerify::Success;
        let (got, log) = ask(contexts, sni, &request(host, "/open"), &verify);
        assert_eq!(got, status, "{sni} {host}");
        if got == 400 {
            let host = host_of(host);
            assert_eq!(log, format!("client certificate verified with SNI {sni}, but the host is {host}"));
        }
    }
}

#[test]
fn a_dropped_object_is_blamed_where_its_name_is_asked_for() {
    let refusal = Refusal {
        rule: "refused-object",
        message: "it is broken".to_owned(),
        labels: Vec::new(),
        help: None,
        log: None,
    };
    for (names, server_name, blamed) in [
        (&["srv.test"] as &[&str], Some("srv.test"), true),
        (&["srv.test"], Some("other.test"), false),
        (&["*.test"], Some("srv.test"), true),
        (&[], Some("srv.test"), true),
        (&["s*.test"], Some("srv.test"), true),
        (&["srv.test"], None, false),
    ] {
        let mut broken = object(names, false, &[]);
        broken.refusals.push(refusal.clone());
        let tls = listener(vec![broken]);
        assert_eq!(dropped_object(&tls, server_name).is_some(), blamed, "{names:?} {server_name:?}");
    }
}

#[test]
fn a_path_is_resolved_as_nginx_does() {
    for (path, want) in [
        ("/", "/"),
        ("", "/"),
        ("/a/./b/../c", "/a/c"),
        ("//a///b/", "/a/b/"),
        ("/a/..", "/"),
        ("/../a", "/a"),
        ("/a%2e", "/a."),
        ("/a%zz", "/a%zz"),
    ] {
        assert_eq!(normalised(path), want, "{path}");
    }
}

fn admin(allow: &[&str], keys: Option<&[&str]>, unseen: bool, required: bool) -> Gate {
    Gate::ApisixAdmin {
        allow: Setting::Given(Located::new(allow.iter().map(|net| (*net).to_owned()).collect(), HERE)),
        keys: keys.map(|keys| keys.iter().map(|key| Sha256::digest(key.as_bytes()).into()).collect()),
        shipped_keys: false,
        keys_unseen: unseen.then(|| "Secret keys is not among the sources".to_owned()),
        key_required: required,
    }
}

#[test]
fn the_admin_api_looks_at_the_address_then_at_the_key() {
    let local = &["127.0.0.0/24"] as &[&str];
    let any = &["0.0.0.0/0"] as &[&str];
    let keys = Some(&["right"] as &[&str]);
    for (gate, from, key, status) in [
        (admin(local, keys, false, true), Some("127.0.0.1"), Some("right"), 200),
        (admin(local, keys, false, true), Some("127.0.0.1"), Some("wrong"), 401),
        (admin(local, keys, false, true), Some("127.0.0.1"), None, 401),
        (admin(local, keys, false, true), Some("127.0.1.1"), Some("right"), 403),
        (admin(&["10.0.0.0/8"], keys, false, true), Some("127.0.0.1"), Some("right"), 403),
        (admin(&["127.0.0.1"], keys, false, true), Some("127.0.0.1"), Some("right"), 200),
        (admin(local, keys, false, true), None, Some("right"), 0),
        (admin(any, keys, false, true), None, Some("right"), 200),
        (admin(any, keys, false, true), Some("::1"), Some("right"), 403),
        (admin(&["::/0"], keys, false, true), Some("::1"), Some("right"), 200),
        (admin(local, None, false, true), Some("127.0.0.1"), Some("right"), 401),
        (admin(local, Some(&[]), true, true), Some("127.0.0.1"), Some("right"), 0),
        (admin(local, None, false, false), Some("127.0.0.1"), None, 200),
    ] {
        let mut request = request("admin", "/apisix/admin/routes");
        request.from = from.map(|address| address.parse().unwrap());
        request.headers = key.map(|key| ("x-api-key".to_owned(), key.to_owned())).into_iter().collect();
        let got = match admin_api(&gate, &request) {
            Answer::Passes => 200,
            Answer::Refused { status, .. } => status,
            Answer::Undetermined(_) => 0,
        };
        assert_eq!(got, status, "{gate:?} {from:?} {key:?}");
    }
}

#[test]
fn a_request_without_key_passes_where_only_shipped_keys_are_in_force() {
    for (shipped, key, status) in [(true, None, 200), (false, None, 401), (true, Some("wrong"), 401)] {
        let mut gate = admin(&["0.0.0.0/0"], Some(&["right"]), false, true);
        if let Gate::ApisixAdmin { shipped_keys, .. } = &mut gate {
            *shipped_keys = shipped;
        }
        let mut request = request("admin", "/apisix/admin/routes");
        request.headers = key.map(|key: &str| ("x-api-key".to_owned(), key.to_owned())).into_iter().collect();
        let got = match admin_api(&gate, &request) {
            Answer::Passes => 200,
            Answer::Refused { status, .. } => status,
            Answer::Undetermined(_) => 0,
        };
        assert_eq!(got, status, "{shipped} {key:?}");
    }
}
