//! How long the linter takes: on generated deployments of growing size, and from start to finish as a process.
//!
//! `cargo build --release -p mtls-lint && cargo bench -p mtls-tests`

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mtls_lint::source::Sources;
use mtls_lint::{Options, lint};
use mtls_tests::ask::AT;
use mtls_tests::generate::{MANIFESTS_EACH, deployment};
use mtls_tests::programs::Program;

fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check");
    group.sample_size(10);
    for workloads in [10, 100, 1000] {
        let files = deployment(workloads);
        group.throughput(Throughput::Bytes(files.iter().map(|(_, text)| text.len() as u64).sum()));
        group.bench_function(BenchmarkId::new("manifests", workloads * MANIFESTS_EACH), |bencher| {
            bencher.iter(|| {
                let mut sources = Sources::default();
                for (path, text) in &files {
                    sources.add(path.as_str(), text.as_str());
                }
                let options = Options {
                    at: 1_795_392_000,
                    assume: Default::default(),
                    expires_within: 30 * 86400,
                    command: None,
                };
                lint(&sources, &options)
            });
        });
    }
    group.finish();
}

fn process(criterion: &mut Criterion) {
    let Ok(program) = Program::Lint.find() else {
        eprintln!("no linter beside this benchmark: cargo build --release -p mtls-lint");
        return;
    };
    let article = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/deployments/apisix-mtls-article");
    let run = |program: &PathBuf, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status()
    };
    let mut group = criterion.benchmark_group("process");
    group.bench_function("start-up", |bencher| bencher.iter(|| run(&program, &["--version"])));
    let article = article.display().to_string();
    group.bench_function("article", |bencher| {
        bencher.iter(|| run(&program, &["check", &article, "--at", AT]))
    });
    group.finish();
}

criterion_group!(benches, growth, process);
criterion_main!(benches);
