//! Reads from what both sides said how a connection ended and who rejected it.
//!
//! An alert in one program's words is the other side's refusal; what a program finds wrong itself is its own. Words that
//! fit neither are `unclear`, never guessed.

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The contract's word, or `unclear`.
    pub outcome: &'static str,
    /// Which sides rejected.
    pub rejected_by: Vec<String>,
}

impl End {
    /// Everything went well.
    pub fn completes() -> Self {
        Self { outcome: "completes", rejected_by: Vec::new() }
    }

    /// This side refuses its files or settings.
    pub fn config(side: &str) -> Self {
        Self { outcome: "config-rejected", rejected_by: vec![side.to_owned()] }
    }

    fn handshake(side: &str) -> Self {
        Self { outcome: "handshake-fails", rejected_by: vec![side.to_owned()] }
    }

    fn request() -> Self {
        Self { outcome: "request-rejected", rejected_by: vec!["server".to_owned()] }
    }

    fn unclear() -> Self {
        Self { outcome: "unclear", rejected_by: Vec::new() }
    }

    fn status(text: Option<&str>) -> Option<Self> {
        match text?.parse::<u16>().ok()? {
            200..=399 => Some(Self::completes()),
            400..=599 => Some(Self::request()),
            _ => None,
        }
    }
}

/// Whether a line is worth keeping beside an observation.
pub fn telling(line: &str) -> bool {
    const MARKS: &[&str] = &[
        "rror",
        "alert",
        "verif",
        "certificate",
        "reject",
        "curl:",
        "HTTP/1",
        "status=",
        "fatal",
        "emerg",
        "refused",
        "does not match",
        "reset",
    ];
    MARKS.iter().any(|mark| line.contains(mark)) && !line.contains("http: TLS handshake error")
}

/// An OpenSSL error that reports the other side's alert.
fn alert(text: &str) -> bool {
    text.contains(" alert ") && !text.contains("(OUT), TLS alert")
}

/// curl's exit code (curl's manual, EXIT CODES) and its `-v` output.
pub fn curl(code: Option<i32>, said: &str) -> End {
    let last = said.lines().rev().find(|line| line.starts_with("curl: (")).unwrap_or_default();
    match code {
        Some(0) => {
            let status = said.lines().rev().find_map(|line| line.strip_prefix("< HTTP/1.1 "));
            End::status(status.and_then(|rest| rest.get(..3))).unwrap_or_else(End::unclear)
        }
        // certificate or key, ciphers, CA file, CRL file, and since 8.23 the key as a bad argument
        Some(58 | 59 | 77 | 82 | 43) => End::config("client"),
        Some(60) => End::handshake("client"),
        Some(35) if alert(last) => End::handshake("server"),
        // closed without a word
        Some(35)
            if ["SSL_ERROR_SYSCALL", "unexpected eof", "reset by peer"]
                .iter()
                .any(|mark| last.contains(mark)) =>
        {
            End::handshake("server")
        }
        Some(35) => End::handshake("client"),
        // the server ends it after curl thought that all was well (TLS 1.3)
        Some(52 | 55 | 56) => End::handshake("server"),
        _ => End::unclear(),
    }
}

/// `openssl s_client -quiet`, fed one request.
pub fn openssl(said: &str) -> End {
    if let Some(at) = said.find("HTTP/1.1 ") {
        return End::status(said.get(at + 9..at + 12)).unwrap_or_else(End::unclear);
    }
    let unreadable = [
        "Could not ",
        "unable to load",
        "Unable to load",
        "error setting",
        "Error setting",
        "Private key does not match",
        // how 3.5 says it of -CAfile
        "X509_load_cert_crl_file",
    ];
    if unreadable.iter().any(|mark| said.contains(mark)) || said.contains("key values mismatch") {
        return End::config("client");
    }
    let errors = || said.lines().filter(|line| line.contains(":error:"));
    if errors().any(|line| line.contains("certificate verify failed")) {
        return End::handshake("client");
    }
    // its own certificate or key, refused before anything is sent
    if errors().any(|line| line.contains("too small") || line.contains("too weak")) && !errors().any(alert) {
        return End::config("client");
    }
    if errors().any(alert) || errors().any(|line| line.contains("unexpected eof")) {
        return End::handshake("server");
    }
    if errors().next().is_some() { End::handshake("client") } else { End::unclear() }
}

/// Lines of etcd's log about connections it gave up, but for those of its own gateway, which calls itself without a
/// server name.
fn rejections(log: &str) -> impl Iterator<Item = String> {
    log.lines().filter(|line| line.contains("rejected connection")).filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let own = line["server-name"].as_str() == Some("");
        let error = line["error"].as_str()?.to_owned();
        (!own).then_some(error)
    })
}

/// Who is to blame by an error of Go's accepting side: an alert it was sent, or what it found itself.
fn go_blames(error: &str) -> Option<&'static str> {
    if error.contains("remote error: tls:") || error.contains("local error: tls: bad record MAC") {
        return Some("client");
    }
    // ends that come of themselves when the other side has left
    if error == "EOF"
        || error.contains("connection reset")
        || error.contains("broken pipe")
        || error.contains("i/o timeout")
    {
        return None;
    }
    Some("server")
}

/// etcdctl says little of a failed handshake; the server's log tells.
pub fn etcdctl(success: bool, said: &str, server_log: &str) -> End {
    if success {
        return End::completes();
    }
    let last = said.lines().rev().find(|line| line.starts_with("Error: ")).unwrap_or_default();
    if !last.contains("context deadline exceeded") {
        // a convention, not an observation: the recorded corpus counts these two refusals of etcdctl's own files as
        // failed handshakes, and handshake/sides.rs predicts them so; agreement here proves nothing more
        if last.contains("may have been switched") || last.contains("x509: malformed") {
            return End::handshake("client");
        }
        let own = ["tls: ", "open ", "x509: "].iter().any(|mark| last.contains(mark));
        return if own { End::config("client") } else { End::unclear() };
    }
    let blamed: Vec<_> = rejections(server_log).filter_map(|error| go_blames(&error)).collect();
    match blamed.last() {
        Some(side) => End::handshake(side),
        None => End::unclear(),
    }
}

/// nginx as a client: the status it gives its own caller, and its error log.
pub fn nginx(answer: &str, log: &str, server_log: &str) -> End {
    let status = answer.lines().rev().find_map(|line| line.strip_prefix("status="));
    if status != Some("502") {
        return End::status(status).unwrap_or_else(End::unclear);
    }
    let upstream = || log.lines().filter(|line| line.contains("while SSL handshaking to upstream"));
    if upstream().any(|line| line.contains("verify error") || line.contains("does not match")) {
        return End::handshake("client");
    }
    if upstream().any(alert)
        || upstream().any(|line| line.contains("peer closed") || line.contains("reset by peer"))
    {
        return End::handshake("server");
    }
    if upstream().any(|line| line.contains("SSL_do_handshake() failed")) {
        return End::handshake("client");
    }
    // TLS 1.3: the client was content, then the server hung up
    let hung_up = log.lines().any(|line| {
        line.contains("upstream prematurely closed")
            || line.contains("while reading response header from upstream")
            || line.contains("while sending request to upstream")
    });
    let refused = rejections(server_log).any(|error| go_blames(&error) == Some("server"));
    if hung_up || refused { End::handshake("server") } else { End::unclear() }
}

/// Envoy as a client: the status it gives its own caller, and the transport's failure in its log.
pub fn envoy(answer: &str, log: &str, server_log: &str) -> End {
    let status = answer.lines().rev().find_map(|line| line.strip_prefix("status="));
    if !answer.contains("upstream connect error") {
        return End::status(status).unwrap_or_else(End::unclear);
    }
    let failures: Vec<_> = log.lines().filter(|line| line.contains("TLS_error:|")).collect();
    if let Some(failure) = failures.first() {
        return End::handshake(if failure.contains("ALERT_") { "server" } else { "client" });
    }
    // a name that does not fit is told in no error; the server then sees a connection that ends
    if log.contains("verify cert failed") || log.contains("SAN matcher") {
        return End::handshake("client");
    }
    let blamed: Vec<_> = rejections(server_log).filter_map(|error| go_blames(&error)).collect();
    match blamed.first() {
        Some(side) => End::handshake(side),
        // TLS 1.3: the client was content, then the server hung up
        None if answer.contains("connection termination") => End::handshake("server"),
        None => End::unclear(),
    }
}

/// What a member heard of the other's dialling: who rejected it.
pub fn member_heard(log: &str) -> Option<&'static str> {
    // a client that refuses sends its alert first; what the server would say later does not count
    let blamed: Vec<_> = rejections(log).filter_map(|error| go_blames(&error)).collect();
    if blamed.contains(&"client") { Some("client") } else { blamed.first().copied() }
}

/// Two members, by what each heard of the other's dialling.
pub fn members(log_of_m1: &str, log_of_m2: &str) -> End {
    let mut rejected_by = Vec::new();
    for (log, listening, dialling) in [(log_of_m1, "m1", "m2"), (log_of_m2, "m2", "m1")] {
        match member_heard(log) {
            Some("client") => rejected_by.push(format!("{dialling}-as-client")),
            Some(_) => rejected_by.push(format!("{listening}-as-server")),
            None => {}
        }
    }
    rejected_by.sort();
    if rejected_by.is_empty() { End::completes() } else { End { outcome: "handshake-fails", rejected_by } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_blames_the_other_side_and_a_finding_of_its_own_the_client() {
        let cases: &[(Option<i32>, &str, End)] = &[
            (Some(0), "< HTTP/1.1 200 OK\n", End::completes()),
            (Some(0), "< HTTP/1.1 400 Bad Request\n", End::request()),
            (
                Some(60),
                "curl: (60) SSL certificate problem: certificate has expired\n",
                End::handshake("client"),
            ),
            (Some(58), "curl: (58) unable to set private key file\n", End::config("client")),
            (
                Some(35),
                "* TLSv1.3 (OUT), TLS alert, unknown CA (560):\ncurl: (35) error:0A000410:SSL routines::sslv3 alert handshake failure\n",
                End::handshake("server"),
            ),
            (
                Some(35),
                "* TLSv1.2 (OUT), TLS alert, decrypt error (563):\ncurl: (35) error:02000068:rsa routines::bad signature\n",
                End::handshake("client"),
            ),
            (
                Some(56),
                "curl: (56) OpenSSL SSL_read: sslv3 alert bad certificate, errno 0\n",
                End::handshake("server"),
            ),
            (Some(28), "curl: (28) Operation timed out\n", End::unclear()),
        ];
        for (code, said, end) in cases {
            assert_eq!(curl(*code, said), *end, "{said}");
        }
    }

    #[test]
    fn etcdctl_is_judged_by_the_servers_log_without_the_gateways_own_calls() {
        let line = |name: &str, error: &str| {
            format!("{{\"msg\":\"rejected connection\",\"server-name\":\"{name}\",\"error\":\"{error}\"}}\n")
        };
        let gateway = line("", "tls: failed to verify client certificate: x509: incompatible key usage");
        let failed = "Error: context deadline exceeded\n";
        let remote = gateway.clone() + &line("srv.example.test", "remote error: tls: bad certificate");
        assert_eq!(etcdctl(false, failed, &remote), End::handshake("client"));
        let own = line("srv.example.test", "tls: client didn't provide a certificate") + &gateway;
        assert_eq!(etcdctl(false, failed, &own), End::handshake("server"));
        assert_eq!(etcdctl(false, failed, &gateway), End::unclear());
        assert_eq!(etcdctl(false, "Error: open /x: no such file or directory\n", ""), End::config("client"));
    }

    #[test]
    fn members_are_blamed_in_the_role_in_which_they_refuse() {
        let line = |error: &str| {
            format!("{{\"msg\":\"rejected connection\",\"server-name\":\"m\",\"error\":\"{error}\"}}\n")
        };
        let refuses = line("tls: failed to verify client certificate: x509: unknown authority");
        let refused = line("remote error: tls: bad certificate");
        assert_eq!(members(&refuses, &refused).rejected_by, ["m1-as-client", "m1-as-server"]);
        assert_eq!(members("", ""), End::completes());
    }
}
