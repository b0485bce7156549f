//! etcdctl (API 3): global flags and `ETCDCTL_*`, in any order around the subcommand.
//!
//! Checked against etcdctl 3.4.23; 3.5 has the same flags.

use super::{Argument, refusal, variable};
use crate::deployment::Refusal;
use crate::source::{Located, Span};

/// What an etcdctl connects to, and how.
#[derive(Debug, Clone)]
pub struct Etcdctl {
    /// Where the command stands.
    pub span: Span,
    /// Endpoints, with or without scheme.
    pub endpoints: Vec<Argument>,
    /// The bundle.
    pub cacert: Option<Argument>,
    /// The client's certificate.
    pub cert: Option<Argument>,
    /// Its key.
    pub key: Option<Argument>,
    /// Where `--insecure-skip-tls-verify` is given.
    pub skips_verification: Option<Span>,
    /// `--insecure-transport=false`: TLS also where no file and no scheme asks for it.
    pub secure_transport: bool,
    /// The subcommand works on files alone (`snapshot restore`), or prints a text.
    pub is_local: bool,
    /// Endpoints come from DNS.
    pub discovery_srv: Option<Argument>,
    /// What it refuses.
    pub refusals: Vec<Refusal>,
    /// What is not modelled; completes "undetermined because …".
    pub unseen: Vec<String>,
}

impl Etcdctl {
    /// Whether files or switches make it set up TLS by themselves; without them only an `https` endpoint does.
    pub fn configures_tls(&self) -> bool {
        self.cacert.is_some() || self.cert.is_some() || self.key.is_some() || self.secure_transport
    }

    /// Whether it verifies the server. Skipping has no effect where nothing but the scheme asks for TLS: the
    /// configuration that would carry it is not there (seen with 3.4.23; the same code in 3.5).
    pub fn verifies(&self) -> bool {
        self.skips_verification.is_none() || !self.configures_tls()
    }
}

/// Flags that take a value.
const VALUES: &[&str] = &[
    "endpoints",
    "cacert",
    "cert",
    "key",
    "discovery-srv",
    "discovery-srv-name",
    "user",
    "password",
    "dial-timeout",
    "command-timeout",
    "keepalive-time",
    "keepalive-timeout",
    "write-out",
];

/// Flags that are on or off.
const SWITCHES: &[&str] =
    &["insecure-skip-tls-verify", "insecure-transport", "insecure-discovery", "debug", "hex"];

/// Reads arguments and environment. A variable beside its flag is refused, as etcd's own flags have it.
pub fn read(span: Span, arguments: &[Argument], environment: &[(String, Argument)]) -> Etcdctl {
    let mut read = Etcdctl {
        span,
        endpoints: Vec::new(),
        cacert: None,
        cert: None,
        key: None,
        skips_verification: None,
        secure_transport: false,
        is_local: is_local(arguments),
        discovery_srv: None,
        refusals: Vec::new(),
        unseen: Vec::new(),
    };
    let mut given = flags(arguments, &mut read.refusals);
    from_environment(environment, &mut given, &mut read);
    for (name, value) in given {
        let unseen = value.unseen.as_ref().filter(|_| name.starts_with("insecure-"));
        read.unseen.extend(unseen.map(|why| format!("the value of --{name} was not seen: {why}")));
        let on = value.text.value != "false" && value.text.value != "0";
        match name {
            "endpoints" => read.endpoints = split(&value),
            "cacert" => read.cacert = some(value),
            "cert" => read.cert = some(value),
            "key" => read.key = some(value),
            "discovery-srv" => read.discovery_srv = some(value),
            "insecure-skip-tls-verify" => read.skips_verification = on.then_some(value.text.span),
            "insecure-transport" => read.secure_transport = !on,
            _ => {}
        }
    }
    if read.endpoints.is_empty() && read.discovery_srv.is_none() {
        let text = Located::new("127.0.0.1:2379".to_owned(), span);
        read.endpoints.push(Argument { text, unseen: None });
    }
    halves(&mut read);
    read
}

/// Whether a subcommand opens no connection.
fn is_local(arguments: &[Argument]) -> bool {
    let mut subcommand = Vec::new();
    let mut words = arguments.iter().map(|word| word.text.value.as_str());
    while let Some(word) = words.next() {
        match word.strip_prefix("--") {
            Some("help") => return true,
            Some("") => break,
            // its value is the next word
            Some(flag) if VALUES.contains(&flag) => drop(words.next()),
            Some(_) => {}
            None if word == "-w" => drop(words.next()),
            None if word == "-h" => return true,
            None if word.starts_with('-') => {}
            None => subcommand.push(word),
        }
    }
    matches!(
        subcommand.as_slice(),
        ["version" | "help" | "completion", ..] | ["snapshot", "restore" | "status" | "help", ..]
    )
}

/// A setting as it was given: its flag's name, and its value.
type Given = (&'static str, Argument);

/// The flags among the arguments.
fn flags(arguments: &[Argument], refusals: &mut Vec<Refusal>) -> Vec<Given> {
    let mut given: Vec<Given> = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.text.value.as_str();
        if text == "--" {
            break;
        }
        if text == "-w" {
            words.next();
            continue;
        }
        let Some(body) = text.strip_prefix("--") else { continue };
        let (name, attached) = match body.split_once('=') {
            Some((name, _)) => (name, Some(word.tail(name.len() + 3))),
            None => (body, None),
        };
        if let Some(name) = VALUES.iter().find(|known| **known == name) {
            match attached.or_else(|| words.next().cloned()) {
                Some(value) => given.push((name, value)),
                None => refusals.push(refusal(
                    format!("--{name} has no value"),
                    word.text.span,
                    &format!("write --{name}=VALUE"),
                    Some(format!("Error: flag needs an argument: --{name}")),
                )),
            }
        } else if let Some(name) = SWITCHES.iter().find(|known| **known == name) {
            let value = attached.unwrap_or_else(|| Argument {
                text: Located::new("true".to_owned(), word.text.span),
                unseen: None,
            });
            given.push((name, value));
        }
    }
    given
}

/// Settings of the environment; one that a flag gives too is refused.
fn from_environment(environment: &[(String, Argument)], given: &mut Vec<Given>, read: &mut Etcdctl) {
    for (name, value) in environment {
        let Some(flag) =
            name.strip_prefix("ETCDCTL_").map(|rest| rest.to_ascii_lowercase().replace('_', "-"))
        else {
            continue;
        };
        if flag == "api" && value.text.value == "2" {
            read.unseen.push("ETCDCTL_API=2 speaks to etcd's former API, which is not modelled".to_owned());
        }
        let Some(known) = VALUES.iter().chain(SWITCHES).find(|known| **known == flag) else { continue };
        if let Some((_, beside)) = given.iter().find(|(name, _)| name == known) {
            let mut refused = refusal(
                format!("{name} and --{known} give the same setting, and etcdctl refuses that"),
                value.text.span, &format!("leave {name} out, or the flag"),
                Some(
                    "is shadowed by corresponding command-line flag (either unset environment variable or disable flag)"
                        .to_owned(),
                ),
            );
            refused
                .labels
                .push(crate::finding::Label { span: beside.text.span, message: "the flag".to_owned() });
            read.refusals.push(refused);
        } else if let Some(value) = variable(environment, name) {
            given.push((known, value.clone()));
        }
    }
}

fn some(value: Argument) -> Option<Argument> {
    (!value.text.value.is_empty()).then_some(value)
}

/// `TLSInfo.baseConfig` refuses a certificate without its key, and the reverse.
fn halves(read: &mut Etcdctl) {
    let text = |file: &Option<Argument>| file.as_ref().map_or(String::new(), |file| file.text.value.clone());
    let (given, missing, span) = match (&read.cert, &read.key) {
        (Some(cert), None) => ("cert", "key", cert.text.span),
        (None, Some(key)) => ("key", "cert", key.text.span),
        _ => return,
    };
    let log = format!(
        "KeyFile and CertFile must both be present[key: {}, cert: {}]",
        text(&read.key),
        text(&read.cert)
    );
    let mut refused = refusal(
        format!("--{given} is given and --{missing} is not"),
        span,
        &format!("give --{missing} as well"),
        Some(log),
    );
    refused.rule = "missing-credential";
    read.refusals.push(refused);
}

fn split(list: &Argument) -> Vec<Argument> {
    let mut start = 0;
    let mut items = Vec::new();
    for item in list.text.value.split(',') {
        let mut argument = list.tail(start);
        argument.text.value.truncate(item.len());
        let written = list.text.span.end.saturating_sub(list.text.span.start) as usize;
        if written == list.text.value.len() {
            argument.text.span.end =
                argument.text.span.start.saturating_add(u32::try_from(item.len()).unwrap_or(u32::MAX));
        }
        if !item.is_empty() {
            items.push(argument);
        }
        start += item.len() + 1;
    }
    items
}
