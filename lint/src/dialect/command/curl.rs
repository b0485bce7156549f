//! curl: options in any order, URLs, `--next`, configuration files.
//!
//! Checked against curl 7.88.1; later releases where a comment says so.

use super::curl_options::{self, CurlOption};
use super::{Argument, Open, Versions, refusal, variable};
use crate::deployment::{Lookup, Protocol, Refusal};
use crate::source::{Located, Span, Text};
use crate::syntax::url::{NoUrl, Url};

/// What a curl fetches.
#[derive(Debug, Clone)]
pub struct Curl {
    /// Where the command stands.
    pub span: Span,
    /// One for each URL.
    pub transfers: Vec<Transfer>,
    /// What it refuses.
    pub refusals: Vec<Refusal>,
    /// URLs that were not seen; completes "undetermined because …".
    pub unseen: Vec<String>,
}

/// One URL with the options that hold for it.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// The URL as written.
    pub written: Argument,
    /// The URL's parts, `http` where no scheme is written.
    pub url: Url,
    /// Options.
    pub options: Options,
}

/// Options of one group of URLs.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--cert`, without its password.
    pub cert: Option<Argument>,
    /// The passphrase of the key: `--pass`, or what follows the certificate.
    pub passphrase: Option<Argument>,
    /// `--key`.
    pub key: Option<Argument>,
    /// `--cert-type`, as written.
    pub cert_type: Option<String>,
    /// `--key-type`, as written.
    pub key_type: Option<String>,
    /// `--cacert`, or the variable that stands for it.
    pub cacert: Option<Argument>,
    /// `--crlfile`.
    pub crl: Option<Argument>,
    /// Where `--insecure` is given.
    pub insecure: Option<Span>,
    /// `--resolve` entries in order.
    pub resolve: Vec<Argument>,
    /// `--connect-to` entries in order.
    pub connect_to: Vec<Argument>,
    /// Protocol versions.
    pub versions: Versions,
    /// `--ciphers`.
    pub ciphers: Option<Argument>,
    /// `--curves`.
    pub groups: Option<Argument>,
    /// `--tls13-ciphers`.
    pub suites: Option<Argument>,
    /// Headers, names in lower case; a later one of a name does not replace an earlier one.
    pub headers: Vec<(String, String)>,
    /// A header or the method is not known: the request is not judged.
    pub hides_request: bool,
    /// `-X`, or what other options make of the method.
    pub method: Option<String>,
    /// What is not modelled and may change the outcome; completes "undetermined because …".
    pub unseen: Vec<String>,
    /// Method that data, `-I`, `-T` imply.
    implied: Option<&'static str>,
    get: bool,
    data: Vec<String>,
    proxy: Option<String>,
    no_proxy: Option<String>,
    default_scheme: Option<String>,
    no_glob: bool,
}

/// What opens a set or a range of which curl makes several URLs.
const GLOB: [char; 2] = ['{', '['];

const SEVERAL_URLS: &str = "curl makes several URLs of the braces or brackets in this one";

impl Options {
    /// It makes several URLs of braces and brackets.
    fn globs(&self) -> bool {
        !self.no_glob
    }

    /// Types of files that are not read; such a file may be refused before a server asks for anything.
    fn unread_types(&self) -> Vec<String> {
        let is_read = |name: &str| ["PEM", "DER"].iter().any(|read| name.eq_ignore_ascii_case(read));
        let given = [(&self.cert, &self.cert_type), (&self.key, &self.key_type)];
        let types = given.into_iter().filter_map(|(file, name)| file.as_ref().and(name.as_ref()));
        types.filter(|name| !is_read(name)).map(|name| format!("files of type {name} are not read")).collect()
    }
}

impl Transfer {
    /// The method of the request.
    pub fn method(&self) -> String {
        let implied = if self.options.get { None } else { self.options.implied };
        self.options.method.clone().unwrap_or_else(|| implied.unwrap_or("GET").to_owned())
    }

    /// Path and query of the request.
    pub fn path(&self) -> String {
        let mut path = self.url.path.clone();
        if !path.starts_with('/') {
            path.insert(0, '/');
        }
        if self.options.get && !self.options.data.is_empty() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&self.options.data.join("&"));
        }
        path
    }

    /// The Host header.
    pub fn host(&self) -> String {
        let given = self.options.headers.iter().rev().find(|(name, _)| name == "host");
        given.map_or_else(|| self.url.authority(), |(_, value)| value.clone())
    }

    /// The port that is dialled, before `--connect-to`.
    pub fn port(&self) -> u16 {
        self.url.port.unwrap_or(if self.url.scheme == "https" { 443 } else { 80 })
    }

    /// Why it is not known where the connection goes.
    pub fn unseen_target(&self) -> Option<String> {
        let redirected = self.options.connect_to.iter().chain(&self.options.resolve);
        let unseen = |(what, word): (&str, &Argument)| {
            word.unseen.as_ref().map(|why| format!("{what} was not seen: {why}"))
        };
        let words = std::iter::once(("the URL", &self.written))
            .chain(redirected.map(|word| ("the value of --connect-to or --resolve", word)));
        let made = || (self.options.globs() && self.url.host.contains(GLOB)).then(|| SEVERAL_URLS.to_owned());
        words.filter_map(unseen).next().or_else(made)
    }

    /// Where the connection really goes, if an option says so: `--connect-to`, then `--resolve` for what it led to.
    pub fn connect_to(&self) -> Option<(String, u16)> {
        let host = self.url.host.to_ascii_lowercase();
        let (mut to, mut port) = (host.clone(), self.port());
        for entry in &self.options.connect_to {
            let Some([host_1, port_1, host_2, port_2]) = fields(&entry.text.value) else { continue };
            let fits = |field: &str, value: &str| field.is_empty() || field.eq_ignore_ascii_case(value);
            if fits(&host_1, &host) && fits(&port_1, &self.port().to_string()) {
                if !host_2.is_empty() {
                    to = host_2;
                }
                port = port_2.parse().unwrap_or(port);
                break;
            }
        }
        // a later entry for the same name and port replaces an earlier one; `*` serves where none fits
        let mut exact = None;
        let mut any = None;
        for entry in &self.options.resolve {
            let text = entry.text.value.trim_start_matches('+');
            if let Some(removed) = text.strip_prefix('-') {
                if removed.eq_ignore_ascii_case(&format!("{to}:{port}")) {
                    exact = None;
                }
                continue;
            }
            let Some((name, rest)) = host_and_rest(text) else { continue };
            let Some((entry_port, addresses)) = rest.split_once(':') else { continue };
            if entry_port.parse() != Ok(port) {
                continue;
            }
            let address = addresses.split(',').next().unwrap_or_default();
            let address = address.trim_start_matches('[').trim_end_matches(']').to_owned();
            if name == "*" {
                any = Some(address);
            } else if name.eq_ignore_ascii_case(&to) {
                exact = Some(address);
            }
        }
        match exact.or(any) {
            Some(address) => Some((address, port)),
            None if (to.as_str(), port) != (host.as_str(), self.port()) => Some((to, port)),
            None => None,
        }
    }
}

/// Reads the arguments after `curl`.
pub fn read(span: Span, arguments: &[Argument], environment: &[(String, Argument)], open: &Open<'_>) -> Curl {
    let mut reader = Reader {
        open,
        options: Options::default(),
        urls: Vec::new(),
        read: Curl { span, transfers: Vec::new(), refusals: Vec::new(), unseen: Vec::new() },
    };
    reader.words(arguments, 0);
    reader.next();
    let mut read = reader.read;
    if read.transfers.is_empty() && read.refusals.is_empty() && read.unseen.is_empty() {
        read.refusals.push(refusal(
            "there is no URL".to_owned(),
            span,
            "add the URL, https://HOST:PORT/PATH",
            Some("curl: (2) no URL specified".to_owned()),
        ));
    }
    for transfer in &mut read.transfers {
        from_environment(transfer, environment);
    }
    read
}

/// `CURL_CA_BUNDLE`, `SSL_CERT_FILE` and the variables for proxies.
fn from_environment(transfer: &mut Transfer, environment: &[(String, Argument)]) {
    let options = &mut transfer.options;
    if options.cacert.is_none() {
        // SSL_CERT_DIR stands between the two (tool_operate.c)
        let bundle = variable(environment, "CURL_CA_BUNDLE");
        if let (None, Some(_)) = (bundle, variable(environment, "SSL_CERT_DIR")) {
            options.unseen.push("SSL_CERT_DIR names a folder of certificates, which is not read".to_owned());
        }
        options.cacert = bundle.or_else(|| variable(environment, "SSL_CERT_FILE")).cloned();
    }
    let by_scheme =
        if transfer.url.scheme == "https" { ["https_proxy", "HTTPS_PROXY"] } else { ["http_proxy", ""] };
    let names = by_scheme.into_iter().chain(["all_proxy", "ALL_PROXY"]);
    let from_variable = names.filter_map(|name| variable(environment, name)).next();
    let proxy = options.proxy.clone().or_else(|| from_variable.map(|value| value.text.value.clone()));
    let excluded = options.no_proxy.clone().or_else(|| {
        let value = variable(environment, "no_proxy").or_else(|| variable(environment, "NO_PROXY"))?;
        Some(value.text.value.clone())
    });
    let host = transfer.url.host.to_ascii_lowercase();
    let excluded = excluded.is_some_and(|list| {
        list.split([',', ' ']).any(|item| {
            let item = item.trim_start_matches('.').to_ascii_lowercase();
            item == "*" || !item.is_empty() && (host == item || host.ends_with(&format!(".{item}")))
        })
    });
    if proxy.is_some_and(|proxy| !proxy.is_empty()) && !excluded {
        options.unseen.push("the connection goes through a proxy, which is not modelled".to_owned());
    }
}

struct Reader<'o> {
    open: &'o Open<'o>,
    options: Options,
    urls: Vec<Argument>,
    read: Curl,
}

/// Configuration files within configuration files.
const DEEPEST: usize = 4;

impl Reader<'_> {
    fn words(&mut self, arguments: &[Argument], depth: usize) {
        let mut words = arguments.iter();
        let mut only_urls = false;
        while let Some(word) = words.next() {
            let text = word.text.value.as_str();
            if only_urls || !text.starts_with('-') || text == "-" {
                self.urls.push(word.clone());
            } else if text == "--" {
                only_urls = true;
            } else if let Some(name) = text.strip_prefix("--") {
                let Some((option, on)) = self.long(name, word) else { return };
                let value = if option.takes_value { words.next().cloned() } else { None };
                if !self.apply(option, on, word, value, depth) {
                    return;
                }
            } else if !self.letters(word, &mut words, depth) {
                return;
            }
        }
    }

    /// `-sSv`, `-XPOST`, `-E cert`: letters until one takes the rest, or the next word.
    fn letters<'a>(
        &mut self,
        word: &Argument,
        words: &mut impl Iterator<Item = &'a Argument>,
        depth: usize,
    ) -> bool {
        let letters = word.text.value.char_indices().skip(1);
        for (at, letter) in letters {
            let Some(option) = curl_options::short(letter) else {
                self.unknown(&format!("-{letter}"));
                return false;
            };
            if option.takes_value {
                let start = at + letter.len_utf8();
                let value = if start < word.text.value.len() {
                    Some(word.tail(start))
                } else {
                    words.next().cloned()
                };
                return self.apply(option, true, word, value, depth);
            }
            if !self.apply(option, true, word, None, depth) {
                return false;
            }
        }
        true
    }

    /// The option of a long name and whether it is turned on.
    fn long(&mut self, name: &str, word: &Argument) -> Option<(CurlOption, bool)> {
        let exact = curl_options::long(name);
        match (exact, name.strip_prefix("no-").map(curl_options::long)) {
            (Ok(option), _) => Some((option, true)),
            (_, Some(Ok(option))) if !option.takes_value => Some((option, false)),
            (Err(several), _) => {
                if several {
                    let log = format!("curl: option --{name}: is ambiguous");
                    let message = format!("several options begin with --{name}");
                    self.read.refusals.push(refusal(
                        message,
                        word.text.span,
                        "write the whole name",
                        Some(log),
                    ));
                } else if let Some((option, _)) =
                    name.split_once('=').filter(|(option, _)| curl_options::long(option).is_ok())
                {
                    let message = format!(
                        "curl takes the value of --{option} as a word of its own, without an equals sign"
                    );
                    let log = format!("curl: option --{name}: is unknown");
                    self.read.refusals.push(refusal(
                        message,
                        word.text.span,
                        &format!("write --{option} VALUE"),
                        Some(log),
                    ));
                } else {
                    self.unknown(&format!("--{name}"));
                }
                None
            }
        }
    }

    /// A newer curl may know it: nothing is claimed.
    fn unknown(&mut self, option: &str) {
        self.options.unseen.push(format!("curl's option {option} is not known here"));
    }

    fn apply(
        &mut self,
        option: CurlOption,
        on: bool,
        word: &Argument,
        value: Option<Argument>,
        depth: usize,
    ) -> bool {
        let at = word.text.span;
        let Some(value) = value else {
            if option.takes_value {
                let log = format!("curl: option {}: requires parameter", word.text.value);
                let message = format!("{} has no value", word.text.value);
                self.read.refusals.push(refusal(message, at, "add its value", Some(log)));
                return false;
            }
            self.switch(option.name, on, at);
            return true;
        };
        self.value(option.name, value, depth);
        true
    }

    fn switch(&mut self, name: &str, on: bool, at: Span) {
        let options = &mut self.options;
        let lowest = |protocol| Some(Located::new(protocol, at));
        match name {
            "insecure" => options.insecure = on.then_some(at),
            "get" => options.get = on,
            "head" => options.implied = Some("HEAD"),
            "globoff" => options.no_glob = on,
            // the lowest version only; --tls-max names the highest
            "tlsv1" | "tlsv1.0" => options.versions.lowest = lowest(Protocol::Tls10),
            "tlsv1.1" => options.versions.lowest = lowest(Protocol::Tls11),
            "tlsv1.2" => options.versions.lowest = lowest(Protocol::Tls12),
            "tlsv1.3" => options.versions.lowest = lowest(Protocol::Tls13),
            "next" => self.next(),
            "cert-status" if on => {
                options
                    .unseen
                    .push("--cert-status asks the server for a revocation answer (OCSP)".to_owned());
            }
            "http3" | "http3-only" if on => {
                options.unseen.push("HTTP/3 is not modelled".to_owned());
            }
            "ca-native" if on => options.unseen.push("--ca-native trusts the platform's store".to_owned()),
            _ => {}
        }
    }

    fn value(&mut self, name: &str, value: Argument, depth: usize) {
        let options = &mut self.options;
        let text = value.text.value.clone();
        let matters = matches!(
            name,
            "resolve"
                | "connect-to"
                | "tls-max"
                | "ciphers"
                | "curves"
                | "tls13-ciphers"
                | "cert-type"
                | "key-type"
        );
        if let Some(why) = value.unseen.as_ref().filter(|_| matters) {
            options.unseen.push(format!("the value of --{name} was not seen: {why}"));
        }
        options.hides_request |= matches!(name, "header" | "request") && value.unseen.is_some();
        match name {
            "url" => self.urls.push(value),
            "cert" => {
                let (file, password) = certificate_and_password(&text);
                match password {
                    Some(password) => {
                        let part = |text| Argument {
                            text: Located::new(text, value.text.span),
                            unseen: value.unseen.clone(),
                        };
                        options.passphrase = Some(part(password));
                        options.cert = Some(part(file));
                    }
                    None => options.cert = Some(value),
                }
            }
            "key" => options.key = Some(value),
            "pass" => options.passphrase = Some(value),
            "cacert" => options.cacert = Some(value),
            "capath" => {
                options.unseen.push("--capath names a folder of certificates, which is not read".to_owned());
            }
            "crlfile" => options.crl = Some(value),
            "cert-type" => options.cert_type = Some(text),
            "key-type" => options.key_type = Some(text),
            "resolve" => options.resolve.push(value),
            "connect-to" => options.connect_to.push(value),
            "tls-max" => {
                options.versions.highest = match text.as_str() {
                    "1.0" => Some(Protocol::Tls10),
                    "1.1" => Some(Protocol::Tls11),
                    "1.2" => Some(Protocol::Tls12),
                    "1.3" => Some(Protocol::Tls13),
                    _ => None,
                }
                .map(|protocol| Located::new(protocol, value.text.span));
            }
            "ciphers" => options.ciphers = Some(value),
            "curves" => options.groups = Some(value),
            "tls13-ciphers" => options.suites = Some(value),
            "header" => {
                if let Some((name, content)) = text.split_once(':') {
                    options.headers.push((name.trim().to_ascii_lowercase(), content.trim().to_owned()));
                }
            }
            "request" => options.method = Some(text),
            "data" | "data-ascii" | "data-binary" | "data-raw" | "data-urlencode" => {
                options.implied = Some("POST");
                options.data.push(text);
            }
            "json" | "form" | "form-string" => options.implied = Some("POST"),
            "upload-file" => options.implied = Some("PUT"),
            "proxy" | "proxy1.0" | "socks4" | "socks4a" | "socks5" | "socks5-hostname" | "preproxy" => {
                options.proxy = Some(text);
            }
            "noproxy" => options.no_proxy = Some(text),
            "unix-socket" | "abstract-unix-socket" => {
                options.unseen.push("the connection goes through a Unix socket".to_owned());
            }
            "pinnedpubkey" => {
                options
                    .unseen
                    .push("--pinnedpubkey compares the server's key, which is not modelled".to_owned());
            }
            "engine" => options.unseen.push("--engine takes keys from elsewhere".to_owned()),
            "doh-url" => options.unseen.push("addresses come from a DNS server over HTTPS".to_owned()),
            "sigalgs" | "signature-algorithms" => {
                options.unseen.push("--sigalgs narrows the signatures, which is not modelled".to_owned());
            }
            "proto-default" => options.default_scheme = Some(text.to_ascii_lowercase()),
            "config" if depth < DEEPEST => self.file(&value, depth),
            _ => {}
        }
    }

    /// `-K FILE`.
    fn file(&mut self, path: &Argument, depth: usize) {
        match (path.unseen.clone(), (self.open)(&path.text)) {
            (None, Lookup::Found(text)) => {
                let arguments = file_arguments(&text);
                self.words(&arguments, depth + 1);
            }
            (None, Lookup::Missing(missing)) => self.read.refusals.push(refusal(
                missing.message,
                path.text.span,
                "write the path of a file that is there",
                Some(format!("curl: cannot read config from '{}'", path.text.value)),
            )),
            (Some(why), _) | (None, Lookup::Unseen(why)) => {
                self.options.unseen.push(format!("the configuration of curl was not seen: {why}"));
            }
        }
    }

    /// Ends a group of options.
    fn next(&mut self) {
        let options = std::mem::take(&mut self.options);
        for written in std::mem::take(&mut self.urls) {
            let text = written.text.value.as_str();
            let mut options = options.clone();
            options.unseen.extend(written.unseen.clone().map(|why| format!("the URL was not seen: {why}")));
            let unread = options.unread_types();
            options.unseen.extend(unread);
            let several = written.unseen.is_none() && options.globs() && has_glob(text);
            if several {
                options.unseen.push(SEVERAL_URLS.to_owned());
            }
            match Url::parse(text) {
                Ok(mut url) => {
                    if url.scheme.is_empty() {
                        url.scheme = options.default_scheme.clone().unwrap_or_else(|| "http".to_owned());
                    }
                    if !matches!(url.scheme.as_str(), "http" | "https") {
                        options.unseen.push(format!("{} is not modelled", url.scheme));
                    }
                    self.read.transfers.push(Transfer { written, url, options });
                }
                // the parts that are not known may make a URL of it
                Err(_) if written.unseen.is_some() => {
                    self.read.unseen.extend(written.unseen.map(|why| format!("the URL was not seen: {why}")));
                }
                Err(_) if several => self.read.unseen.push(SEVERAL_URLS.to_owned()),
                Err(why) => {
                    let log = match why {
                        NoUrl::Port => "curl: (3) URL using bad/illegal format or missing URL",
                        NoUrl::Host | NoUrl::Brackets | NoUrl::Character => "curl: (3)",
                    };
                    self.read.refusals.push(refusal(
                        format!("{text} is no URL: {why}"),
                        written.text.span,
                        "write https://HOST:PORT/PATH",
                        Some(log.to_owned()),
                    ));
                }
            }
        }
    }
}

/// `certificate:password`; a colon of the path is written `\:`.
fn certificate_and_password(text: &str) -> (String, Option<String>) {
    if text.starts_with("pkcs11:") {
        return (text.to_owned(), None);
    }
    // the colon of our own name for a key of a Secret parts nothing
    let (mut file, rest) = match text.strip_prefix("k8s:") {
        Some(rest) => ("k8s:".to_owned(), rest),
        None => (String::new(), text),
    };
    let mut characters = rest.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some(':' | '\\')) => file.extend(characters.next()),
            (':', _) => return (file, Some(characters.collect())),
            _ => file.push(character),
        }
    }
    (file, None)
}

/// `HOST1:PORT1:HOST2:PORT2`, addresses in brackets.
fn fields(text: &str) -> Option<[String; 4]> {
    let (host_1, rest) = host_and_rest(text)?;
    let (port_1, rest) = rest.split_once(':')?;
    let (host_2, port_2) = host_and_rest(rest)?;
    Some([host_1, port_1.to_owned(), host_2, port_2.to_owned()])
}

/// A host, in brackets or not, and what follows its colon.
fn host_and_rest(text: &str) -> Option<(String, &str)> {
    match text.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']')?;
            Some((host.to_owned(), after.strip_prefix(':')?))
        }
        None => text.split_once(':').map(|(host, rest)| (host.to_owned(), rest)),
    }
}

/// Braces, or brackets that hold no address.
fn has_glob(text: &str) -> bool {
    let bracket = text.find('[').is_some_and(|at| {
        let inner = text.get(at + 1..).and_then(|rest| rest.split(']').next()).unwrap_or_default();
        inner.parse::<std::net::Ipv6Addr>().is_err() && !inner.contains('%')
    });
    bracket || text.contains('{') && text.contains('}')
}

/// The options in a configuration file: `name = value`, `name: value`, `--name value`, `-x value`, one a line.
fn file_arguments(text: &Text) -> Vec<Argument> {
    let Ok(content) = text.as_str() else { return Vec::new() };
    let mut arguments = Vec::new();
    let mut offset = 0;
    for line in content.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let body = line.trim();
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        let begin = start + line.find(body).unwrap_or_default();
        let end = body.find([' ', '\t', '=', ':']).unwrap_or(body.len());
        let (name, rest) = body.split_at(end);
        let word = if name.starts_with('-') { name.to_owned() } else { format!("--{name}") };
        let argument = |text_value: String, range| Argument {
            text: Located::new(text_value, text.span(range)),
            unseen: None,
        };
        arguments.push(argument(word, begin..begin + name.len()));
        let value = rest.trim_start_matches([' ', '\t', '=', ':']);
        if value.is_empty() {
            continue;
        }
        let at = begin + end + (rest.len() - value.len());
        match value.strip_prefix('"') {
            Some(quoted) => {
                let mut unquoted = String::new();
                let mut characters = quoted.chars();
                while let Some(character) = characters.next() {
                    match character {
                        '"' => break,
                        '\\' => unquoted.extend(characters.next()),
                        other => unquoted.push(other),
                    }
                }
                let length = unquoted.len();
                arguments.push(argument(unquoted, at + 1..at + 1 + length));
            }
            None => {
                let value = value.split_whitespace().next().unwrap_or_default();
                arguments.push(argument(value.to_owned(), at..at + value.len()));
            }
        }
    }
    arguments
}
