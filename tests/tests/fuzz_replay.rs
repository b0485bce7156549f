//! The seeds of every fuzz target, whole and damaged in simple ways, and every past finding: on stable Rust, without a
//! sanitizer.

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mtls_tests::fuzzed::{TARGETS, Target};
use mtls_tests::seeded::Seeded;

/// Unoptimised, beside other tests: what takes a second when fuzzed.
const PATIENCE: Duration = Duration::from_secs(20);

fn findings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/findings")
}

fn replay(target: &Target, what: &str, input: &[u8]) {
    let start = Instant::now();
    let outcome = panic::catch_unwind(|| (target.run)(input));
    let took = start.elapsed();
    assert!(outcome.is_ok(), "{} breaks a promise on {what}", target.name);
    assert!(took < PATIENCE, "{} took {took:?} on {what}", target.name);
}

#[test]
fn past_findings_stay_mended() {
    let mut replayed = 0;
    for folder in fs::read_dir(findings()).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let target = mtls_tests::fuzzed::target(name).unwrap_or_else(|| panic!("there is no target {name}"));
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            replay(target, &file.display().to_string(), &fs::read(&file).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed > 0, "no finding beneath {}", findings().display());
}

#[test]
fn every_seed_keeps_every_promise() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(seeds.len() > 1, "{} has hardly any seed", target.name);
        for (number, seed) in seeds.iter().enumerate() {
            replay(target, &format!("seed {number}"), seed);
        }
    }
}

/// A few seeds of each target, cut, with a byte changed, and doubled.
#[test]
fn damaged_seeds_keep_every_promise() {
    let mut random = Seeded::new("fuzz replay");
    for target in TARGETS {
        let seeds: Vec<Vec<u8>> = (target.seeds)().into_iter().filter(|seed| !seed.is_empty()).collect();
        for (number, whole) in seeds.iter().enumerate().step_by(seeds.len().div_ceil(12)) {
            let cut = random.below(whole.len());
            replay(target, &format!("seed {number} cut at {cut}"), &whole[..cut]);
            let mut changed = whole.clone();
            let (at, byte) = (random.below(whole.len()), u8::try_from(random.below(256)).unwrap());
            changed[at] = byte;
            replay(target, &format!("seed {number} with {byte:#x} at {at}"), &changed);
            if number % 4 == 0 {
                replay(target, &format!("seed {number} twice"), &[whole.as_slice(), whole].concat());
            }
        }
    }
}
