//! Requests that no well-meaning client sends: whatever Envoy makes of them, none passes and no worker dies.

use mtls_tests::client::Answer;
use mtls_tests::envoy::{Envoy, Listener, absent};

use super::{WHO, client, escaped, get, words};

#[test]
fn malformed_bytes_pass_nobody_and_break_nothing() {
    if absent() {
        return;
    }
    // every header is read: by the name upstream, by the method, by the host
    let strict = format!(
        "certificate: {{from: envoy}}\n{}",
        WHO.replace(
            "{name: all, path: /**, allow: web}",
            "{host: shop.test, method: GET, path: /**, allow: web}"
        )
    );
    let by_header = |format: &str| {
        let name = if format == "rfc9440" { "client-cert" } else { "x-forwarded-client-cert" };
        let from = format!(
            "certificate: {{from: header, header: {name}, format: {format}, trusted-peers: {{addresses: \
             [127.0.0.0/8]}}}}"
        );
        super::guarded(&from)
    };
    let listeners =
        [Listener::guarded(&strict), by_header("rfc9440"), by_header("xfcc"), by_header("escaped-pem")];
    let envoy = Envoy::start("malformed", &listeners, 2);
    let header = |name: &str, value: &[u8]| [name.as_bytes(), b": ", value, b"\r\n"].concat();
    let web = escaped("web");
    let long = "a".repeat(50_000);
    let values: Vec<Vec<u8>> = vec![
        b"\xff\xfe\x80".to_vec(),
        b"\xc3\x28".to_vec(),
        b"a\tb".to_vec(),
        b"%00%0d%0a".to_vec(),
        b":AAAA:".to_vec(),
        b"::::".to_vec(),
        b"Cert=\"".to_vec(),
        b"Cert=\"%zz\"".to_vec(),
        b"Cert=\"%e2%28%a1\";Chain=\"%\"".to_vec(),
        [&b"Cert=\""[..], &web.as_bytes()[..web.len() / 2], b"\""].concat(),
        [web.as_bytes(), b"%"].concat(),
        web.as_bytes()[..web.len() - 5].to_vec(),
        b",".repeat(20_000),
        b"Cert=a;".repeat(5_000),
        long.as_bytes().to_vec(),
        "\u{202e}\u{fffd}".as_bytes().to_vec(),
    ];
    let mut requests = Vec::new();
    for value in &values {
        for name in ["client-cert", "x-forwarded-client-cert", "x-client", "x_client", "x-\u{e4}", "cookie"] {
            let start = b"GET /orders HTTP/1.1\r\nHost: other.test\r\n".to_vec();
            requests.push([start, header(name, value), b"\r\n".to_vec()].concat());
        }
        let clean: Vec<u8> = value.iter().copied().filter(|byte| !b"\t ".contains(byte)).collect();
        requests.push([b"GET /", &clean[..], b" HTTP/1.1\r\nHost: other.test\r\n\r\n"].concat());
        requests.push([b"GET /orders HTTP/1.1\r\nHost: ", &clean[..], b"\r\n\r\n"].concat());
        requests.push([&clean[..], b" /orders HTTP/1.1\r\nHost: other.test\r\n\r\n"].concat());
    }
    let mut answered = 0;
    for (index, port) in envoy.ports.iter().enumerate() {
        for bytes in &requests {
            let name = (index == 0).then_some("web");
            let asked = client(name).connect(*port).unwrap().ask(bytes);
            // a connection that Envoy closes without a word is an answer too
            let Ok(Answer { status, .. }) = asked else { continue };
            answered += 1;
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
            assert!([400, 403, 404, 431].contains(&status), "{index} {status}: {shown}");
        }
        let alive = if index == 0 { "allow web" } else { "deny no-certificate" };
        assert_eq!(words(&get(*port, Some("web"), "/orders", "")), alive, "{index}: {}", envoy.log());
    }
    assert!(answered > 200, "{answered}");
    assert!(!envoy.log().contains("panicked") && !envoy.log().contains("Uncaught"), "{}", envoy.log());
}
