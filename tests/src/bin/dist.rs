//! Makes target/dist: both builds of the filter, trimmed to the callbacks in use, with checksums.
//!
//! `cargo run --release -p mtls-tests --bin dist [-- --check]`
//!
//! `--check` builds them once more, from a copy of the sources in another folder and from nothing: the bytes have to
//! be the same.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use mtls_tests::programs::target;
use mtls_tests::trim::{CALLED, trim};
use mtls_tests::wasm::{compile, folder};
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
    for (name, module) in modules(root, &folder())? {
        if module.len() > GOAL {
            eprintln!("dist: {name} has {} bytes, the goal is {GOAL}", module.len());
        }
        let digest: String = Sha256::digest(&module).iter().map(|byte| format!("{byte:02x}")).collect();
        sums.push_str(&format!("{digest}  {name}\n"));
        std::fs::write(dist.join(name), &module)?;
        println!("{digest}  {} ({} bytes)", dist.join(name).display(), module.len());
    }
    std::fs::write(dist.join("SHA256SUMS"), sums)?;
    if std::env::args().any(|argument| argument == "--check") {
        check(root, &dist)?;
    }
    Ok(())
}

/// Both modules, made of the sources in one folder with what is built in another.
fn modules(root: &Path, folder: &Path) -> Result<Vec<(&'static str, Vec<u8>)>, Box<dyn Error>> {
    let made = MODULES.iter().map(|(name, features, called)| {
        let module = compile(root, folder, "mtls-guard", features, &["-C", "link-arg=--emit-relocs"])?;
        Ok((*name, trim(&module, &[&CALLED[..], called].concat())?))
    });
    made.collect()
}

/// Whether a copy of the sources in another folder makes the same modules.
fn check(root: &Path, dist: &Path) -> Result<(), Box<dyn Error>> {
    let copy = target().join("copy");
    if copy.exists() {
        std::fs::remove_dir_all(&copy)?;
    }
    std::fs::create_dir_all(copy.join("elsewhere"))?;
    for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "plugin", "lint", "wasm-demo", "tests"] {
        copy_all(&root.join(name), &copy.join("elsewhere").join(name))?;
    }
    for (name, module) in modules(&copy.join("elsewhere").canonicalize()?, &copy.join("built"))? {
        if std::fs::read(dist.join(name))? != module {
            std::fs::write(dist.join(format!("{name}.other")), &module)?;
            return Err(format!("{name} has other bytes when it is built in another folder").into());
        }
        println!("{name}: the same bytes from another folder");
    }
    std::fs::remove_dir_all(&copy)?;
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    if !from.is_dir() {
        std::fs::copy(from, to)?;
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        // what is built there is no source
        if entry.file_name() != "target" {
            copy_all(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
