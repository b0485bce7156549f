//! `mtls-lint man [COMMAND]`: the manual's pages, made of the same words as `--help`.

use clap::CommandFactory as _;

/// The page of the program or of one of its commands, in roff; None for a command that there is not.
pub fn page(command: Option<&str>) -> Option<Vec<u8>> {
    let mut program = super::Cli::command();
    program.build();
    let shown = match command {
        None => program,
        Some(name) => {
            let found = program.get_subcommands().find(|found| found.get_name() == name)?;
            found.clone()
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(shown).render(&mut page).ok()?;
    Some(page)
}
