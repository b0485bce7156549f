//! What is said when the program itself is at fault.

use std::panic::{self, Location};

use super::note;

/// From now on a panic says where it happened, and not with what: its message may quote the input, keys included.
pub fn say_where_alone() {
    panic::set_hook(Box::new(|panic| note(&words(panic.location()))));
}

fn words(location: Option<&Location<'_>>) -> String {
    let place = location.map_or_else(String::new, |place| format!(" at {place}"));
    format!(
        "mtls-lint: a fault of the program{place}; please report it with an input that shows it, without its keys"
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// A second process panics with the marker; this one looks at what it says.
    #[test]
    fn a_panic_shows_nothing_of_the_input() {
        const MARKER: &str = "Mk0000zQ7xW9vB3nL5tRa";
        const PANICKING: &str = "MTLS_TEST_PANICS";
        if std::env::var_os(PANICKING).is_some() {
            super::say_where_alone();
            panic!("{MARKER}");
        }
        let mut again = Command::new(std::env::current_exe().unwrap());
        let name = "cli::fault::tests::a_panic_shows_nothing_of_the_input";
        let output = again.args(["--exact", name, "--nocapture"]).env(PANICKING, "1").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("fault.rs:") && !said.contains(MARKER), "{said}");
    }
}
