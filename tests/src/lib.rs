//! Shared pieces of the tests: provisioned programs, minted certificates, scenarios, recorded observations,
//! the linter as a process.

pub mod ask;
pub mod truth;
