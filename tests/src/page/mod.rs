//! Makes the page and its package out of the linter compiled to WebAssembly.

mod examples;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_bindgen_cli_support::Bindgen;

/// What was made.
#[derive(Debug)]
pub struct Made {
    /// A folder for any static web server.
    pub site: PathBuf,
    /// A folder for `npm pack`.
    pub package: PathBuf,
    /// The WebAssembly module.
    pub module: PathBuf,
}

/// What the module may have in bytes, compressed as web servers do it: somebody waits for it.
pub const GOAL: u64 = 900 * 1024;

/// Modules that page and package share: the linter for JavaScript, and its types.
const LIBRARY: [&str; 2] = ["mtls-lint.js", "mtls-lint.d.ts"];

/// Builds everything into target/page.
///
/// # Errors
/// What failed, in words.
pub fn make() -> Result<Made, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no folder")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let page = target.join("page");
    let made = Made {
        site: page.join("site"),
        package: page.join("package"),
        module: page.join("site/mtls_demo_bg.wasm"),
    };
    let compiled = compile(root, &target)?;
    for folder in [&made.site, &made.package] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    bind(&compiled, &made.package)?;
    for name in ["mtls_demo.js", "mtls_demo_bg.wasm"] {
        fs::copy(made.package.join(name), made.site.join(name))?;
    }
    let www = root.join("wasm-demo/www");
    for entry in fs::read_dir(&www)? {
        let entry = entry?;
        fs::copy(entry.path(), made.site.join(entry.file_name()))?;
    }
    // the page has no use for types
    fs::remove_file(made.site.join(LIBRARY[1]))?;
    for name in LIBRARY {
        fs::copy(www.join(name), made.package.join(name))?;
    }
    fs::write(made.site.join("examples.json"), examples::json(root)?)?;
    let package = root.join("wasm-demo/package");
    let version = env!("CARGO_PKG_VERSION");
    for name in ["package.json", "README.md"] {
        let text = fs::read_to_string(package.join(name))?;
        fs::write(made.package.join(name), text.replace("0.0.0", version))?;
    }
    fs::copy(root.join("LICENSE"), made.package.join("LICENSE"))?;
    Ok(made)
}

fn compile(root: &Path, target: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args([
            "rustc",
            "--quiet",
            "--profile",
            "wasm",
            "--target",
            "wasm32-unknown-unknown",
            "-p",
            "mtls-demo",
            // built also as rlib, cargo would not optimise across crates
            "--lib",
            "--crate-type",
            "cdylib",
        ])
        .arg("--target-dir")
        .arg(target)
        // wasm-bindgen reads the section that says which features the module uses, and strips the rest itself
        .env("CARGO_PROFILE_WASM_STRIP", "none")
        .status()?;
    if !status.success() {
        return Err(format!("cargo build: {status}").into());
    }
    Ok(target.join("wasm32-unknown-unknown/wasm/mtls_demo.wasm"))
}

fn bind(compiled: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    Bindgen::new()
        .input_path(compiled)
        .web(true)
        .map_err(|error| format!("{error:#}"))?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .map_err(|error| format!("wasm-bindgen: {error:#}"))?;
    Ok(())
}
