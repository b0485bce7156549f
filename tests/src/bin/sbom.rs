//! What a program is built of, as CycloneDX 1.5: `cargo run -p mtls-tests --bin sbom -- mtls-lint > mtls-lint.cdx.json`.
//!
//! From Cargo.lock and cargo's own graph: every package that code of the program may come from, with its checksum.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, ExitCode};

use serde_json::{Value, json};

fn main() -> ExitCode {
    let Some(program) = std::env::args().nth(1) else {
        eprintln!("sbom: name a package: mtls-lint, mtls-guard or mtls-demo");
        return ExitCode::from(2);
    };
    match bill(&program) {
        Ok(bill) => {
            println!("{bill:#}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sbom: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bill(program: &str) -> Result<Value, String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let lock = std::fs::read_to_string(format!("{root}/Cargo.lock")).map_err(|error| error.to_string())?;
    let checksums = checksums(&lock);

    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|package| (text(&package["id"]), package)).collect();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let first = packages.iter().find(|(_, package)| package["name"] == program);
    let (first, whole) = first.ok_or_else(|| format!("there is no package {program}"))?;

    let mut found = BTreeSet::new();
    let mut open = vec![first.clone()];
    while let Some(id) = open.pop() {
        if !found.insert(id.clone()) {
            continue;
        }
        for dependency in nodes.get(&id).map(|node| list(&node["deps"])).unwrap_or_default() {
            // what is needed to test or to build is no part of the program
            if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                open.push(text(&dependency["pkg"]));
            }
        }
    }
    found.remove(first);
    let components: Vec<Value> = found.iter().filter_map(|id| packages.get(id)).map(|package| {
        let (name, version) = (text(&package["name"]), text(&package["version"]));
        let checksum = checksums.get(&(name.clone(), version.clone()));
        let hashes: Vec<Value> = checksum.map(|checksum| json!({"alg": "SHA-256", "content": checksum})).into_iter().collect();
        json!({
            "type": "library", "name": name, "version": version, "purl": format!("pkg:cargo/{name}@{version}"),
            "licenses": [{"expression": text(&package["license"]).replace('/', " OR ")}], "hashes": hashes,
        })
    }).collect();
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {"type": "application", "name": program, "version": whole["version"]}},
        "components": components,
    }))
}

/// Name and version → SHA-256 of the package as Cargo.lock has it.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        block.lines().find_map(|line| Some(line.strip_prefix(key)?.trim_matches([' ', '=', '"']).to_owned()))
    };
    let blocks = lock.split("[[package]]");
    blocks
        .filter_map(|block| {
            Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?))
        })
        .collect()
}
