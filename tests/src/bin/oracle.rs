//! Runs fresh scenarios on this machine's programs and compares each with the linter's prediction.
//!
//! `cargo run -p mtls-tests --bin oracle -- [--scenarios N] [--seed S] [--lint PATH] [--jobs N] [--keep DIR] [--show N]`
//! `cargo run -p mtls-tests --bin oracle -- --replay DIR`
//!
//! Other programs are named by their paths, for example `MTLS_NGINX=/opt/nginx/sbin/nginx`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use mtls_tests::oracle::scenario::{Scenario, write};
use mtls_tests::oracle::{Asked, Tools, keep, machine, play, run};
use mtls_tests::programs::{Program, assume, target};
use mtls_tests::truth::Answer;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [word, folder] if word == "inside" => machine::inside(Path::new(folder)).map(|()| true),
        _ => compare(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(complaint) => {
            eprintln!("oracle: {complaint}");
            ExitCode::from(2)
        }
    }
}

fn compare(arguments: &[String]) -> Result<bool, String> {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let mut seed = seconds.map_or(1, |since| since.as_secs());
    let (mut count, mut jobs, mut show) = (200, 6, 20);
    let mut kept = target().join("oracle/disagreements");
    let mut replay = None;
    let mut lint = None;
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} needs a number, not {value}"));
        match name.as_str() {
            "--scenarios" => count = number()? as u32,
            "--seed" => seed = number()?,
            "--jobs" => jobs = number()?.max(1) as usize,
            "--show" => show = number()? as usize,
            "--keep" => kept = value.into(),
            "--lint" => lint = Some(PathBuf::from(value)),
            "--replay" => replay = Some(PathBuf::from(value)),
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    let lint = lint.map_or_else(|| Program::Lint.find(), Ok)?;
    let oracle = std::env::current_exe().map_err(|error| error.to_string())?;
    let tools = Tools { oracle, lint, assume: assume()? };
    let scratch = target().join("oracle");

    let start = Instant::now();
    let asked = match replay {
        Some(folder) => vec![replayed(&folder, &scratch, &tools)?],
        None => {
            println!("seed {seed}, {count} scenarios, {}", tools.assume);
            run(seed, count, jobs, &scratch, &tools)?
        }
    };
    let unclear = asked.iter().filter(|asked| asked.answer.is_none()).count();
    let mut differ = 0;
    for asked in &asked {
        let agrees = matches!(asked.answer, Some((_, Answer::Agrees)));
        if agrees {
            continue;
        }
        differ += usize::from(asked.answer.is_some());
        if asked.answer.is_some() {
            keep(asked, &tools.assume, &kept)?;
        }
        if show > 0 {
            show -= 1;
            tell(asked);
        }
    }
    println!(
        "{} scenarios in {:.0} s: {} agree, {differ} differ, {unclear} unclear{}",
        asked.len(),
        start.elapsed().as_secs_f64(),
        asked.len() - differ - unclear,
        if differ > 0 { format!("; kept in {}", kept.display()) } else { String::new() }
    );
    Ok(differ == 0)
}

fn replayed(folder: &Path, scratch: &Path, tools: &Tools) -> Result<Asked, String> {
    let complain = |error: std::io::Error| format!("{}: {error}", folder.display());
    let text = std::fs::read_to_string(folder.join("scenario.json")).map_err(complain)?;
    let scenario: Scenario = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let copy = scratch.join("replay").join(&scenario.id);
    write(&scenario, &Default::default(), &copy)?;
    let copied = std::process::Command::new("cp").arg("-r").arg(folder.join("rootfs")).arg(&copy).status();
    if !copied.map_err(complain)?.success() {
        return Err(format!("{} could not be copied", folder.display()));
    }
    play(&scenario, &copy, tools)
}

fn tell(asked: &Asked) {
    println!("{}", asked.title);
    println!("  observed  {} by {:?}", asked.observed.outcome, asked.observed.rejected_by);
    match &asked.answer {
        None => println!("  unclear; see {}", asked.folder.display()),
        Some((observation, answer)) => {
            match answer {
                Answer::Differs(verdict, about) => {
                    println!("  predicted {verdict}");
                    for why in about.iter().flat_map(|predicted| &predicted.why) {
                        println!("            - {why}");
                    }
                }
                other => println!("  predicted {other:?}"),
            }
            println!("  ask       {}", observation.question.shell_line());
        }
    }
    for (side, said) in [("client", &asked.observed.client_says), ("server", &asked.observed.server_says)] {
        for line in said.lines().rev().take(4) {
            println!("  {side} said {}", line.chars().take(260).collect::<String>());
        }
    }
}
