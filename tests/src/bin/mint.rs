//! Makes fixtures/pki anew: the same bytes every time.

use std::path::Path;
use std::process::ExitCode;

use mtls_tests::mint::fixtures;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pki");
    let written = std::fs::create_dir_all(folder.join("decisions")).and_then(|()| {
        fixtures::all().iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mint: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}
