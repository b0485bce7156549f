//! Makes target/page: the page for a browser (`site`), and the linter as a package for JavaScript (`package`).
//!
//! `cargo run -p mtls-tests --bin page`; with `--serve [PORT]` it is served on loopback afterwards, as a web server
//! should do it.

use std::process::ExitCode;

use mtls_tests::{page, serve};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => None,
        ["--serve"] => Some(8080),
        ["--serve", port] => match port.parse() {
            Ok(port) => Some(port),
            Err(_) => return usage(),
        },
        _ => return usage(),
    };
    let made = match page::make() {
        Ok(made) => made,
        Err(error) => {
            eprintln!("page: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("page     {}\npackage  {}", made.site.display(), made.package.display());
    let Some(port) = port else { return ExitCode::SUCCESS };
    match serve::Server::start(&made.site, port) {
        Ok(server) => {
            println!("serving  {}", server.origin());
            server.wait();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("page: port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("page: usage: page [--serve [PORT]]");
    ExitCode::from(2)
}
