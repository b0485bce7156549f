//! A machine for one scenario: its own network (nothing but loopback), its own /etc, its own processes.
//!
//! `unshare` makes the namespaces, as root or, where the kernel lets everyone make user namespaces, as anybody. Inside,
//! the `oracle` binary runs again as the first process, so that ending it ends everything that it started.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::observe::{self, Observed};
use super::scenario::Scenario;

/// Files of this machine that the programs need beside the scenario's.
const BORROWED: &[&str] = &["passwd", "group", "ld.so.cache", "ld.so.conf", "ssl/openssl.cnf", "localtime"];

/// Runs the scenario of a folder in a machine of its own; the observation comes back through a file.
///
/// # Errors
/// Namespaces cannot be made here, or the run gave no observation.
pub fn play(oracle: &Path, folder: &Path) -> Result<Observed, String> {
    let mut command = Command::new("unshare");
    let root = fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    if !root {
        command.args(["--user", "--map-root-user"]);
    }
    let output = command
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(oracle)
        .arg("inside")
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("unshare (package util-linux) does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "{}: no observation: {} (network and mount namespaces are needed: run as root, or allow user namespaces)",
            folder.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let path = folder.join("observation.json");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The first process inside: sets the machine up, runs the scenario, writes the observation.
///
/// # Errors
/// The machine could not be set up, or a program could not be started.
pub fn inside(folder: &Path) -> Result<(), String> {
    let complain = |error: std::io::Error| format!("{}: {error}", folder.display());
    let text = fs::read_to_string(folder.join("scenario.json")).map_err(complain)?;
    let scenario: Scenario = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let programs = observe::Programs::find()?;

    let machine = folder.join("machine");
    let etc = machine.join("etc");
    if machine.exists() {
        fs::remove_dir_all(&machine).map_err(complain)?;
    }
    for name in BORROWED {
        let target = etc.join(name);
        fs::create_dir_all(target.parent().unwrap_or(&etc)).map_err(complain)?;
        if Path::new("/etc").join(name).exists() {
            fs::copy(Path::new("/etc").join(name), target).map_err(complain)?;
        }
    }
    fs::write(etc.join("nsswitch.conf"), "hosts: files\n").map_err(complain)?;
    super::copy(&folder.join("rootfs/etc"), &etc)?;
    run("ip", &["link", "set", "lo", "up"])?;
    run("mount", &["--bind", &etc.display().to_string(), "/etc"])?;
    for (hidden, below) in [("/run", "etcd"), ("/var/lib", "nginx"), ("/var/log", "nginx")] {
        if !folder.starts_with(hidden) && !programs.lie_below(Path::new(hidden)) {
            run("mount", &["-t", "tmpfs", "tmpfs", hidden])?;
        }
        fs::create_dir_all(Path::new(hidden).join(below)).map_err(complain)?;
    }

    let observed = observe::observe(&scenario, &programs, &machine)?;
    let text = serde_json::to_string_pretty(&observed).map_err(|error| error.to_string())?;
    fs::write(folder.join("observation.json"), text + "\n").map_err(complain)
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program} does not run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{program} {}: {said}", arguments.join(" "))) }
}
