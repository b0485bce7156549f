use super::*;
use crate::source::FileId;
use crate::syntax::command::parse;

const FILE: FileId = FileId(0);

fn client(line: &str) -> Client {
    let document = parse(&Text::excerpt(FILE, 0, line));
    assert_eq!(document.problems, [], "{line}");
    let open = |path: &Located<String>| match path.value.as_str() {
        "conf" => Lookup::Found(Text::excerpt(
            FileId(1),
            0,
            "# curl\ncacert = \"/in/conf.pem\"\n-k\nurl: https://conf/\n",
        )),
        other => Lookup::Unseen(format!("{other} is not here")),
    };
    document.commands.iter().find_map(|command| read(command, &open)).unwrap_or_else(|| panic!("{line}"))
}

fn curl(line: &str) -> Curl {
    match client(line) {
        Client::Curl(curl) => *curl,
        other => panic!("{line}: {other:?}"),
    }
}

fn only(line: &str) -> Transfer {
    let mut read = curl(line);
    assert_eq!(read.refusals, [], "{line}");
    assert_eq!(read.transfers.len(), 1, "{line}");
    read.transfers.remove(0)
}

fn etcdctl(line: &str) -> Etcdctl {
    match client(line) {
        Client::Etcdctl(etcdctl) => *etcdctl,
        other => panic!("{line}: {other:?}"),
    }
}

fn s_client(line: &str) -> SClient {
    match client(line) {
        Client::Openssl(s_client) => *s_client,
        other => panic!("{line}: {other:?}"),
    }
}

fn shown(argument: &Option<Argument>) -> Option<&str> {
    argument.as_ref().map(|argument| argument.text.value.as_str())
}

fn log(refusals: &[Refusal]) -> Vec<&str> {
    refusals.iter().filter_map(|refusal| refusal.log.as_deref()).collect()
}

#[test]
fn curl_is_given_files_and_a_url() {
    let transfer = only(
        "curl -sS -v --http1.1 --max-time 6 --cacert /etc/client/server-ca.pem --cert /etc/client/client.pem \
         --key /etc/client/client.key https://srv.example.test:8443/",
    );
    let options = &transfer.options;
    assert_eq!(shown(&options.cacert), Some("/etc/client/server-ca.pem"));
    assert_eq!(shown(&options.cert), Some("/etc/client/client.pem"));
    assert_eq!(shown(&options.key), Some("/etc/client/client.key"));
    assert_eq!((transfer.url.host.as_str(), transfer.port()), ("srv.example.test", 8443));
    assert_eq!((transfer.method().as_str(), transfer.path().as_str()), ("GET", "/"));
    assert_eq!(transfer.host(), "srv.example.test:8443");
    assert_eq!(options.insecure, None);
    assert_eq!(options.unseen, Vec::<String>::new());
}

#[test]
fn the_articles_line_works_as_pasted() {
    let transfer = only(
        "curl --resolve 'admin:32180:127.0.0.1' https://admin:32180/apisix/admin/routes \\        #1\n     \
         --cert =(kubectl get secret curl-secret -n tls -o jsonpath='{ .data.tls\\.crt }' | base64 -d) \\  #2\n     \
         --key =(kubectl get secret curl-secret -n tls -o jsonpath='{ .data.tls\\.key }' | base64 -d) \\   #2\n     \
         --cacert =(kubectl get secret curl-secret -n tls -o jsonpath='{ .data.ca\\.crt }' | base64 -d) \\ #2\n     \
         -H 'X-API-KEY: edd1c9f034335f136f87ad84b625c8f1'\n",
    );
    let options = &transfer.options;
    assert_eq!(shown(&options.cert), Some("k8s:tls/curl-secret/tls.crt"));
    assert_eq!(shown(&options.key), Some("k8s:tls/curl-secret/tls.key"));
    assert_eq!(shown(&options.cacert), Some("k8s:tls/curl-secret/ca.crt"));
    assert_eq!(transfer.connect_to(), Some(("127.0.0.1".to_owned(), 32180)));
    assert_eq!(options.headers[0].0, "x-api-key");
    assert_eq!(options.unseen, Vec::<String>::new());
}

#[test]
fn curls_options_are_taken_as_curl_takes_them() {
    type Check = fn(&Transfer) -> bool;
    let cases: &[(&str, Check)] = &[
        ("curl -kE c.pem:pw https://a/", |t| {
            t.options.insecure.is_some()
                && shown(&t.options.cert) == Some("c.pem")
                && shown(&t.options.passphrase) == Some("pw")
        }),
        ("curl -Ec\\\\:d.pem https://a/", |t| shown(&t.options.cert) == Some("c\\:d.pem")),
        ("curl --insec https://a/", |t| t.options.insecure.is_some()),
        ("curl -k --no-insecure https://a/", |t| t.options.insecure.is_none()),
        ("curl -sSvXPUT https://a/", |t| t.method() == "PUT"),
        ("curl -d x https://a/p", |t| t.method() == "POST" && t.path() == "/p"),
        ("curl -G -d x=1 -d y https://a/p?z", |t| t.method() == "GET" && t.path() == "/p?z&x=1&y"),
        ("curl -I https://a", |t| t.method() == "HEAD" && t.path() == "/"),
        ("curl -T f https://a", |t| t.method() == "PUT"),
        ("curl -H 'Host: b.test' https://a", |t| t.host() == "b.test" && t.url.host == "a"),
        ("curl a:8080/x", |t| t.url.scheme == "http" && t.port() == 8080),
        ("curl --proto-default https a", |t| t.url.scheme == "https" && t.port() == 443),
        ("curl --tlsv1.2 --tls-max 1.2 https://a", |t| {
            let versions = &t.options.versions;
            versions.lowest.as_ref().map(|v| v.value) == Some(Protocol::Tls12)
                && versions.highest.as_ref().map(|v| v.value) == Some(Protocol::Tls12)
        }),
        ("curl --ciphers DEFAULT@SECLEVEL=0 https://a", |t| {
            shown(&t.options.ciphers) == Some("DEFAULT@SECLEVEL=0")
        }),
        ("CURL_CA_BUNDLE=/b.pem curl https://a", |t| shown(&t.options.cacert) == Some("/b.pem")),
        ("SSL_CERT_FILE=/b.pem curl --cacert /c.pem https://a", |t| {
            shown(&t.options.cacert) == Some("/c.pem")
        }),
        ("env SSL_CERT_FILE=/b.pem sudo -u me /usr/bin/curl https://a", |t| {
            shown(&t.options.cacert) == Some("/b.pem")
        }),
        ("curl -K conf", |t| {
            t.url.host == "conf"
                && t.options.insecure.is_some()
                && shown(&t.options.cacert) == Some("/in/conf.pem")
        }),
        ("curl -x http://proxy https://a", |t| t.options.unseen.len() == 1),
        ("https_proxy=http://p NO_PROXY=a curl https://a", |t| t.options.unseen.is_empty()),
        ("http_proxy=http://p curl https://a", |t| t.options.unseen.is_empty()),
        ("curl --capath d https://a", |t| t.options.unseen.len() == 1),
        ("curl --pinnedpubkey x https://a", |t| t.options.unseen.len() == 1),
        ("curl --cert-type P12 --cert c https://a", |t| {
            t.options.unseen == ["files of type P12 are not read"]
        }),
        ("curl --no-such-option https://a", |_| true),
        ("curl https://{a,b}", |t| t.options.unseen.len() == 1),
        ("curl https://[::1]:1/", |t| t.options.unseen.is_empty() && t.url.host == "::1"),
        ("curl --cert =(make-cert) https://a", |t| {
            t.options.cert.as_ref().is_some_and(|c| c.unseen.is_some())
        }),
    ];
    for (line, check) in cases {
        if line.contains("no-such-option") {
            assert_eq!(curl(line).transfers.len(), 0, "{line}");
            continue;
        }
        let transfer = only(line);
        assert!(check(&transfer), "{line}: {transfer:?}");
    }
}

#[test]
fn curl_goes_where_resolve_and_connect_to_lead() {
    for (options, expected) in [
        ("", None),
        ("--resolve a:443:10.0.0.1", Some(("10.0.0.1", 443))),
        ("--resolve A:443:[::1],10.0.0.2", Some(("::1", 443))),
        ("--resolve a:444:10.0.0.1", None),
        ("--resolve *:443:10.0.0.9", Some(("10.0.0.9", 443))),
        ("--resolve *:443:10.0.0.9 --resolve +a:443:10.0.0.1", Some(("10.0.0.1", 443))),
        ("--resolve a:443:10.0.0.1 --resolve -a:443", None),
        ("--connect-to ::b:", Some(("b", 443))),
        ("--connect-to a:443:b:8443", Some(("b", 8443))),
        ("--connect-to ::[::1]:8443", Some(("::1", 8443))),
        ("--connect-to x::b:8443", None),
        ("--connect-to a::b:8443 --resolve b:8443:10.0.0.1", Some(("10.0.0.1", 8443))),
    ] {
        let transfer = only(&format!("curl {options} https://a/"));
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(transfer.connect_to(), expected, "{options}");
    }
}

#[test]
fn next_starts_a_new_group_of_options() {
    let read = curl("curl -k https://a https://b --next --cacert c https://d");
    let seen: Vec<_> = read
        .transfers
        .iter()
        .map(|transfer| (transfer.url.host.as_str(), transfer.options.insecure.is_some()))
        .collect();
    assert_eq!(seen, [("a", true), ("b", true), ("d", false)]);
}

#[test]
fn what_curl_refuses_it_refuses_in_its_words() {
    for (line, expected) in [
        ("curl", "curl: (2) no URL specified"),
        ("curl -k", "curl: (2) no URL specified"),
        ("curl https://a --cacert", "curl: option --cacert: requires parameter"),
        ("curl --cacert=c https://a", "curl: option --cacert=c: is unknown"),
        ("curl --tlsv https://a", "curl: option --tlsv: is ambiguous"),
        ("curl https://a:b/", "curl: (3) URL using bad/illegal format or missing URL"),
    ] {
        assert!(log(&curl(line).refusals).contains(&expected), "{line}: {:?}", curl(line).refusals);
    }
}

#[test]
fn etcdctl_is_told_by_flags_and_variables() {
    let read = etcdctl(
        "ETCDCTL_API=3 ETCDCTL_ENDPOINTS=https://a:2379,b:2380 ETCDCTL_CACERT=/ca etcdctl --cert=/c --key /k get foo \
         --prefix -w json",
    );
    let endpoints: Vec<_> = read.endpoints.iter().map(|endpoint| endpoint.text.value.as_str()).collect();
    assert_eq!(endpoints, ["https://a:2379", "b:2380"]);
    assert_eq!(
        (shown(&read.cacert), shown(&read.cert), shown(&read.key)),
        (Some("/ca"), Some("/c"), Some("/k"))
    );
    assert!(read.configures_tls() && read.verifies());
    assert_eq!(read.refusals, []);
    assert_eq!(etcdctl("etcdctl get x").endpoints[0].text.value, "127.0.0.1:2379");
}

#[test]
fn etcdctl_dials_for_most_subcommands() {
    for (line, local) in [
        ("etcdctl endpoint health", false),
        ("etcdctl snapshot save /b", false),
        ("etcdctl --endpoints=https://a snapshot restore /b --data-dir /d", true),
        ("etcdctl --write-out table snapshot status /b", true),
        ("etcdctl -w table snapshot status /b", true),
        ("etcdctl version", true),
        ("etcdctl get version", false),
        ("etcdctl get --help", true),
    ] {
        assert_eq!(etcdctl(line).is_local, local, "{line}");
    }
}

#[test]
fn etcdctl_skips_verification_only_where_something_else_sets_up_tls() {
    for (flags, tls, verifies) in [
        ("", false, true),
        ("--insecure-skip-tls-verify", false, true),
        ("--insecure-skip-tls-verify --insecure-transport=false", true, false),
        ("--insecure-skip-tls-verify --cacert /ca", true, false),
        ("--insecure-skip-tls-verify=false --cacert /ca", true, true),
        ("--insecure-transport --cacert /ca", true, true),
    ] {
        let read = etcdctl(&format!("etcdctl {flags} get x"));
        assert_eq!((read.configures_tls(), read.verifies()), (tls, verifies), "{flags}");
    }
}

#[test]
fn etcdctl_refuses_halves_and_doubles() {
    for (line, expected) in [
        ("etcdctl --cert /c get x", "KeyFile and CertFile must both be present[key: , cert: /c]"),
        ("etcdctl --key /k get x", "KeyFile and CertFile must both be present[key: /k, cert: ]"),
        (
            "ETCDCTL_CACERT=/a etcdctl --cacert /b get x",
            "is shadowed by corresponding command-line flag (either unset environment variable or disable flag)",
        ),
        ("etcdctl get x --endpoints", "Error: flag needs an argument: --endpoints"),
    ] {
        assert_eq!(log(&etcdctl(line).refusals), [expected], "{line}");
    }
    assert_eq!(etcdctl("ETCDCTL_API=2 etcdctl get x").unseen.len(), 1);
}

#[test]
fn s_client_is_told_whom_to_dial_and_what_to_check() {
    let read = s_client(
        "echo | openssl s_client -connect 127.0.0.1:8443 -CAfile /ca -verify_return_error -servername srv.example.test \
         -verify_hostname srv.example.test -quiet -cert /c -key /k -cipher DEFAULT@SECLEVEL=0 -tls1_2 -cert_chain /c",
    );
    assert_eq!((read.host.text.value.as_str(), read.port), ("127.0.0.1", 8443));
    assert_eq!(shown(&read.server_name), Some("srv.example.test"));
    assert_eq!(shown(&read.verify_hostname), Some("srv.example.test"));
    assert!(read.returns_error.is_some());
    assert_eq!(shown(&read.cert_chain), Some("/c"));
    assert_eq!(read.versions.highest.as_ref().map(|version| version.value), Some(Protocol::Tls12));
    assert_eq!((read.refusals.len(), read.unseen.len()), (0, 0));
}

#[test]
fn s_client_has_its_own_ways_to_say_things() {
    type Check = fn(&SClient) -> bool;
    let cases: &[(&str, Check)] = &[
        ("openssl s_client", |s| s.host.text.value == "localhost" && s.port == 4433 && !s.host_given),
        ("openssl s_client a:1", |s| s.host.text.value == "a" && s.port == 1),
        ("openssl s_client -connect [::1]:1", |s| s.host.text.value == "::1" && s.port == 1),
        ("openssl s_client -host a -port 2", |s| s.host.text.value == "a" && s.port == 2),
        ("openssl s_client --connect=a:1 -noservername", |s| s.host.text.value == "a" && s.no_server_name),
        ("openssl s_client -connect a:1 -no_tls1_3 -no_tls1_1", |s| s.versions.without.len() == 2),
        ("openssl s_client -connect a:1 -min_protocol TLSv1.2", |s| {
            s.versions.lowest.as_ref().map(|v| v.value) == Some(Protocol::Tls12)
        }),
        ("openssl s_client -connect a:1 -verify 5", |s| {
            s.depth.as_ref().map(|depth| depth.value) == Some(5) && s.returns_error.is_none()
        }),
        ("openssl s_client -connect a:1 -partial_chain", |s| s.partial_chain),
        ("openssl s_client -connect a:1 -crl_check -CRL c", |s| s.crl.is_some() && s.unseen.is_empty()),
        ("openssl s_client -connect a:1 -CRL c", |s| s.crl.is_none()),
        ("openssl s_client -starttls smtp -connect a:1", |s| s.unseen.len() == 1 && s.host.text.value == "a"),
        ("openssl s_client -connect a:https", |s| s.unseen.len() == 1),
        ("openssl s_client -alpn h2,http/1.1 -connect a:1", |s| s.unseen.is_empty() && s.port == 1),
        ("openssl s_client -frobnicate -connect a:1", |s| s.unseen.len() == 1 && s.port == 1),
        ("openssl s_client -connect", |s| log(&s.refusals) == ["s_client: Option -connect needs a value"]),
    ];
    for (line, check) in cases {
        let read = s_client(line);
        assert!(check(&read), "{line}: {read:?}");
    }
}

#[test]
fn other_commands_do_not_connect() {
    for line in ["wget https://a", "openssl x509 -in a", "openssl", "sudo", "env A=b", "cat curl"] {
        let document = parse(&Text::excerpt(FILE, 0, line));
        let open = |_: &Located<String>| Lookup::Unseen(String::new());
        assert!(document.commands.iter().all(|command| read(command, &open).is_none()), "{line}");
    }
}

#[test]
fn passwords_and_keys_are_marked() {
    for (line, expected) in [
        ("curl -H 'X-API-KEY: abc' https://a", vec![" abc"]),
        ("curl -H 'Host: abc' -u me:pw https://a", vec!["me:pw"]),
        ("curl --cert c.pem:pw --cert k8s:a/b/c https://a", vec!["pw"]),
        ("ETCDCTL_PASSWORD=pw ETCDCTL_KEY=/k etcdctl --user=me:pw get x", vec!["pw", "me:pw"]),
        ("openssl s_client -pass pass:pw", vec!["pass:pw"]),
    ] {
        let document = parse(&Text::excerpt(FILE, 0, line));
        let marked: Vec<_> =
            secrets(&document).iter().map(|span| &line[span.start as usize..span.end as usize]).collect();
        assert_eq!(marked, expected, "{line}");
    }
}

#[test]
fn any_command_line_comes_to_an_end() {
    let pieces = [
        "curl",
        "openssl s_client",
        "etcdctl",
        " ",
        "-",
        "--",
        "-E",
        "--cert",
        "--resolve",
        "a:1:",
        "[",
        "]",
        "::",
        "https://",
        "'",
        "\"",
        "$(",
        ")",
        "=(",
        "`",
        "\\",
        "\n",
        "#",
        "=",
        ",",
        "k8s:",
        "-K conf",
        "--next",
        "-connect",
        "é",
        "{",
        "}",
        "<",
        ">",
        "&",
        ";",
        "|",
        "$",
        "ETCDCTL_CACERT=",
        "env",
        "sudo",
        "--tls-max",
        "9",
        "%",
        "*",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..3_000 {
        let mut line = String::new();
        for _ in 0..24 {
            // xorshift: the same lines every time
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            line.push_str(pieces[(state % pieces.len() as u64) as usize]);
        }
        let document = parse(&Text::excerpt(FILE, 0, line.as_bytes()));
        let open = |_: &Located<String>| Lookup::Unseen(String::new());
        for command in &document.commands {
            if let Some(Client::Curl(curl)) = read(command, &open) {
                curl.transfers.iter().for_each(|transfer| drop((transfer.connect_to(), transfer.path())));
            }
        }
        for span in secrets(&document) {
            assert!(span.start <= span.end && span.end as usize <= line.len(), "{line}");
        }
    }
}

#[test]
fn a_long_command_line_takes_no_more_than_its_length() {
    for piece in ["\\", "$(", "'a'", "a ", "\\ ", "-k ", "=("] {
        let line = format!("curl {}", piece.repeat(50_000));
        let begun = std::time::Instant::now();
        parse(&Text::excerpt(FILE, 0, line.as_bytes()));
        assert!(begun.elapsed().as_secs() < 2, "{piece}");
    }
}
