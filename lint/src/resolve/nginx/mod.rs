//! A launched nginx → its program: the configuration with its includes, its sockets and whom it dials.

mod dial;
mod include;
mod listen;

use std::collections::HashSet;

use super::machine::{Files, Machine, folder, normalise};
use super::{Launch, Notes, World};
use crate::deployment::{
    Configuration, Content, Credential, FileRef, Lookup, Missing, Program, Refusal, Version,
};
use crate::dialect::nginx::{self, Extent, NginxConfig, Noticed, Place};
use crate::finding::Label;
use crate::source::{Located, Span, Text};
use include::Loader;

/// What the parts of this module share.
struct Given<'w> {
    world: &'w World<'w>,
    machine: Option<&'w Machine>,
    /// The folder of the main configuration, from which relative paths count.
    prefix: String,
    version: Version,
}

/// Turns one launched nginx into its program.
pub fn link(world: &World<'_>, launch: &Launch, notes: &mut Notes) -> Vec<Program> {
    let versions = world.assume.nginx(launch.image.as_ref());
    let version = versions.program;
    let mut program = launch.program(versions);
    let arguments = Arguments::read(launch);
    let machine = world.machines.get(launch.machine);
    let mut prefix = folder(&arguments.configuration.value);
    let rooted = machine.is_some_and(|machine| matches!(machine.files, Files::Root));
    if let Some((path, text)) = launch.configuration.as_ref().filter(|_| rooted)
        && (launch.piece || !path.ends_with(".conf"))
        && main_of_machine(world, path).is_some_and(|main| main != text.file())
    {
        // a piece that the machine's own configuration does not include, or a copy of it (nginx.conf.default)
        return Vec::new();
    }
    if let Some((path, text)) = launch.configuration.as_ref().filter(|_| launch.piece) {
        let outer = snippet_home(&prefix);
        let main = outer.as_ref().and_then(|outer| world.index.file(&format!("{outer}/nginx.conf")));
        if main.is_some_and(|main| main != text.file()) && path.contains("-available/") {
            // the nginx.conf beside it does not include it: no nginx loads it
            return Vec::new();
        }
        prefix = outer.unwrap_or(prefix);
        if rooted && let Some(home) = HOMES.into_iter().find(|home| path.starts_with(&format!("{home}/"))) {
            home.clone_into(&mut prefix);
        }
    }
    let given = Given { world, machine, prefix, version };
    let mut loader = Loader::new(&given, notes);
    let mut config = match main_configuration(&given, launch, &arguments) {
        Lookup::Found(text) => {
            let mut directives = loader.load(&text, &arguments.configuration.value);
            if let Some(extra) = &arguments.directives {
                let text = Text::opaque(extra.span, extra.value.as_bytes());
                directives.extend(loader.load(&text, "command line"));
            }
            let place = if loader.is_snippet(&directives) {
                // the content of no one block is read as nothing
                let Some(place) = nginx::surroundings(&directives) else { return Vec::new() };
                directives.extend(loader.siblings(&text, &arguments.configuration.value, place));
                place
            } else {
                Place::Main
            };
            let mut config = nginx::read(&directives, place, &loader.origins, version);
            let block = match place {
                Place::Main => None,
                Place::Http => Some("http"),
                Place::Stream => Some("stream"),
                Place::Mail => Some("mail"),
            };
            if let Some(block) = block {
                leave_to_surroundings(&mut config);
                config.surroundings_unseen = true;
                loader.assumed(
                    launch,
                    format!("no nginx.conf was seen: this file is read as the content of its {block} block"),
                );
            }
            config
        }
        Lookup::Missing(missing) => {
            let path = &arguments.configuration;
            let mut labels = vec![Label { span: path.span, message: String::new() }];
            labels.extend(missing.labels);
            program.refusals.push(Refusal {
                rule: missing.rule,
                message: format!("nginx does not find its configuration: {}", missing.message),
                labels,
                help: None,
                log: Some(format!("open() \"{}\" failed (2: No such file or directory)", path.value)),
            });
            return vec![program];
        }
        Lookup::Unseen(why) => {
            // the stock nginx.conf of the image includes what is mounted into conf.d
            let directives = loader.stock_includes();
            if directives.is_empty() {
                program.unseen.push(why);
                return vec![program];
            }
            loader.assumed(
                launch,
                format!("{why}: taken for the stock one, which includes the mounted files in its http block"),
            );
            nginx::read(&directives, Place::Http, &loader.origins, version)
        }
    };
    program.refusals = in_order(std::mem::take(&mut loader.refusals), &mut config);
    program.refusals.extend(missing_files(&given, &config));
    fill(&mut program, &given, config);
    vec![program]
}

/// What a server lacks may be inherited from an http block that nobody saw: that is no mistake of the pieces at hand.
fn leave_to_surroundings(config: &mut NginxConfig) {
    let inherited = ["certificate-without-key", "missing-server-certificate", "verification-without-trust"];
    let before = config.refusals.len();
    config.refusals.retain(|noticed| !inherited.contains(&noticed.refusal.rule));
    if config.refusals.len() < before {
        config.unseen.push("the http block around these files was not seen, and may say more".to_owned());
    }
}

/// Files that nginx opens when it starts, whether or not a connection needs them, and that are not there.
fn missing_files(given: &Given<'_>, config: &NginxConfig) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut told = HashSet::new();
    let mut look = |path: &Located<String>, what: &str, line: &dyn Fn(&str) -> String| {
        let Lookup::Missing(missing) = given.file(path).content else { return };
        // one directive serves many servers
        if !told.insert(path.span) {
            return;
        }
        let mut labels = vec![Label { span: path.span, message: String::new() }];
        labels.extend(missing.labels);
        refusals.push(Refusal {
            rule: missing.rule,
            message: format!("nginx cannot open {what} {}: {}", path.value, missing.message),
            labels,
            help: None,
            log: Some(line(&normalise(&given.prefix, &path.value))),
        });
    };
    let opened = |full: &str| format!("open() \"{full}\" failed (2: No such file or directory)");
    // as it reads the directive
    for server in &config.servers {
        let of_locations = server.locations.iter().filter_map(|location| location.tls.password_file.as_ref());
        for path in server.tls.password_file.iter().chain(of_locations) {
            look(path, "the password file", &opened);
        }
    }
    // what is opened for connections by TLS is judged with them
    let groups = config.groups();
    let served: HashSet<usize> = groups
        .iter()
        .filter(|group| group.ssl)
        .flat_map(|group| group.members.iter().map(|(index, _)| *index))
        .collect();
    for (index, server) in config.servers.iter().enumerate() {
        let tls = &server.tls;
        if tls.certificates.is_empty() {
            continue;
        }
        if !served.contains(&index) {
            for path in &tls.certificates {
                look(path, "the certificate", &|full| {
                    format!("cannot load certificate \"{full}\": {}", unopened(full, "r"))
                });
            }
            for path in &tls.keys {
                look(path, "the private key", &|full| {
                    format!("cannot load certificate key \"{full}\": {}", unopened(full, "r"))
                });
            }
        }
        for (path, what, mode) in [
            (&tls.dhparam, "the parameters of ssl_dhparam in", "r"),
            (&tls.stapling_file, "the OCSP response", "rb"),
        ] {
            if let Some(path) = path {
                let line = |full: &str| unopened(full, mode).replacen("()", &format!("(\"{full}\")"), 1);
                look(path, what, &line);
            }
        }
        for path in &tls.ticket_keys {
            look(path, "the key of session tickets", &opened);
        }
    }
    refusals
}

/// OpenSSL's words for a file that it cannot open.
fn unopened(path: &str, mode: &str) -> String {
    format!(
        "BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling \
         fopen({path}, {mode}) error:10000080:BIO routines::no such file)"
    )
}

/// Mistakes of the grammar among the other refusals, in the order in which nginx meets them, which stops at the first.
fn in_order(grammar: Vec<Refusal>, config: &mut NginxConfig) -> Vec<Refusal> {
    let mistake = grammar.first().and_then(|refusal| refusal.labels.first()).map(|label| label.span);
    let mut noticed = std::mem::take(&mut config.refusals);
    // within one file the place decides; what stands in another file counts as behind
    let before = mistake.map_or(0, |mistake| {
        let is_before = |at: Span| at.file == mistake.file && at.start <= mistake.start;
        noticed.iter().take_while(|noticed| noticed.at.is_some_and(is_before)).count()
    });
    let behind = noticed.split_off(before);
    let refusals = |noticed: Vec<Noticed>| noticed.into_iter().map(|noticed| noticed.refusal);
    refusals(noticed).chain(grammar).chain(refusals(behind)).collect()
}

/// Listeners, dialers and names of a configuration.
fn fill(program: &mut Program, given: &Given<'_>, mut config: NginxConfig) {
    program.unseen.append(&mut config.unseen);
    let listeners = listen::listeners(given, &config);
    dial::dialers(program, given, &config, &listeners);
    program.listeners = listeners.into_iter().map(|built| built.listener).collect();
    let names = config.servers.iter().flat_map(|server| &server.names).map(|name| name.value.as_str());
    program.aliases = names.filter(|name| is_host(name)).map(str::to_ascii_lowercase).collect();
    program.aliases.dedup();
    if program.name.is_empty() {
        program.name = match program.aliases.first() {
            Some(name) => format!("nginx {name}"),
            None => "nginx".to_owned(),
        };
    }
    config.servers.shrink_to_fit();
    program.configuration = Configuration::Nginx(Box::new(config));
}

/// Whether a `server_name` is one host's name.
fn is_host(name: &str) -> bool {
    !name.is_empty()
        && !matches!(name, "_" | "localhost" | "default" | "$hostname")
        && !name.starts_with(['~', '.', '*'])
        && !name.ends_with(".*")
}

/// The text of the main configuration.
fn main_configuration(given: &Given<'_>, launch: &Launch, arguments: &Arguments) -> Lookup<Text> {
    if let Some((_, text)) = &launch.configuration {
        return Lookup::Found(text.clone());
    }
    configuration_text(given.read(&arguments.configuration, "/").content, &arguments.configuration.value)
}

/// The bytes of a file that is read as configuration.
fn configuration_text(content: Lookup<Content>, path: &str) -> Lookup<Text> {
    let missing =
        |message: String| Lookup::Missing(Missing { rule: "missing-file", message, labels: Vec::new() });
    match content {
        Lookup::Found(Content::Bytes(text)) => Lookup::Found(text),
        Lookup::Found(Content::Empty) => Lookup::Unseen(format!("{path} has no content yet")),
        Lookup::Found(Content::Folder) => missing(format!("{path} is a folder")),
        Lookup::Found(Content::PlannedCertificates(_) | Content::PlannedKey(_)) => {
            missing(format!("{path} holds what cert-manager issues, no configuration"))
        }
        Lookup::Missing(missing) => Lookup::Missing(missing),
        Lookup::Unseen(why) => Lookup::Unseen(why),
    }
}

impl Given<'_> {
    /// What nginx finds at a path.
    fn read(&self, path: &Located<String>, base: &str) -> FileRef {
        match self.machine {
            Some(machine) => machine.read(&self.world.index, path, base),
            None => FileRef {
                path: path.clone(),
                content: Lookup::Unseen("the machine is unknown".to_owned()),
                mode: None,
            },
        }
    }

    /// A certificate, key, bundle or list: a path that counts from the main configuration's folder, or one of the other
    /// things that nginx takes there.
    fn file(&self, path: &Located<String>) -> FileRef {
        let unseen = |why: String| FileRef { path: path.clone(), content: Lookup::Unseen(why), mode: None };
        if let Some(inline) = path.value.strip_prefix("data:")
            && !inline.contains('$')
        {
            let text = Text::opaque(path.span, inline.as_bytes());
            return FileRef {
                path: Located::new("data:…".to_owned(), path.span),
                content: Lookup::Found(Content::Bytes(text)),
                mode: None,
            };
        }
        if path.value.contains('$') {
            return unseen(format!("{} holds variables, known only per connection", path.value));
        }
        if path.value.starts_with("engine:") || path.value.starts_with("store:") {
            return unseen(format!("{} lies outside of files", path.value));
        }
        self.read(path, &self.prefix)
    }

    /// The same, of a bundle or a list: nginx loads it at its start, and expands no variables.
    fn file_at_start(&self, path: &Located<String>) -> FileRef {
        if !path.value.contains('$') || path.value.starts_with("data:") {
            return self.file(path);
        }
        let content = Lookup::Missing(Missing {
            rule: "missing-file",
            message: format!("nginx expands no variables here, and has no file called {}", path.value),
            labels: vec![Label { span: path.span, message: "taken as it is written".to_owned() }],
        });
        FileRef { path: path.clone(), content, mode: None }
    }

    fn credential(
        &self,
        certificate: &Located<String>,
        key: Option<&Located<String>>,
        password_file: Option<&Located<String>>,
    ) -> Credential {
        Credential {
            certificate: self.file(certificate),
            key: key.map(|key| self.file(key)),
            passphrase: password_file.map(|file| self.read(file, &self.prefix)),
        }
    }
}

/// What the command line says.
struct Arguments {
    /// Absolute path of the main configuration.
    configuration: Located<String>,
    /// `-g`.
    directives: Option<Located<String>>,
}

impl Arguments {
    /// Reads options as ngx_get_options does: letters may be joined, values stand behind them or in the next word.
    fn read(launch: &Launch) -> Self {
        let here = launch.span.unwrap_or(Span { file: crate::source::FileId(0), start: 0, end: 0 });
        let mut configuration = None;
        let mut prefix: Option<Located<String>> = None;
        let mut directives = None;
        let mut words = launch.arguments.iter();
        while let Some(word) = words.next() {
            let Some(letters) = word.value.strip_prefix('-') else { continue };
            for (at, letter) in letters.char_indices() {
                let slot = match letter {
                    'c' => &mut configuration,
                    'p' => &mut prefix,
                    'g' => &mut directives,
                    // -e and -s take a value too
                    'e' | 's' => &mut None,
                    _ => continue,
                };
                let joined = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                *slot = if joined.is_empty() {
                    words.next().cloned()
                } else {
                    Some(Located::new(joined.to_owned(), word.span))
                };
                break;
            }
        }
        let (home, default) =
            home(launch.image.as_ref().map(|image| image.value.as_str()).unwrap_or_default());
        let home = prefix.as_ref().map_or(home, |prefix| prefix.value.as_str());
        let configuration = match (&launch.configuration, configuration) {
            (Some((path, _)), _) => Located::new(path.clone(), here),
            (None, Some(written)) => written.map(|path| normalise(home, &path)),
            (None, None) => match &prefix {
                Some(prefix) => Located::new(normalise(&prefix.value, "conf/nginx.conf"), prefix.span),
                None => {
                    Located::new(default.to_owned(), launch.image.as_ref().map_or(here, |image| image.span))
                }
            },
        };
        Self { configuration, directives }
    }
}

/// Prefix and main configuration of an image: nginx's own and Debian's, Bitnami's, OpenResty's.
fn home(image: &str) -> (&'static str, &'static str) {
    if image.contains("bitnami") {
        ("/opt/bitnami/nginx", "/opt/bitnami/nginx/conf/nginx.conf")
    } else if image.contains("openresty") {
        ("/usr/local/openresty/nginx", "/usr/local/openresty/nginx/conf/nginx.conf")
    } else {
        ("/etc/nginx", "/etc/nginx/nginx.conf")
    }
}

/// Folders of a machine in which packages and images keep nginx.conf, and from which relative includes count.
const HOMES: [&str; 5] = [
    "/etc/nginx",
    "/usr/local/nginx/conf",
    "/usr/local/etc/nginx",
    "/usr/local/openresty/nginx/conf",
    "/opt/bitnami/nginx/conf",
];

/// The whole nginx.conf of a machine, beneath `--root`, that would have to include a file: in a folder above the file,
/// or in one of the usual places.
fn main_of_machine(world: &World<'_>, path: &str) -> Option<crate::source::FileId> {
    let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
    let mut homes = above.chain(HOMES).map(|home| format!("{home}/nginx.conf"));
    homes.find_map(|path| {
        let file = world.index.file(&path)?;
        let text = world.index.sources.text(file)?;
        (nginx::extent_of(&crate::syntax::nginx::parse(&text).directives) == Extent::Whole).then_some(file)
    })
}

/// For the folder of a snippet (`conf.d` and its like, or one in it), that of the nginx.conf that includes it.
fn snippet_home(folder: &str) -> Option<String> {
    let home = |folder: &str| {
        let (home, name) = folder.rsplit_once('/')?;
        let known = name.ends_with(".d")
            || name.starts_with("sites-")
            || matches!(name, "snippets" | "server_blocks" | "vhosts" | "includes");
        known.then(|| home.to_owned())
    };
    home(folder).or_else(|| home(folder.rsplit_once('/')?.0))
}

/// Whether a machine is a folder of loose files.
fn is_loose(machine: Option<&Machine>) -> bool {
    machine.is_some_and(|machine| matches!(machine.files, Files::Loose))
}

#[cfg(test)]
mod tests;
