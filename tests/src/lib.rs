//! Shared pieces of the tests: provisioned programs, minted certificates, scenarios, recorded observations,
//! the linter as a process.

#![forbid(unsafe_code)]

pub mod ask;
pub mod browser;
pub mod cases;
pub mod client;
pub mod envoy;
pub mod fuzzed;
pub mod generate;
pub mod hosts;
pub mod mint;
pub mod oracle;
pub mod page;
pub mod programs;
pub mod seeded;
pub mod serve;
pub mod trim;
pub mod truth;
pub mod visit;
pub mod wasm;
