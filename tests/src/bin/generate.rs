//! Writes a large deployment: `cargo run -p mtls-tests --bin generate -- WORKLOADS DIR`.

use std::path::Path;
use std::process::ExitCode;

use mtls_tests::generate::{MANIFESTS_EACH, deployment};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [workloads, folder] = arguments.as_slice() else {
        eprintln!("generate: WORKLOADS DIR are needed");
        return ExitCode::from(2);
    };
    let Ok(workloads) = workloads.parse() else {
        eprintln!("generate: {workloads} is no number");
        return ExitCode::from(2);
    };
    let files = deployment(workloads);
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        files.iter().try_for_each(|(name, text)| std::fs::write(Path::new(folder).join(name), text))
    });
    if let Err(error) = written {
        eprintln!("generate: {folder}: {error}");
        return ExitCode::FAILURE;
    }
    println!("{} manifests in {} files", workloads * MANIFESTS_EACH + 1, files.len());
    ExitCode::SUCCESS
}
