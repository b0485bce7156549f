//! Makes target/dist: both builds of the filter, trimmed to the callbacks in use, with checksums.
//!
//! `cargo run --release -p mtls-tests --bin dist`

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use sha2::{Digest as _, Sha256};

/// What is built: the file, and the features of package mtls-guard.
const MODULES: [(&str, &[&str]); 2] =
    [("mtls_guard.wasm", &["--features", "metrics"]), ("mtls_guard_apisix.wasm", &[])];

/// What a host needs of the module; every further callback that is exported is called, and costs.
const EXPORTS: [&str; 8] = [
    "_initialize",
    "malloc",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_request_headers",
];

/// A module is loaded by every worker and downloaded by some.
const GOAL: usize = 600 * 1024;

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
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let dist = target.join("dist");
    std::fs::create_dir_all(&dist)?;
    let mut sums = String::new();
    for (name, features) in MODULES {
        let module = trim(&build(root, &target, features)?)?;
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

fn build(root: &Path, target: &Path, features: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args([
            "build",
            "--quiet",
            "--profile",
            "wasm",
            "--target",
            "wasm32-unknown-unknown",
            "-p",
            "mtls-guard",
        ])
        .args(features)
        .arg("--target-dir")
        .arg(target)
        .status()?;
    if !status.success() {
        return Err(format!("cargo build: {status}").into());
    }
    Ok(std::fs::read(target.join("wasm32-unknown-unknown/wasm/mtls_guard.wasm"))?)
}

/// Removes the exports that nobody needs, and the code and imports that were there for them alone.
fn trim(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut module = walrus::ModuleConfig::new()
        .generate_name_section(false)
        .generate_producers_section(false)
        .parse(module)
        .map_err(|error| format!("the module cannot be read: {error}"))?;
    let unused: Vec<_> = module
        .exports
        .iter()
        .filter(|export| !EXPORTS.contains(&export.name.as_str()))
        .map(|export| export.id())
        .collect();
    for export in unused {
        module.exports.delete(export);
    }
    for name in EXPORTS {
        if !module.exports.iter().any(|export| export.name == name) {
            return Err(format!("the module does not export {name}").into());
        }
    }
    walrus::passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}
