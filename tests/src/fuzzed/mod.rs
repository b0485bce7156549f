//! What is fuzzed, as plain functions: `tests/fuzz` feeds them under a sanitizer, the tests replay the seeds and every
//! past finding on stable Rust.
//!
//! A function panics where what it was given breaks a promise: of the code itself (no panic, no overflow, no hang), or
//! one that it states (spans lie in their file, JSON is JSON, only an identity of the policy passes).

mod filter;
mod seeds;
mod text;
mod whole;

pub use whole::{MOMENT, checked};

/// One entrance for hostile bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name, also of the binary in `tests/fuzz`.
    pub name: &'static str,
    /// Takes whatever bytes there are.
    pub run: fn(&[u8]),
    /// Where fuzzing begins: made of `fixtures/`, so that there is nothing to keep in step.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every entrance.
pub const TARGETS: &[Target] = &[
    Target { name: "apisix", run: whole::apisix, seeds: seeds::apisix },
    Target { name: "certificate", run: filter::certificate, seeds: seeds::certificate },
    Target { name: "command", run: whole::command, seeds: seeds::command },
    Target { name: "envoy", run: whole::envoy, seeds: seeds::envoy },
    Target { name: "etcd", run: whole::etcd, seeds: seeds::etcd },
    Target { name: "filter", run: filter::filter, seeds: seeds::filter },
    Target { name: "inspect", run: whole::inspect, seeds: seeds::pem },
    Target { name: "lint", run: whole::lint, seeds: seeds::lint },
    Target { name: "nginx", run: whole::nginx, seeds: seeds::nginx },
    Target { name: "path", run: filter::path, seeds: seeds::path },
    Target { name: "pem", run: text::pem, seeds: seeds::pem },
    Target { name: "policy", run: filter::policy, seeds: seeds::policy },
    Target { name: "rfc9440", run: filter::rfc9440, seeds: seeds::rfc9440 },
    Target { name: "script", run: whole::script, seeds: seeds::script },
    Target { name: "xfcc", run: filter::xfcc, seeds: seeds::xfcc },
    Target { name: "yaml", run: text::yaml, seeds: seeds::yaml },
];

/// The target of a name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
