//! The command line: arguments, files, clock, exit status. The contract is the README's reference part.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
