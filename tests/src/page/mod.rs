//! Makes the page and its package out of the linter compiled to WebAssembly.

mod apart;
mod examples;
mod order;
mod script;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use wasm_bindgen_cli_support::Bindgen;

use crate::programs::target;
use crate::trim::trim_keeping;
use crate::wasm;

use apart::{Apart, apart};
use order::by_likeness;

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
pub const GOAL: u64 = 900_000;

/// The module, and what its memory begins with.
const MODULE: &str = "mtls_demo_bg.wasm";
const CONSTANTS: &str = "mtls_demo_bg.data";

/// What wasm-bindgen reads: the descriptions of what is exported, and which features the module uses.
const READ_BY_BINDGEN: [&str; 2] = ["__wasm_bindgen_unstable", "target_features"];

/// Modules that page and package share: the linter for JavaScript, and its types.
const LIBRARY: [&str; 2] = ["mtls-lint.js", "mtls-lint.d.ts"];

/// Builds everything into target/page.
///
/// # Errors
/// What failed, in words.
pub fn make() -> Result<Made, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace has no folder")?;
    let page = target().join("page");
    let made = Made {
        site: page.join("site"),
        package: page.join("package"),
        module: page.join("site").join(MODULE),
    };
    let root = &root.canonicalize()?;
    let compiled = wasm::compile(root, &wasm::folder(), "mtls-demo", &[], &["-C", "link-arg=--emit-relocs"])?;
    let compiled = trim_keeping(&compiled, &READ_BY_BINDGEN)?;
    for folder in [&made.site, &made.package] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    bind(compiled, &made.package)?;
    for name in ["mtls_demo.js", MODULE, CONSTANTS] {
        fs::copy(made.package.join(name), made.site.join(name))?;
    }
    let www = root.join("wasm-demo/www");
    for entry in fs::read_dir(&www)? {
        let entry = entry?;
        fs::copy(entry.path(), made.site.join(entry.file_name()))?;
    }
    let text = |name: &str| fs::read_to_string(made.site.join(name));
    let worker = script::one(&text("mtls_demo.js")?, &text(LIBRARY[0])?, &text("worker.js")?)?;
    fs::write(made.site.join("worker.js"), worker)?;
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

fn bind(compiled: Vec<u8>, folder: &Path) -> Result<(), Box<dyn Error>> {
    Bindgen::new()
        .input_bytes("mtls_demo", compiled)
        .web(true)
        .map_err(|error| format!("{error:#}"))?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .map_err(|error| format!("wasm-bindgen: {error:#}"))?;
    let module = folder.join(MODULE);
    let Apart { module: code, constants } = apart(&by_likeness(&fs::read(&module)?)?)?;
    fs::write(module, code)?;
    fs::write(folder.join(CONSTANTS), constants)?;
    Ok(())
}
