//! A command line → programs that dial: one for each command, one dialer for each URL or endpoint.

mod container;
mod encoding;

pub use container::{Invocation, of_container};

use encoding::{Kind, guessed, typed};

use super::etcd::sni;
use super::machine::{Files, Machine};
use super::{Notes, World};
use crate::deployment::{
    Algorithms, ClientTls, Content, Credential, Dialer, DialerPurpose, FileRef, Lookup, PathChecks, Program,
    ProgramKind, Protocol, Protocols, Refusal, Request, Setting, Speaks, Target, Trust, TrustLoader,
    Versions as ProgramVersions,
};
use crate::dialect::command::{self, Argument, Client, Curl, Etcdctl, SClient, Transfer, Versions};
use crate::finding::Incomplete;
use crate::source::{Located, Span, Text};
use crate::syntax::command::Document;
use crate::syntax::url::{Url, bracketed};

/// The key of a Secret among the sources: namespace, name, key.
pub type Secrets<'s> = dyn Fn(&str, &str, &str) -> Lookup<Content> + 's;

/// What a file argument `k8s:NAMESPACE/SECRET/KEY` begins with.
const SECRET: &str = "k8s:";

/// Turns the commands of a command line into programs that run on a machine.
///
/// Commands that do not connect are passed over, unless there is no other.
pub fn link(
    world: &World<'_>,
    machine: usize,
    document: &Document,
    secrets: &Secrets<'_>,
    notes: &mut Notes,
) -> Vec<Program> {
    let Some(place) = world.machines.get(machine) else { return Vec::new() };
    for problem in &document.problems {
        notes.incomplete.push(incomplete(Some(problem.span), problem.message.clone()));
    }
    if !document.problems.is_empty() {
        // a shell would not run any of it
        return Vec::new();
    }
    let files = Reader { world, machine: place, secrets, image: None };
    let (programs, local) = clients(&files, machine, document);
    if programs.is_empty() {
        let name = document.commands.first().and_then(|command| command.words.first());
        let message = match (name, local) {
            (_, Some(_)) => "etcdctl opens no connection for this".to_owned(),
            (Some(word), None) => format!(
                "{} is no command that is read here; write curl, etcdctl or openssl s_client with its arguments",
                word.text
            ),
            (None, None) => {
                "there is no command; write curl, etcdctl or openssl s_client with its arguments".to_owned()
            }
        };
        let name = local.or(name.map(|word| word.span));
        notes.incomplete.push(incomplete(name, message));
    }
    programs
}

/// The programs of those commands that connect, and a command that opens no connection.
fn clients(files: &Reader<'_>, machine: usize, document: &Document) -> (Vec<Program>, Option<Span>) {
    let open = |path: &Located<String>| files.text(path);
    let mut programs = Vec::new();
    let mut local = None;
    for command in &document.commands {
        let mut program = match command::read(command, &open) {
            None => continue,
            Some(Client::Curl(curl)) => of_curl(files, machine, &curl),
            Some(Client::Etcdctl(etcdctl)) if etcdctl.is_local => {
                local.get_or_insert(etcdctl.span);
                continue;
            }
            Some(Client::Etcdctl(etcdctl)) => of_etcdctl(files, machine, &etcdctl),
            Some(Client::Openssl(s_client)) => of_s_client(files, machine, &s_client),
        };
        if let Some(why) = command::hidden_options(command) {
            // what seems to be wrong may be put right by them
            program.refusals.clear();
            program.unseen.push(why);
        }
        programs.push(program);
    }
    (programs, local)
}

fn incomplete(span: Option<Span>, message: String) -> Incomplete {
    Incomplete { file: "command line".to_owned(), span, message }
}

fn of_curl(files: &Reader<'_>, machine: usize, curl: &Curl) -> Program {
    let mut program = program(ProgramKind::Curl, files.world.assume.curl(), machine, curl.span);
    program.refusals.extend(curl.refusals.iter().cloned());
    program.unseen.extend(curl.unseen.iter().cloned());
    for transfer in &curl.transfers {
        program.dialers.push(transferring(files, transfer, curl.span));
    }
    program
}

fn transferring(files: &Reader<'_>, transfer: &Transfer, command: Span) -> Dialer {
    let options = &transfer.options;
    let span = transfer.written.text.span;
    let host = transfer.url.host.clone();
    // curl takes a final dot off before it sends or compares the name
    let name = host.strip_suffix('.').unwrap_or(&host).to_owned();
    let verify = match options.insecure {
        Some(span) => Setting::Given(Located::new(false, span)),
        None => Setting::Default { value: true, parent: command },
    };
    let tls = (transfer.url.scheme == "https").then(|| ClientTls {
        credential: options.cert.as_ref().map(|cert| Credential {
            certificate: typed(files.read(cert), options.cert_type.as_deref(), Kind::Certificate),
            // without --key the key is looked for beside the certificate, in a file of its type
            key: Some(match &options.key {
                Some(key) => typed(files.read(key), options.key_type.as_deref(), Kind::Key),
                None => typed(files.read(cert), options.cert_type.as_deref(), Kind::Key),
            }),
            passphrase: options.passphrase.as_ref().map(|word| passphrase(word, &word.text.value)),
        }),
        trust: trust(files, options.cacert.as_ref(), TrustLoader::Anchors, command),
        server_name: sni(&name),
        reference: options.insecure.is_none().then(|| Located::new(name.clone(), span)),
        checks: PathChecks {
            crls: options.crl.iter().map(|crl| files.read(crl)).collect(),
            ..PathChecks::default()
        },
        ciphers: options.ciphers.as_ref().map(|ciphers| ciphers.text.clone()),
        algorithms: algorithms(options.groups.as_ref(), options.suites.as_ref()),
        ..ClientTls::new(verify, protocols(&options.versions, command), command)
    });
    let url = &transfer.url;
    let target = Target {
        url: format!("{}://{}{}", url.scheme, url.authority(), url.path),
        host: Located::new(host, span),
        port: transfer.port(),
        connect_to: transfer.connect_to(),
    };
    Dialer {
        tls,
        request: (!options.hides_request).then(|| Request {
            method: transfer.method(),
            host: transfer.host(),
            path: transfer.path(),
            headers: options.headers.clone(),
            from: None,
        }),
        unseen: options.unseen.clone(),
        unseen_target: transfer.unseen_target(),
        ..Dialer::new(DialerPurpose::Command, target, span)
    }
}

fn of_etcdctl(files: &Reader<'_>, machine: usize, etcdctl: &Etcdctl) -> Program {
    let mut program =
        program(ProgramKind::Etcdctl, files.world.assume.etcd(files.image), machine, etcdctl.span);
    program.refusals.extend(etcdctl.refusals.iter().cloned());
    if let Some(domain) = &etcdctl.discovery_srv {
        program.unseen.push(format!("endpoints come from the DNS of {}", domain.text.value));
    }
    // the first endpoint's scheme decides for all of them (clientv3, dialWithBalancer)
    let scheme = etcdctl.endpoints.first().map_or("", |first| scheme_of(&first.text.value));
    let secure = match scheme {
        "https" | "unixs" => true,
        "http" => false,
        _ => etcdctl.configures_tls(),
    };
    for endpoint in &etcdctl.endpoints {
        match Url::parse(&endpoint.text.value) {
            Ok(url) => program.dialers.push(endpoint_dialer(files, etcdctl, endpoint, &url, secure)),
            Err(_) if endpoint.unseen.is_some() => program
                .unseen
                .extend(endpoint.unseen.iter().map(|why| format!("the endpoint was not seen: {why}"))),
            Err(why) => program.refusals.push(Refusal {
                rule: "refused-setting",
                message: format!("{} is no endpoint: {why}", endpoint.text.value),
                labels: vec![crate::finding::Label { span: endpoint.text.span, message: String::new() }],
                help: Some("write https://HOST:2379".to_owned()),
                log: None,
            }),
        }
    }
    program
}

fn endpoint_dialer(
    files: &Reader<'_>,
    etcdctl: &Etcdctl,
    endpoint: &Argument,
    url: &Url,
    secure: bool,
) -> Dialer {
    let span = endpoint.text.span;
    let port = url.port.unwrap_or(if secure { 443 } else { 80 });
    let verifies = etcdctl.verifies();
    let verify = match etcdctl.skips_verification {
        Some(span) if !verifies => Setting::Given(Located::new(false, span)),
        _ => Setting::Default { value: true, parent: etcdctl.span },
    };
    let tls = secure.then(|| ClientTls {
        credential: etcdctl.cert.as_ref().map(|cert| Credential {
            certificate: files.read(cert),
            key: etcdctl.key.as_ref().map(|key| files.read(key)),
            passphrase: None,
        }),
        trust: trust(files, etcdctl.cacert.as_ref(), TrustLoader::Go, etcdctl.span),
        server_name: sni(&url.host),
        reference: verifies.then(|| Located::new(url.host.clone(), span)),
        ..ClientTls::new(
            verify,
            Setting::Default { value: Protocols::modern(), parent: etcdctl.span },
            etcdctl.span,
        )
    });
    let mut unseen: Vec<String> = endpoint.unseen.iter().cloned().collect();
    unseen.extend(etcdctl.unseen.iter().cloned());
    if url.scheme.starts_with("unix") {
        unseen.push("the connection goes through a Unix socket".to_owned());
    }
    let scheme = if secure { "https" } else { "http" };
    let bracketed = bracketed(&url.host);
    let target = Target {
        url: format!("{scheme}://{bracketed}:{port}"),
        host: Located::new(url.host.clone(), span),
        port,
        connect_to: None,
    };
    let unseen_target = endpoint.unseen.as_ref().map(|why| format!("the endpoint was not seen: {why}"));
    Dialer {
        tls,
        speaks: Speaks::Http2,
        unseen,
        unseen_target,
        ..Dialer::new(DialerPurpose::Command, target, span)
    }
}

fn scheme_of(endpoint: &str) -> &str {
    endpoint.split_once("://").map_or("", |(scheme, _)| scheme)
}

fn of_s_client(files: &Reader<'_>, machine: usize, s_client: &SClient) -> Program {
    let mut program =
        program(ProgramKind::Openssl, files.world.assume.openssl_command(), machine, s_client.span);
    program.refusals.extend(s_client.refusals.iter().cloned());
    let span = s_client.host.text.span;
    let host = s_client.host.text.value.clone();
    let server_name = match (&s_client.server_name, s_client.no_server_name) {
        (_, true) => None,
        (Some(name), false) => Some(name.text.value.clone()),
        // without a host it says localhost; an address is no name (s_client.c)
        (None, false) => sni(&host),
    };
    let mut unseen = s_client.unseen.clone();
    let chain_is_certificate = match (&s_client.cert_chain, &s_client.cert) {
        (Some(chain), Some(cert)) => {
            let same = chain.text.value == cert.text.value;
            if !same {
                unseen.push("-cert_chain sends the certificates of another file".to_owned());
            }
            same
        }
        _ => false,
    };
    let reference = s_client.verify_hostname.as_ref().or(s_client.verify_ip.as_ref());
    let request_host = s_client.server_name.as_ref().map_or(host.clone(), |name| name.text.value.clone());
    let tls = ClientTls {
        credential: s_client.cert.as_ref().map(|cert| Credential {
            certificate: guessed(files.read(cert), Kind::Certificate),
            key: Some(guessed(files.read(s_client.key.as_ref().unwrap_or(cert)), Kind::Key)),
            passphrase: s_client.passphrase.as_ref().map(|word| {
                match word.text.value.strip_prefix("pass:") {
                    Some(value) => passphrase(word, value),
                    None => unseen_passphrase(
                        word,
                        "the passphrase of the key is taken from elsewhere".to_owned(),
                    ),
                }
            }),
        }),
        trust: trust(files, s_client.ca_file.as_ref(), TrustLoader::Anchors, s_client.span),
        server_name: server_name.clone(),
        reference: reference.map(|name| name.text.clone()),
        checks: PathChecks {
            depth: s_client.depth.clone().map(Setting::Given),
            crls: s_client.crl.iter().map(|crl| files.read(crl)).collect(),
            partial_path: s_client.partial_chain,
            ..PathChecks::default()
        },
        ciphers: s_client.cipher.as_ref().map(|cipher| cipher.text.clone()),
        algorithms: algorithms(s_client.groups.as_ref(), s_client.suites.as_ref()),
        sends_end_entity_only: !chain_is_certificate,
        tolerates_failure: s_client.returns_error.is_none(),
        ..ClientTls::new(
            Setting::Default { value: true, parent: s_client.span },
            protocols(&s_client.versions, s_client.span),
            s_client.span,
        )
    };
    let bracketed = bracketed(&host);
    let target = Target {
        url: format!("https://{bracketed}:{}", s_client.port),
        host: Located::new(host, span),
        port: s_client.port,
        connect_to: None,
    };
    program.dialers.push(Dialer {
        tls: Some(tls),
        // it counts as sending one GET request
        request: Some(Request {
            method: "GET".to_owned(),
            host: request_host,
            path: "/".to_owned(),
            headers: Vec::new(),
            from: None,
        }),
        unseen,
        unseen_target: s_client.unseen_target.clone(),
        ..Dialer::new(DialerPurpose::Command, target, span)
    });
    program
}

fn program(kind: ProgramKind, versions: ProgramVersions, machine: usize, span: Span) -> Program {
    Program { span: Some(span), ..Program::new(kind, kind.name().to_owned(), versions, machine) }
}

fn trust(files: &Reader<'_>, bundle: Option<&Argument>, loader: TrustLoader, command: Span) -> Vec<Trust> {
    match bundle {
        Some(path) => vec![Trust::File { file: files.read(path), loader }],
        None => vec![Trust::System(command)],
    }
}

fn algorithms(groups: Option<&Argument>, suites: Option<&Argument>) -> Algorithms {
    Algorithms {
        groups: groups.map(|groups| groups.text.clone()).into_iter().collect(),
        suites: suites.map(|suites| suites.text.clone()),
        ..Algorithms::default()
    }
}

/// What options leave of TLS 1.0 to 1.3. The security level may forbid more: that is the library's to say.
fn protocols(versions: &Versions, command: Span) -> Setting<Protocols> {
    let lowest = versions.lowest.as_ref().map_or(Protocol::Tls10, |bound| bound.value);
    let highest = versions.highest.as_ref().map_or(Protocol::Tls13, |bound| bound.value);
    let all = [Protocol::Tls10, Protocol::Tls11, Protocol::Tls12, Protocol::Tls13];
    let left = all.into_iter().filter(|version| {
        *version >= lowest && *version <= highest && !versions.without.iter().any(|out| out.value == *version)
    });
    let value = Protocols { versions: left.collect() };
    match versions.highest.as_ref().or(versions.lowest.as_ref()).or(versions.without.first()) {
        Some(bound) => Setting::Given(Located::new(value, bound.span)),
        None => Setting::Default { value, parent: command },
    }
}

/// A passphrase that stands in the command line.
fn passphrase(word: &Argument, value: &str) -> FileRef {
    if let Some(why) = &word.unseen {
        return unseen_passphrase(word, why.clone());
    }
    let content = Content::Bytes(Text::opaque(word.text.span, value.as_bytes()));
    FileRef { content: Lookup::Found(content), ..unseen_passphrase(word, String::new()) }
}

fn unseen_passphrase(word: &Argument, why: String) -> FileRef {
    let path = Located::new("the passphrase".to_owned(), word.text.span);
    FileRef { path, content: Lookup::Unseen(why), mode: None }
}

/// Reads files as the command's user does.
struct Reader<'w> {
    world: &'w World<'w>,
    machine: &'w Machine,
    secrets: &'w Secrets<'w>,
    /// The image in which the command runs.
    image: Option<&'w Located<String>>,
}

impl Reader<'_> {
    fn read(&self, argument: &Argument) -> FileRef {
        let path = &argument.text;
        let content = match (&argument.unseen, path.value.strip_prefix(SECRET)) {
            (Some(why), _) => Lookup::Unseen(why.clone()),
            (None, Some(rest)) => self.secret(rest),
            (None, None) if self.is_relative(path) => {
                Lookup::Unseen(format!("{} is relative to the folder in which the command runs", path.value))
            }
            (None, None) => return self.machine.read(&self.world.index, path, "/"),
        };
        FileRef { path: path.clone(), content, mode: None }
    }

    /// In which folder of a container a command runs is the image's to say, or the script's.
    fn is_relative(&self, path: &Located<String>) -> bool {
        matches!(self.machine.files, Files::Container(_)) && !path.value.starts_with('/')
    }

    fn secret(&self, rest: &str) -> Lookup<Content> {
        let mut parts = rest.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(namespace), Some(name), Some(key)) if !key.is_empty() => {
                (self.secrets)(namespace, name, key)
            }
            _ => Lookup::Unseen(format!("{SECRET}{rest} is not {SECRET}NAMESPACE/SECRET/KEY")),
        }
    }

    fn text(&self, path: &Located<String>) -> Lookup<Text> {
        if self.is_relative(path) {
            return Lookup::Unseen(format!(
                "{} is relative to the folder in which the command runs",
                path.value
            ));
        }
        match self.machine.read(&self.world.index, path, "/").content {
            Lookup::Found(Content::Bytes(text)) => Lookup::Found(text),
            Lookup::Found(_) => Lookup::Unseen(format!("{} is no file that could be read", path.value)),
            Lookup::Missing(missing) => Lookup::Missing(missing),
            Lookup::Unseen(why) => Lookup::Unseen(why),
        }
    }
}

#[cfg(test)]
mod tests;
