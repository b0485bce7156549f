//! Makes target/dist: both builds of the filter, trimmed to the callbacks in use, with checksums.
//!
//! `cargo run --release -p mtls-tests --bin dist`

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use mtls_tests::programs::target;
use mtls_tests::trim::{CALLED, trim};
use mtls_tests::wasm::compile;
use sha2::{Digest as _, Sha256};

/// What is built: the file, the features of package mtls-guard, and what its gateway calls beside the usual.
const MODULES: [(&str, &[&str], &[&str]); 2] = [
    ("mtls_guard.wasm", &["--features", "metrics"], &["proxy_on_tick"]),
    ("mtls_guard_apisix.wasm", &[], &[]),
];

/// A module is loaded by every worker and downloaded by some.
const GOAL: usize = 600_000;

fn main() -> ExitCode {
    match make() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dist: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no folder")?;
    let root = &root.canonicalize()?;
    let dist = target().join("dist");
    std::fs::create_dir_all(&dist)?;
    let mut sums = String::new();
    for (name, features, called) in MODULES {
        let module = compile(root, "mtls-guard", features, &["-C", "link-arg=--emit-relocs"])?;
        let module = trim(&module, &[&CALLED, called].concat())?;
        if module.len() > GOAL {
            eprintln!("dist: {name} has {} bytes, the goal is {GOAL}", module.len());
        }
        let digest: String = Sha256::digest(&module).iter().map(|byte| format!("{byte:02x}")).collect();
        sums.push_str(&format!("{digest}  {name}\n"));
        std::fs::write(dist.join(name), &module)?;
        println!("{digest}  {} ({} bytes)", dist.join(name).display(), module.len());
    }
    std::fs::write(dist.join("SHA256SUMS"), sums)?;
    Ok(())
}
