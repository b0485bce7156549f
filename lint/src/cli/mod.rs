//! Arguments in, text out, exit status.

mod baseline;
mod config;
mod decide;
mod fault;
mod fix;
mod inspect;
mod load;
mod lsp;
mod man;
mod progress;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use mtls_lint::assume::Assume;
use mtls_lint::config::{Config, Deny as Least};
use mtls_lint::finding::{Incomplete, Note, Severity};
use mtls_lint::handshake::{Outcome, UnixSeconds};
use mtls_lint::render;
use mtls_lint::report::Files;
use mtls_lint::source::Sources;
use mtls_lint::{Options, Report};

/// Reads gateway, etcd, nginx, Kubernetes and cert-manager configuration, predicts every TLS connection
/// of the deployment and names each mistake on the line where it stands.
#[derive(Debug, Parser)]
#[command(name = "mtls-lint", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Findings for everything in the paths
    Check(Check),
    /// Every TLS connection of the deployment, or the connections that COMMAND would open
    Predict(Predict),
    /// Certificates, keys, bundles: what they are, in which order, whether they belong together
    Inspect(inspect::Inspect),
    /// What the filter would answer to a request
    Decide(decide::Decide),
    /// The Language Server Protocol over standard input and output, for editors
    Lsp(lsp::Lsp),
    /// The rule's page
    Explain {
        /// A rule's id, or a line from a log
        #[arg(allow_hyphen_values = true)]
        what: String,
    },
    /// The catalogue of rules
    Rules,
    /// Completions for a shell
    Completions {
        /// bash, zsh, fish, elvish, powershell
        shell: clap_complete::Shell,
    },
    /// A page of the manual, for man -l -
    Man {
        /// One of these commands; default: the program
        command: Option<String>,
    },
    /// A JSON schema, for editors and for who reads our JSON
    Schema {
        /// Of mtls-lint.yaml, or of what --format json prints
        #[arg(value_enum)]
        what: Described,
    },
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Described {
    Config,
    Output,
}

#[derive(Debug, Args)]
struct Check {
    /// Files, folders, or - for standard input as one YAML or JSON stream
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    judge: Judge,
    #[command(flatten)]
    baseline: baseline::KnownFindings,
    /// How to print
    #[arg(long, default_value = "human", value_enum)]
    format: Format,
    /// Make every certain edit in the files, and tell what is left
    #[arg(long)]
    fix: bool,
    /// Show what --fix would change, and change nothing; status 1 if there is anything
    #[arg(long, conflicts_with = "fix")]
    diff: bool,
    /// Print every finding, however many are alike
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Args)]
struct Predict {
    /// Files, folders, or - for standard input as one YAML or JSON stream
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    judge: Judge,
    /// How to print
    #[arg(long, default_value = "human", value_enum)]
    format: Drawing,
    /// A curl, etcdctl or openssl s_client command line, with leading NAME=value assignments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What is judged, when, and what fails the run.
#[derive(Debug, Args)]
struct Judge {
    /// DIR stands for / of the machine: absolute paths in configurations resolve beneath it
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The time to judge at, RFC 3339; default: now
    #[arg(long, value_name = "TIME", value_parser = mtls_lint::time::parse)]
    at: Option<UnixSeconds>,
    /// Versions and settings: nginx=1.26.3, openssl=3.5, openssl-seclevel=2, curl=8.14.1, etcd=3.5.16, go=1.24,
    /// envoy=1.40.0, apisix=3.2.0, cert-manager=1.18, cluster-domain=cluster.local
    #[arg(long, value_name = "NAME=VALUE,…", value_delimiter = ',')]
    assume: Vec<String>,
    /// How early an expiry is a warning; default: 30d
    #[arg(long, value_name = "DURATION", value_parser = mtls_lint::time::parse_duration)]
    expires_within: Option<i64>,
    /// From which severity on findings fail the run; default: error
    #[arg(long, value_enum)]
    deny: Option<Deny>,
    #[command(flatten)]
    config: config::ConfigFile,
    /// Colours
    #[arg(long, value_enum, default_value = "auto")]
    color: Color,
}

/// Formats of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
    Sarif,
    Github,
    Junit,
}

/// Formats of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Drawing {
    Human,
    Json,
    Mermaid,
    Svg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    Error,
    Warning,
    Advice,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// The exit statuses of the contract.
const FINE: u8 = 0;
const FOUND: u8 = 1;
const INCOMPLETE: u8 = 2;

/// Runs the program.
pub fn run() -> ExitCode {
    fault::say_where_alone();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // help and version go to standard output with status 0, wrong arguments to standard error with 2
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { INCOMPLETE } else { FINE });
        }
    };
    let status = match cli.command {
        Command::Check(arguments) => check(&arguments),
        Command::Predict(arguments) => predict(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Decide(arguments) => decide::run(&arguments),
        Command::Lsp(arguments) => lsp::run(arguments),
        Command::Explain { what } => explain(&what),
        Command::Rules => print(&rules(), FINE),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mtls-lint", &mut script);
            print(&String::from_utf8_lossy(&script), FINE)
        }
        Command::Man { command } => match man::page(command.as_deref()) {
            Some(page) => print(&String::from_utf8_lossy(&page), FINE),
            None => {
                note("mtls-lint: there is no such command; mtls-lint help lists them");
                INCOMPLETE
            }
        },
        Command::Schema { what: Described::Output } => print(render::json::SCHEMA, FINE),
        Command::Schema { what: Described::Config } => print(&mtls_lint::config::schema_text(), FINE),
    };
    ExitCode::from(status)
}

fn check(arguments: &Check) -> u8 {
    let loaded = match load(&arguments.paths, &arguments.judge, None) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    let deny = loaded.deny;
    let root = arguments.judge.root.as_deref();
    let known = match arguments.baseline.suppressor(root) {
        Ok(known) => known,
        Err(status) => return status,
    };
    if arguments.diff {
        return fix::diff(&loaded, &known);
    }
    let (mut report, unwritten) = if arguments.fix {
        match fix::write(&loaded, &known) {
            Ok(written) => written,
            Err(status) => return status,
        }
    } else {
        let mut report = loaded.judge(&loaded.files.sources);
        // where programs read the result, it carries the edits
        if matches!(arguments.format, Format::Json | Format::Sarif) {
            mtls_lint::fix::attach(&loaded.files.sources, &mut report, &|sources| loaded.judge(sources));
        }
        (report, false)
    };
    if let Err(status) = arguments.baseline.apply(&mut report, root) {
        return status;
    }
    let text = match arguments.format {
        Format::Human if arguments.full => {
            render::terminal::check_full(&report, style(arguments.judge.color))
        }
        Format::Human => render::terminal::check(&report, style(arguments.judge.color)),
        Format::Json => render::json::check(&report),
        Format::Sarif => render::sarif::check(&report),
        Format::Github => render::github::check(&report),
        Format::Junit => render::junit::check(&report),
    };
    let denied = match deny {
        Least::From(least) => report.findings.iter().any(|finding| finding.severity >= least),
        Least::Never => false,
    };
    let status = finish(&report, &text, denied);
    // a hint for people; scripts know their options
    if arguments.format == Format::Human && !arguments.fix && io::stderr().is_terminal() {
        let proposed = mtls_lint::fix::proposed(&loaded.files.sources, &report);
        if proposed > 0 {
            note(&format!(
                "for {proposed} of them there may be a certain edit: --diff shows it, --fix makes it"
            ));
        }
    }
    if unwritten { INCOMPLETE } else { status }
}

fn predict(arguments: &Predict) -> u8 {
    let command = (!arguments.command.is_empty()).then(|| arguments.command.clone());
    let loaded = match load(&arguments.paths, &arguments.judge, command) {
        Ok(loaded) => loaded,
        Err(status) => return status,
    };
    let report = loaded.judge(&loaded.files.sources);
    let text = match arguments.format {
        Drawing::Human => render::terminal::predict(&report, style(arguments.judge.color)),
        Drawing::Json => render::json::predict(&report),
        Drawing::Mermaid => render::diagram::mermaid(&report),
        Drawing::Svg => render::diagram::svg(&report),
    };
    let broken = report.connections.iter().any(|connection| {
        !matches!(connection.prediction.outcome, Outcome::Completes | Outcome::Undetermined)
    });
    finish(&report, &text, broken && loaded.deny != Least::Never)
}

/// Prints a result, names what was left out, and decides the exit status.
fn finish(report: &Report, text: &str, found: bool) -> u8 {
    let status = print(text, if found { FOUND } else { FINE });
    note_incomplete(&report.files, &report.incomplete);
    note_left_out(report);
    if report.incomplete.is_empty() { status } else { INCOMPLETE }
}

/// Names what could not be read or understood, each with its place.
fn note_incomplete(files: &Files, incomplete: &[Incomplete]) {
    for Incomplete { file, span, message } in incomplete {
        let place = span.map_or_else(String::new, |span| {
            let (start, _) = files.places(span);
            format!(":{}:{}", start.line, start.column)
        });
        note(&format!("mtls-lint: {file}{place}: {message}"));
    }
}

/// Names what was left out, the first of each kind.
fn note_left_out(report: &Report) {
    for alike in report.notes.chunk_by(|a, b| a.kind == b.kind) {
        let Some(first) = alike.first() else { continue };
        let place = first.span.map_or_else(String::new, |span| {
            let (start, _) = report.files.places(span);
            format!(":{}:{}", start.line, start.column)
        });
        let more = match alike.len() {
            1 => String::new(),
            count => format!(" ({} more like it)", count - 1),
        };
        note(&format!("mtls-lint: note: {}{place}: {}{more}", first.file, first.message));
    }
}

fn explain(what: &str) -> u8 {
    if let Some(rule) = mtls_lint::rules::find(what) {
        return print(&format!("{} ({})\n\n{}\n", rule.id, rule.severity.name(), rule.page()), FINE);
    }
    let causes = mtls_lint::explain::causes(what);
    if causes.is_empty() {
        note(&format!("mtls-lint: nothing is known of {what:?}; mtls-lint rules lists the rules"));
        return FOUND;
    }
    let lines = causes.iter().map(|cause| {
        let page = cause.rule.page();
        let first = page.lines().next().unwrap_or_default().to_owned();
        format!("{}: {first}\n    because of: {}\n", cause.rule.id, cause.text)
    });
    let text: String = lines.collect();
    print(&format!("{text}\nmtls-lint explain RULE-ID prints what to do\n"), FINE)
}

fn rules() -> String {
    let width = mtls_lint::rules::RULES.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let lines = mtls_lint::rules::RULES.iter().map(|rule| {
        let page = rule.page();
        let first = page.lines().next().unwrap_or_default().to_owned();
        format!("{:width$}  {:7}  {first}\n", rule.id, rule.severity.name())
    });
    lines.collect()
}

/// What is judged, and how.
struct Loaded {
    files: load::Loaded,
    options: Options,
    config: Config,
    /// From which severity on findings fail the run.
    deny: Least,
}

impl Loaded {
    /// The report of these files, or of edited ones in their place.
    fn judge(&self, sources: &Sources) -> Report {
        let progress = progress::Progress::begin("judging", sources.iter().count());
        let mut report = mtls_lint::lint_with(sources, &self.options, &self.config);
        drop(progress);
        let mut incomplete = self.files.incomplete.clone();
        incomplete.append(&mut report.incomplete);
        report.incomplete = incomplete;
        report.notes.extend(self.files.notes.iter().cloned());
        let place = |note: &Note| note.span.map(|span| span.start);
        report.notes.sort_by(|a, b| (a.kind, &a.file, place(a)).cmp(&(b.kind, &b.file, place(b))));
        report.notes.dedup();
        report
    }
}

/// Loads; an Err is the exit status of a run that could not begin.
fn load(paths: &[PathBuf], judge: &Judge, command: Option<Vec<String>>) -> Result<Loaded, u8> {
    if paths.is_empty() && judge.root.is_none() {
        note("mtls-lint: nothing to read; name a file or folder, - for standard input, or --root DIR");
        return Err(INCOMPLETE);
    }
    load_all(paths, judge, command)
}

/// The same, where there may be nothing to read.
fn load_all(paths: &[PathBuf], judge: &Judge, command: Option<Vec<String>>) -> Result<Loaded, u8> {
    let root = judge.root.as_deref();
    let configuration = judge.config.read(paths, root)?;
    let config = &configuration.config;
    // what is said last counts
    let assume: Vec<&String> = config.assume.iter().chain(&judge.assume).collect();
    let assume = Assume::parse(&assume).map_err(|error| {
        note(&format!("mtls-lint: --assume: {error}"));
        INCOMPLETE
    })?;
    let files = load::sources(paths, root, &configuration);
    let at = judge.at.unwrap_or_else(now);
    let expires_within = judge.expires_within.or(config.expires_within).unwrap_or(THIRTY_DAYS);
    let deny = judge.deny.map(Deny::least).or(config.deny).unwrap_or(Least::From(Severity::Error));
    let options = Options { at, assume, expires_within, command };
    Ok(Loaded { files, options, config: configuration.config, deny })
}

/// How early an expiry is a warning, unless somebody says otherwise.
const THIRTY_DAYS: i64 = 30 * 86_400;

impl Deny {
    fn least(self) -> Least {
        match self {
            Self::Error => Least::From(Severity::Error),
            Self::Warning => Least::From(Severity::Warning),
            Self::Advice => Least::From(Severity::Advice),
            Self::Never => Least::Never,
        }
    }
}

fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn style(color: Color) -> render::terminal::Style {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    let color = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("NO_COLOR") => false,
        Color::Auto => set("CLICOLOR_FORCE") || io::stdout().is_terminal(),
    };
    render::terminal::Style { color, width: 110 }
}

/// Prints the result; a broken pipe ends quietly.
fn print(text: &str, status: u8) -> u8 {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => status,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => status,
        Err(error) => {
            note(&format!("mtls-lint: standard output: {error}"));
            INCOMPLETE
        }
    }
}

/// Prints a note to standard error; nothing can be done if that fails.
fn note(text: &str) {
    let _ =
        writeln!(io::stderr().lock(), "{}", mtls_lint::visible::visible(&mtls_lint::report::tidied(text)));
}
