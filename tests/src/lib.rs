//! Shared pieces of the tests: provisioned programs, scenarios, the linter as a process.
