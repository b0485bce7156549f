//! Makes target/dist: both builds of the filter, trimmed to the callbacks in use, with checksums.
//!
//! `cargo run --release -p mtls-tests --bin dist`

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use mtls_tests::trim::{CALLED, trim};
use sha2::{Digest as _, Sha256};

/// What is built: the file, and the features of package mtls-guard.
const MODULES: [(&str, &[&str]); 2] =
    [("mtls_guard.wasm", &["--features", "metrics"]), ("mtls_guard_apisix.wasm", &[])];

const TARGET: &str = "wasm32-unknown-unknown";

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
    let root = &root.canonicalize()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let dist = target.join("dist");
    std::fs::create_dir_all(&dist)?;
    let mut sums = String::new();
    for (name, features) in MODULES {
        let module = trim(&build(root, &target, features)?, &CALLED)?;
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

/// Compiles the filter as a module alone: built as a library beside, it would be linked without what link-time
/// optimisation takes away.
fn build(root: &Path, target: &Path, features: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
    // a folder of its own, for the flags concern every crate in it
    let target = target.join("filter");
    let status = Command::new(cargo())
        .current_dir(root)
        .args(["rustc", "--quiet", "--locked", "--profile", "wasm", "--target", TARGET])
        .args(["-p", "mtls-guard", "--lib", "--crate-type", "cdylib"])
        .args(features)
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(root)?.join("\u{1f}"))
        .status()?;
    if !status.success() {
        return Err(format!("cargo rustc: {status}").into());
    }
    Ok(std::fs::read(target.join(TARGET).join("wasm/mtls_guard.wasm"))?)
}

/// No path of the machine that builds may be in the module, so that every machine makes the same bytes.
fn flags(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let text = |command: &mut Command| -> Result<String, Box<dyn Error>> {
        let output = command.current_dir(root).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    };
    // of the standard library's sources, which are on some machines and not on others
    let sysroot = text(Command::new("rustc").args(["--print", "sysroot"]))?;
    let version = text(Command::new("rustc").arg("-vV"))?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or_default();
    let metadata = text(Command::new(cargo()).args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let packages = metadata.get("packages").and_then(|packages| packages.as_array()).ok_or("no packages")?;
    let manifests = packages.iter().filter_map(|package| package.get("manifest_path")?.as_str());
    // the folders that hold the folders of the dependencies
    let folders: BTreeSet<&Path> = manifests
        .map(Path::new)
        .filter(|manifest| !manifest.starts_with(root))
        .filter_map(|manifest| manifest.parent()?.parent())
        .collect();
    let mut flags = vec![
        format!("--remap-path-prefix={}=.", root.display()),
        format!("--remap-path-prefix={}/lib/rustlib/src/rust=/rustc/{commit}", sysroot.trim()),
        // hashing is rare here, and its unrolled form long
        "--cfg=sha2_backend=\"soft\"".to_owned(),
        "--cfg=sha2_backend_soft=\"compact\"".to_owned(),
    ];
    flags.extend(folders.iter().map(|folder| format!("--remap-path-prefix={}=crates", folder.display())));
    Ok(flags)
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
