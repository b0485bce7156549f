//! One binary for every target of `mtls_tests::fuzzed`: MTLS_FUZZ names the target. With MTLS_FUZZ_SEEDS, its seeds and
//! the words that occur in them (for libFuzzer's -dict) are written to that folder first.

#![no_main]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use mtls_tests::fuzzed::{Target, target};

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("MTLS_FUZZ").expect("MTLS_FUZZ names a target");
        let target = TARGET.get_or_init(|| target(&name).expect("MTLS_FUZZ names a target"));
        if let Some(folder) = std::env::var_os("MTLS_FUZZ_SEEDS") {
            write(target, Path::new(&folder)).expect("the seeds can be written");
        }
    },
    |data: &[u8]| {
        (TARGET.get().expect("set at the start").run)(data);
    }
);

fn write(target: &Target, folder: &Path) -> std::io::Result<()> {
    let seeds = folder.join("seeds");
    fs::create_dir_all(&seeds)?;
    let mut words = BTreeSet::new();
    for (index, seed) in (target.seeds)().iter().enumerate() {
        fs::write(seeds.join(format!("{index:04}")), seed)?;
        let text = String::from_utf8_lossy(seed);
        let pieces = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_-.:@".contains(letter));
        words.extend(pieces.filter(|word| (3..=40).contains(&word.len())).map(str::to_owned));
    }
    let dictionary: String = words.iter().take(2000).map(|word| format!("\"{word}\"\n")).collect();
    fs::write(folder.join("words"), dictionary)
}
