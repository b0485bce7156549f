//! `openssl s_client`, by the source and manual of OpenSSL 3.0 to 3.6.

use super::{Argument, Versions, refusal};
use crate::deployment::{Protocol, Refusal};
use crate::source::{Located, Span};

/// What an s_client connects to, and how.
#[derive(Debug, Clone)]
pub struct SClient {
    /// Where the command stands.
    pub span: Span,
    /// Host without brackets; default localhost.
    pub host: Argument,
    /// Port; default 4433.
    pub port: u16,
    /// The host was written.
    pub host_given: bool,
    /// `-servername`.
    pub server_name: Option<Argument>,
    /// `-noservername`.
    pub no_server_name: bool,
    /// `-CAfile`.
    pub ca_file: Option<Argument>,
    /// `-cert`.
    pub cert: Option<Argument>,
    /// `-key`; default: the certificate's file.
    pub key: Option<Argument>,
    /// `-pass` or `-passin`.
    pub passphrase: Option<Argument>,
    /// `-cert_chain`: what is sent after the certificate.
    pub cert_chain: Option<Argument>,
    /// `-verify_return_error`: a failed verification ends the handshake.
    pub returns_error: Option<Span>,
    /// `-verify_hostname`.
    pub verify_hostname: Option<Argument>,
    /// `-verify_ip`.
    pub verify_ip: Option<Argument>,
    /// `-verify_depth` or `-verify`.
    pub depth: Option<Located<u32>>,
    /// `-CRL`, with `-crl_check` or `-crl_check_all`.
    pub crl: Option<Argument>,
    /// `-partial_chain`.
    pub partial_chain: bool,
    /// Protocol versions.
    pub versions: Versions,
    /// `-cipher`.
    pub cipher: Option<Argument>,
    /// `-groups` or `-curves`.
    pub groups: Option<Argument>,
    /// `-ciphersuites`.
    pub suites: Option<Argument>,
    /// Why host or port is not known.
    pub unseen_target: Option<String>,
    /// What it refuses.
    pub refusals: Vec<Refusal>,
    /// What is not modelled; completes "undetermined because …".
    pub unseen: Vec<String>,
}

/// Options without a value that change nothing of what is predicted.
const SILENT: &[&str] = &[
    "4",
    "6",
    "adv",
    "allow_no_dhe_kex",
    "allow_proxy_certs",
    "async",
    "brief",
    "bugs",
    "build_chain",
    "client_renegotiation",
    "comp",
    "crlf",
    "ct",
    "debug",
    "debug_broken_protocol",
    "enable_pha",
    "fallback_scsv",
    "ign_eof",
    "ignore_unexpected_eof",
    "inhibit_any",
    "inhibit_map",
    "issuer_checks",
    "ktls",
    "legacy_renegotiation",
    "legacy_server_connect",
    "msg",
    "nbio",
    "nbio_test",
    "no_alt_chains",
    "no_comp",
    "no_ems",
    "no_etm",
    "no_ign_eof",
    "no_interactive",
    "no_legacy_server_connect",
    "no_middlebox",
    "no_renegotiation",
    "no_resumption_on_reneg",
    "no_ticket",
    "nocommands",
    "noct",
    "policy_print",
    "prexit",
    "prioritize_chacha",
    "quiet",
    "reconnect",
    "security_debug",
    "security_debug_verbose",
    "serverpref",
    "showcerts",
    "state",
    "status",
    "strict",
    "tfo",
    "timeout",
    "tlsextdebug",
    "trace",
    "trusted_first",
    "verify_quiet",
];

/// Options with a value that change nothing of what is predicted.
const SILENT_VALUES: &[&str] = &[
    "CRLform",
    "alpn",
    "bind",
    "certform",
    "ctlogfile",
    "keyform",
    "keylogfile",
    "keymatexport",
    "keymatexportlen",
    "max_pipelines",
    "max_send_frag",
    "maxfraglen",
    "msgfile",
    "mtu",
    "name",
    "named_curve",
    "nameopt",
    "nextprotoneg",
    "propquery",
    "provider",
    "provider-path",
    "proxy_pass",
    "proxy_user",
    "provparam",
    "rand",
    "read_buf",
    "record_padding",
    "serverinfo",
    "sess_out",
    "split_send_frag",
    "use_srtp",
    "writerand",
    "xmpphost",
];

/// Options that change the outcome and are not modelled; true: with a value.
const UNMODELLED: &[(&str, bool)] = &[
    ("starttls", true),
    ("proxy", true),
    ("unix", true),
    ("CApath", true),
    ("CAstore", true),
    ("chainCApath", true),
    ("chainCAfile", true),
    ("verifyCAfile", true),
    ("verifyCApath", true),
    ("verifyCAstore", true),
    ("chainCAstore", true),
    ("srppass", true),
    ("srp_lateuser", false),
    ("srp_moregroups", false),
    ("srp_strength", true),
    ("requestCAfile", true),
    ("no-CAfile", false),
    ("no-CApath", false),
    ("no-CAstore", false),
    ("dane_tlsa_domain", true),
    ("dane_tlsa_rrdata", true),
    ("dane_ee_no_namechecks", false),
    ("psk", true),
    ("psk_identity", true),
    ("psk_session", true),
    ("sess_in", true),
    ("early_data", true),
    ("sigalgs", true),
    ("client_sigalgs", true),
    ("dtls", false),
    ("dtls1", false),
    ("dtls1_2", false),
    ("sctp", false),
    ("quic", false),
    ("engine", true),
    ("ssl_client_engine", true),
    ("ssl_config", true),
    ("srpuser", true),
    ("xkey", true),
    ("xcert", true),
    ("xchain", true),
    ("xcertform", true),
    ("xkeyform", true),
    ("xchain_build", false),
    ("x509_strict", false),
    ("purpose", true),
    ("policy", true),
    ("policy_check", false),
    ("explicit_policy", false),
    ("attime", true),
    ("no_check_time", false),
    ("ignore_critical", false),
    ("verify_email", true),
    ("verify_name", true),
    ("auth_level", true),
    ("suiteB_128", false),
    ("suiteB_192", false),
    ("suiteB_128_only", false),
    ("extended_crl", false),
    ("use_deltas", false),
    ("check_ss_sig", false),
    ("crl_download", false),
];

/// Reads the arguments after `s_client`.
pub fn read(span: Span, arguments: &[Argument], _environment: &[(String, Argument)]) -> SClient {
    let mut read = SClient {
        span,
        host: Argument { text: Located::new("localhost".to_owned(), span), unseen: None },
        port: 4433,
        host_given: false,
        server_name: None,
        no_server_name: false,
        ca_file: None,
        cert: None,
        key: None,
        passphrase: None,
        cert_chain: None,
        returns_error: None,
        verify_hostname: None,
        verify_ip: None,
        depth: None,
        crl: None,
        partial_chain: false,
        versions: Versions::default(),
        cipher: None,
        groups: None,
        suites: None,
        unseen_target: None,
        refusals: Vec::new(),
        unseen: Vec::new(),
    };
    let mut crl_check = None;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.text.value.as_str();
        let Some(body) = text.strip_prefix('-').filter(|body| !body.is_empty()) else {
            read.value("connect", word.clone());
            continue;
        };
        let body = body.strip_prefix('-').unwrap_or(body);
        let (name, attached) = match body.split_once('=') {
            Some((name, _)) => (name, Some(word.tail(text.len() - body.len() + name.len() + 1))),
            None => (body, None),
        };
        let at = word.text.span;
        if let Some(switch) = read.switch(name, at) {
            match switch {
                Switch::Done => {}
                Switch::CrlCheck => crl_check = Some(at),
            }
            continue;
        }
        if SILENT.contains(&name) {
            continue;
        }
        let unmodelled = UNMODELLED.iter().find(|(known, _)| *known == name);
        if let Some((_, takes_value)) = unmodelled {
            if *takes_value && attached.is_none() {
                words.next();
            }
            read.unseen.push(format!("-{name} of s_client is not modelled"));
            continue;
        }
        let known = VALUES.contains(&name) || SILENT_VALUES.contains(&name);
        if !known {
            read.unseen.push(format!("{text} of s_client is not known here"));
            continue;
        }
        let Some(value) = attached.or_else(|| words.next().cloned()) else {
            read.refusals.push(refusal(
                format!("-{name} has no value"),
                at,
                &format!("write -{name} VALUE"),
                Some(format!("s_client: Option -{name} needs a value")),
            ));
            continue;
        };
        read.value(name, value);
    }
    if crl_check.is_none() {
        read.crl = None;
    } else if read.crl.is_none() {
        read.unseen.push("-crl_check without -CRL takes revocation lists from elsewhere".to_owned());
    }
    read
}

/// Options with a value that matter.
const VALUES: &[&str] = &[
    "connect",
    "host",
    "port",
    "servername",
    "CAfile",
    "cert",
    "key",
    "pass",
    "passin",
    "cert_chain",
    "verify_hostname",
    "verify_ip",
    "verify_depth",
    "verify",
    "CRL",
    "cipher",
    "ciphersuites",
    "groups",
    "curves",
    "min_protocol",
    "max_protocol",
];

enum Switch {
    Done,
    CrlCheck,
}

impl SClient {
    fn switch(&mut self, name: &str, at: Span) -> Option<Switch> {
        let only = |protocol| Some(Located::new(protocol, at));
        match name {
            "noservername" => self.no_server_name = true,
            "verify_return_error" => self.returns_error = Some(at),
            "partial_chain" => self.partial_chain = true,
            "crl_check" | "crl_check_all" => return Some(Switch::CrlCheck),
            "tls1" | "tls1_1" | "tls1_2" | "tls1_3" | "ssl3" => {
                let protocol = protocol(name)?;
                self.versions.lowest = only(protocol);
                self.versions.highest = only(protocol);
            }
            _ => {
                let excluded = protocol(name.strip_prefix("no_")?)?;
                self.versions.without.push(Located::new(excluded, at));
            }
        }
        Some(Switch::Done)
    }

    fn value(&mut self, name: &str, value: Argument) {
        // of files, whoever reads them says so
        let is_file = matches!(name, "CAfile" | "cert" | "key" | "pass" | "passin" | "cert_chain" | "CRL");
        if let Some(why) = value.unseen.as_ref().filter(|_| !is_file) {
            let why = format!("the value of -{name} was not seen: {why}");
            if matches!(name, "connect" | "host" | "port") {
                self.unseen_target.get_or_insert_with(|| why.clone());
            }
            self.unseen.push(why);
        }
        match name {
            "connect" => self.connect(value),
            "host" => {
                self.host_given = true;
                self.host = value;
            }
            "port" => match value.text.value.parse() {
                Ok(port) => self.port = port,
                Err(_) => self.named_port(&value.text.value),
            },
            "servername" => self.server_name = Some(value),
            "CAfile" => self.ca_file = Some(value),
            "cert" => self.cert = Some(value),
            "key" => self.key = Some(value),
            "pass" | "passin" => self.passphrase = Some(value),
            "cert_chain" => self.cert_chain = Some(value),
            "verify_hostname" => self.verify_hostname = Some(value),
            "verify_ip" => self.verify_ip = Some(value),
            "verify_depth" | "verify" => {
                self.depth = value.text.value.parse().ok().map(|depth| Located::new(depth, value.text.span));
            }
            "CRL" => self.crl = Some(value),
            "cipher" => self.cipher = Some(value),
            "groups" | "curves" => self.groups = Some(value),
            "ciphersuites" => self.suites = Some(value),
            "min_protocol" => self.versions.lowest = named(&value),
            "max_protocol" => self.versions.highest = named(&value),
            _ => {}
        }
    }

    fn named_port(&mut self, written: &str) {
        let why = format!("the port in {written:?} is a service's name");
        self.unseen_target.get_or_insert_with(|| why.clone());
        self.unseen.push(why);
    }

    /// `host:port`, `[address]:port`, `host`, `:port`.
    fn connect(&mut self, value: Argument) {
        let text = value.text.value.as_str();
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, after)) => (address, after.strip_prefix(':')),
            None => match text.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, Some(port)),
                _ => (text, None),
            },
        };
        match port.map(str::parse) {
            None => {}
            Some(Ok(port)) => self.port = port,
            Some(Err(_)) => self.named_port(text),
        }
        if !host.is_empty() {
            self.host_given = true;
            self.host =
                Argument { text: Located::new(host.to_owned(), value.text.span), unseen: value.unseen };
        }
    }
}

fn protocol(name: &str) -> Option<Protocol> {
    match name {
        "ssl3" => Some(Protocol::Ssl3),
        "tls1" => Some(Protocol::Tls10),
        "tls1_1" => Some(Protocol::Tls11),
        "tls1_2" => Some(Protocol::Tls12),
        "tls1_3" => Some(Protocol::Tls13),
        _ => None,
    }
}

fn named(value: &Argument) -> Option<Located<Protocol>> {
    let protocol = match value.text.value.as_str() {
        "SSLv3" => Protocol::Ssl3,
        "TLSv1" => Protocol::Tls10,
        "TLSv1.1" => Protocol::Tls11,
        "TLSv1.2" => Protocol::Tls12,
        "TLSv1.3" => Protocol::Tls13,
        _ => return None,
    };
    Some(Located::new(protocol, value.text.span))
}
