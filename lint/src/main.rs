//! The command line: arguments, files, clock, exit status.

fn main() {}
