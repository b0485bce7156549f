//! Side by side with what a user would pick instead: wall time, processor time and peak memory on 1, 100 and 10,000 files.
//!
//! `cargo run --release -p mtls-tests --bin compare` installs gixy, pkilint, zizmor and yamllint from PyPI into
//! `target/compare`, makes the files, measures each program three times in turn (the least counts), and writes the table
//! into the README between its markers. `-- --quick` leaves out 10,000 files and does not write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use mtls_tests::generate::deployment;
use mtls_tests::mint::certificate::General;
use mtls_tests::mint::key::KeyKind;
use mtls_tests::mint::pem;
use mtls_tests::mint::plan::{Item, Plan, Role};
use serde::Deserialize;

const TURNS: usize = 3;
/// Seconds after which a program is not run again.
const LONG: f64 = 10.0;
const BEGIN: &str = "<!-- measured -->";
const END: &str = "<!-- /measured -->";

fn main() -> ExitCode {
    let quick = std::env::args().any(|argument| argument == "--quick");
    match compare(quick) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(quick: bool) -> Result<(), String> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().map_err(|error| error.to_string())?;
    let place = root.join("target/compare");
    // as the README says that a release is built
    let host = text(Command::new("rustc").arg("-vV"))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let mut build = Command::new("cargo");
    build.args(["build", "--profile", "dist", "--locked", "-p", "mtls-lint", "--target", host]);
    run(build.env("RUSTFLAGS", "-C target-feature=+crt-static").current_dir(&root))?;
    let lint = mtls_tests::programs::target().join(host).join("dist/mtls-lint");
    let sizes: &[usize] = if quick { &[1, 100] } else { &[1, 100, 10_000] };
    let largest = sizes.last().copied().unwrap_or(1);

    let mut rows = Vec::new();
    let mut versions = Vec::new();
    let peer = |name: &str, program: &str| -> Result<PathBuf, String> {
        let venv = place.join(format!("venv-{name}"));
        let program = venv.join("bin").join(program);
        if !program.exists() {
            println!("installing {name} from PyPI");
            run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
            let pip = venv.join("bin/pip");
            run(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", name]))?;
        }
        Ok(program)
    };
    let gixy = peer("gixy", "gixy")?;
    let pkilint = peer("pkilint", "lint_pkix_cert")?;
    let zizmor = peer("zizmor", "zizmor")?;
    let yamllint = peer("yamllint", "yamllint")?;
    for name in ["gixy", "pkilint", "zizmor", "yamllint"] {
        let pip = place.join(format!("venv-{name}/bin/pip"));
        let shown = text(Command::new(pip).args(["show", name]))?;
        let version = shown.lines().find_map(|line| line.strip_prefix("Version: ")).unwrap_or("?");
        versions.push(format!("{name} {version}"));
    }
    versions
        .push(text(Command::new("openssl").arg("version"))?.split(' ').take(2).collect::<Vec<_>>().join(" "));

    println!("making {largest} files of each kind");
    let nginx = files(&place.join("nginx"), largest, "conf", nginx_text)?;
    let workflows = files(&place.join("workflows"), largest, "yml", workflow_text)?;
    let manifests = files(&place.join("manifests"), largest, "yaml", manifest_text)?;
    let certificates = certificates(&place.join("certificates"), largest, KeyKind::Ec(256))?;
    let ca = certificates.ca.as_str();

    let openssl = PathBuf::from("openssl");
    for &size in sizes {
        let take = |all: &[String]| all.iter().take(size).cloned().collect::<Vec<_>>();
        let check = |paths: Vec<String>| {
            [vec!["check".to_owned(), "--deny".to_owned(), "never".to_owned()], paths].concat()
        };
        rows.push((
            "nginx configurations",
            size,
            measure(&[("mtls-lint check", &lint, check(take(&nginx))), ("gixy", &gixy, take(&nginx))])?,
        ));
        rows.push((
            "Kubernetes manifests",
            size,
            measure(&[
                ("mtls-lint check", &lint, check(take(&manifests))),
                (
                    "yamllint",
                    &yamllint,
                    [vec!["-d".to_owned(), "relaxed".to_owned()], take(&manifests)].concat(),
                ),
            ])?,
        ));
        rows.push((
            "workflow files",
            size,
            measure(&[
                ("mtls-lint check", &lint, check(take(&workflows))),
                (
                    "zizmor",
                    &zizmor,
                    [
                        vec![
                            "--offline".to_owned(),
                            "--no-progress".to_owned(),
                            "--no-exit-codes".to_owned(),
                        ],
                        take(&workflows),
                    ]
                    .concat(),
                ),
                (
                    "yamllint",
                    &yamllint,
                    [vec!["-d".to_owned(), "relaxed".to_owned()], take(&workflows)].concat(),
                ),
            ])?,
        ));
        let own = [vec!["inspect".to_owned(), ca.to_owned()], take(&certificates.files)].concat();
        let verify =
            [vec!["verify".to_owned(), "-CAfile".to_owned(), ca.to_owned()], take(&certificates.files)]
                .concat();
        let mut peers = vec![("mtls-lint inspect", &lint, own), ("openssl verify", &openssl, verify)];
        // it takes one certificate a run: a hundred runs would measure Python's start
        if size == 1 {
            peers.push(("pkilint", &pkilint, [vec!["lint".to_owned()], take(&certificates.files)].concat()));
        }
        rows.push(("certificates", size, measure(&peers)?));
    }
    let start = measure(&[
        ("mtls-lint --version", &lint, vec!["--version".to_owned()]),
        ("zizmor --version", &zizmor, vec!["--version".to_owned()]),
    ])?;
    rows.push(("start-up", 0, start));

    let mut goals = Vec::new();
    if !quick {
        for (name, kind, algorithm) in
            [("P-256", KeyKind::Ec(256), "ecdsap256"), ("RSA-2048", KeyKind::Rsa(2048), "rsa2048")]
        {
            let made = self::certificates(&place.join(format!("certificates-{algorithm}")), 10_000, kind)?;
            let arguments = vec!["inspect".to_owned(), made.ca.clone(), made.bundle.clone()];
            let rate = verifications(algorithm)?;
            let own = measure(&[("mtls-lint inspect", &lint, arguments)])?;
            let bare = 10_000.0 / rate;
            let cpu = own.first().map_or(0.0, |(_, used)| used.cpu);
            goals.push(format!(
                "10,000 certificates of {name} in one bundle (parse, find the issuer, verify): {cpu:.2} s of the processor; \
                 `openssl speed` takes {bare:.2} s for 10,000 bare verifications: {:.1} times",
                cpu / bare
            ));
        }
        let folder = place.join("deployment");
        let mut paths = Vec::new();
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        for (name, whole) in deployment(340) {
            for (number, document) in whole.split("---\n").enumerate() {
                let path = folder.join(format!("{number}-{name}"));
                fs::write(&path, document).map_err(|error| error.to_string())?;
                paths.push(path);
            }
        }
        let used = measure(&[("", &lint, vec!["check".to_owned(), folder.display().to_string()])])?;
        if let Some((_, used)) = used.first() {
            goals.push(format!(
                "a deployment of {} YAML files, 340 mutual TLS connections predicted and 680 certificates verified: {:.2} s by \
                 the clock, {:.2} s of the processor, {:.0} MB",
                paths.len(),
                used.wall,
                used.cpu,
                used.peak
            ));
        }
    }

    let table = table(&rows, &goals, &versions);
    println!("{table}");
    if !quick {
        let readme = root.join("README.md");
        let whole = fs::read_to_string(&readme).map_err(|error| error.to_string())?;
        let (before, rest) = whole.split_once(BEGIN).ok_or("the README has no place for the table")?;
        let (_, after) = rest.split_once(END).ok_or("the README's place for the table has no end")?;
        fs::write(&readme, format!("{before}{BEGIN}\n{table}{END}{after}"))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What a run took.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Used {
    /// Seconds by the clock.
    wall: f64,
    /// Seconds of the processor.
    cpu: f64,
    /// Peak memory in MB.
    peak: f64,
}

/// Runs a program and reports its resources: what wait4 knows, without unsafe code here.
const MEASURE: &str = "import json, os, subprocess, sys, tempfile, time
errors = tempfile.TemporaryFile()
start = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
_, status, used = os.wait4(child.pid, 0)
wall = time.perf_counter() - start
print(json.dumps({'wall': wall, 'cpu': used.ru_utime + used.ru_stime, 'peak': used.ru_maxrss / 1024}))
errors.seek(0)
sys.stderr.buffer.write(errors.read()[-500:])
sys.exit(0 if os.WIFEXITED(status) and os.WEXITSTATUS(status) < 20 else 1)";

type Peer<'p> = (&'p str, &'p PathBuf, Vec<String>);

/// In turn, so that whatever else the machine does meets them all; the least of each counts. What takes long is run once.
fn measure<'p>(programs: &[Peer<'p>]) -> Result<Vec<(&'p str, Used)>, String> {
    let mut least: Vec<Option<Used>> = vec![None; programs.len()];
    for _ in 0..TURNS {
        for ((name, program, arguments), least) in programs.iter().zip(&mut least) {
            if least.is_some_and(|least| least.wall > LONG) {
                continue;
            }
            let mut command = Command::new("python3");
            command.args(["-ISc", MEASURE]).arg(program).args(arguments).env("NO_COLOR", "1");
            let used: Used =
                serde_json::from_str(&text(&mut command)?).map_err(|error| format!("{name}: {error}"))?;
            *least = Some(least.map_or(used, |least| Used {
                wall: least.wall.min(used.wall),
                cpu: least.cpu.min(used.cpu),
                peak: least.peak.min(used.peak),
            }));
        }
    }
    Ok(programs.iter().zip(least).filter_map(|((name, _, _), least)| Some((*name, least?))).collect())
}

fn run(command: &mut Command) -> Result<(), String> {
    text(command).map(|_| ())
}

fn text(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{}: {}", command.get_program().display(), String::from_utf8_lossy(&output.stderr)))
}

/// Verifications a second on one core.
fn verifications(algorithm: &str) -> Result<f64, String> {
    let shown = text(Command::new("openssl").args(["speed", "-seconds", "3", "-mr", algorithm]))?;
    // +F2:number:bits:sign:verify for RSA, +F4 for ECDSA: operations a second, or seconds an operation in old releases
    let line = shown.lines().find(|line| line.starts_with("+F2:") || line.starts_with("+F4:"));
    let number = line.and_then(|line| line.split(':').nth(4)?.trim().parse::<f64>().ok());
    let number =
        number.ok_or_else(|| format!("openssl speed {algorithm} says nothing of verifying:\n{shown}"))?;
    Ok(if number < 1.0 { 1.0 / number } else { number })
}

fn files(
    folder: &Path,
    count: usize,
    ending: &str,
    make: impl Fn(usize) -> String,
) -> Result<Vec<String>, String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    (0..count)
        .map(|number| {
            let path = folder.join(format!("{number:05}.{ending}"));
            fs::write(&path, make(number)).map_err(|error| error.to_string())?;
            Ok(path.display().to_string())
        })
        .collect()
}

fn nginx_text(number: usize) -> String {
    let port = 1024 + number % 60_000;
    format!(
        "events {{}}\nhttp {{\n  upstream backend {{ server 10.0.0.7:8443; }}\n  server {{\n    listen {port} ssl;\n    \
         server_name app-{number}.example.test;\n    ssl_certificate /etc/tls/{number}.pem;\n    \
         ssl_certificate_key /etc/tls/{number}.key;\n    ssl_client_certificate /etc/tls/ca.pem;\n    \
         ssl_verify_client on;\n    location / {{\n      proxy_pass https://backend;\n      proxy_ssl_verify on;\n      \
         proxy_ssl_trusted_certificate /etc/tls/ca.pem;\n      proxy_set_header Host $host;\n    }}\n  }}\n}}\n"
    )
}

fn manifest_text(number: usize) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: app-{number}\n  namespace: shop\n  labels:\n    app: app-{number}\n\
         spec:\n  selector:\n    app: app-{number}\n  ports:\n    - name: https\n      port: 443\n      targetPort: 8443\n---\n\
         apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata:\n  name: app-{number}\n  namespace: shop\nspec:\n  \
         secretName: app-{number}\n  usages:\n    - server auth\n  dnsNames:\n    - app-{number}\n    - app-{number}.shop.svc\n  \
         issuerRef:\n    name: authority\n    kind: ClusterIssuer\n"
    )
}

fn workflow_text(number: usize) -> String {
    format!(
        "name: build-{number}\non: [push]\npermissions: {{}}\njobs:\n  test:\n    runs-on: ubuntu-24.04\n    steps:\n      \
         - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683\n        with:\n          persist-credentials: false\n      \
         - name: Test\n        run: |\n          cargo test\n          cargo clippy\n"
    )
}

struct Certificates {
    ca: String,
    files: Vec<String>,
    bundle: String,
}

/// Certificates of one authority, of one key: what is measured is reading and verifying.
fn certificates(folder: &Path, count: usize, key: KeyKind) -> Result<Certificates, String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let path = |name: &str| folder.join(name).display().to_string();
    let made = Certificates {
        ca: path("ca.pem"),
        files: (0..count).map(|number| path(&format!("{number:05}.pem"))).collect(),
        bundle: path("bundle.pem"),
    };
    let complete = folder.join(format!("{count}.complete"));
    if complete.exists() {
        return Ok(made);
    }
    let mut plan = Plan::new(Role::Server, "compared", "compared", Vec::new());
    plan.root().key = key;
    fs::write(&made.ca, pem("CERTIFICATE", &plan.certificate(Item::Authority(0))))
        .map_err(|error| error.to_string())?;
    let mut bundle = String::new();
    for (number, file) in made.files.iter().enumerate() {
        plan.leaf.names = vec![General::Dns(format!("app-{number}.example.test"))];
        plan.leaf.serial = Some(vec![1, (number >> 16) as u8, (number >> 8) as u8, number as u8]);
        let text = pem("CERTIFICATE", &plan.certificate(Item::Leaf));
        fs::write(file, &text).map_err(|error| error.to_string())?;
        bundle.push_str(&text);
    }
    fs::write(&made.bundle, bundle).map_err(|error| error.to_string())?;
    fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(made)
}

fn table(rows: &[(&str, usize, Vec<(&str, Used)>)], goals: &[String], versions: &[String]) -> String {
    let mut out =
        "| input | program | by the clock | processor | peak memory |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for (what, size, measured) in rows {
        let input = match size {
            0 => (*what).to_owned(),
            1 => format!("1 of {what}"),
            10_000 => format!("10,000 {what}"),
            size => format!("{size} {what}"),
        };
        let Some((_, own)) = measured.first() else { continue };
        for (index, (program, used)) in measured.iter().enumerate() {
            let input = if index == 0 { input.as_str() } else { "" };
            let against = |own: f64, used: f64| {
                if index == 0 { String::new() } else { format!(" ({})", times(used / own)) }
            };
            out.push_str(&format!(
                "| {input} | {program} | {}{} | {}{} | {:.0} MB |\n",
                seconds(used.wall),
                against(own.wall, used.wall),
                seconds(used.cpu),
                against(own.cpu, used.cpu),
                used.peak
            ));
        }
    }
    out.push('\n');
    for goal in goals {
        out.push_str(&format!("- {goal}\n"));
    }
    // how time grows from 100 to 10,000 files
    for (what, _, measured) in rows.iter().filter(|(_, size, _)| *size == 10_000) {
        let small = rows.iter().find(|(other, size, _)| other == what && *size == 100);
        for (program, large) in measured {
            let before = small.and_then(|(_, _, small)| small.iter().find(|(other, _)| other == program));
            if let Some((_, before)) = before {
                out.push_str(&format!(
                    "- 100 times as many {what}: {program} takes {:.0} times as much of the processor\n",
                    large.cpu / before.cpu
                ));
            }
        }
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    out.push_str(&format!(
        "\nMeasured on {cores} cores with {}. In brackets: how many times mtls-lint's. Less memory than the 12 MB of the program \
         that measures cannot be seen.\n",
        versions.join(", ")
    ));
    out
}

fn times(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1} ×") } else { format!("{ratio:.0} ×") }
}

fn seconds(time: f64) -> String {
    if time < 0.1 { format!("{:.1} ms", time * 1000.0) } else { format!("{time:.2} s") }
}
