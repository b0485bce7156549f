//! A package compiled to WebAssembly, the same bytes on every machine.

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::target;

/// Where modules are built: a folder of its own, for the flags concern every crate in it.
pub fn folder() -> PathBuf {
    target().join("modules")
}

const TARGET: &str = "wasm32-unknown-unknown";

/// Compiles a package as a module alone: built as a library beside, it would be linked without what link-time
/// optimisation takes away. Symbols and custom sections are still in it. `folder` is where it is built; `last` is for its
/// own compiler alone.
///
/// # Errors
/// What cargo did not do.
pub fn compile(
    root: &Path,
    folder: &Path,
    package: &str,
    features: &[&str],
    last: &[&str],
) -> Result<Vec<u8>, Box<dyn Error>> {
    let status = Command::new(cargo())
        .current_dir(root)
        .args(["rustc", "--quiet", "--locked", "--profile", "wasm", "--target", TARGET])
        .args(["-p", package, "--lib", "--crate-type", "cdylib"])
        .args(features)
        .arg("--target-dir")
        .arg(folder)
        .arg("--")
        .args(last)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(root)?.join("\u{1f}"))
        // wasm-bindgen reads the section that says which features a module uses; who is done with it strips it
        .env("CARGO_PROFILE_WASM_STRIP", "none")
        .status()?;
    if !status.success() {
        return Err(format!("cargo rustc: {status}").into());
    }
    let file = format!("{}.wasm", package.replace('-', "_"));
    Ok(std::fs::read(folder.join(TARGET).join("wasm").join(file))?)
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
