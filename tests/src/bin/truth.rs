//! Compares the linter with recorded observations and prints where they part.
//!
//! `cargo run -p mtls-tests --bin truth -- --truth DIR --lint PATH [--edge E1] [--generation NAME] [--id ID]
//! [--factor TEXT] [--show N] [--jobs N] [--prints]`; the last shows lines that were not printed as predicted, too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use mtls_tests::truth::{Answer, Observation, Printed, ask_all, load};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(complaint) => {
            eprintln!("truth: {complaint}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, String> {
    let options = Options::read()?;
    let mut observations = load(&options.truth, &options.scratch)?;
    observations.retain(|o| options.wants(o));
    let start = Instant::now();
    let (answers, printed): (Vec<_>, Vec<_>) =
        ask_all(&observations, &options.lint, options.jobs).into_iter().unzip();
    let took = start.elapsed();

    let mut shown = 0;
    for (observation, answer) in observations.iter().zip(&answers) {
        if !matches!(answer, Answer::Agrees) && shown < options.show {
            shown += 1;
            show(observation, answer);
        }
    }
    if options.prints {
        show_prints(&observations, &printed, options.show);
    }
    let wrong = table(&observations, &answers);
    tell_prints(&printed);
    println!(
        "{} questions in {:.1} s, {:.1} ms each ({} side by side)",
        answers.len(),
        took.as_secs_f64(),
        took.as_secs_f64() * 1000.0 * options.jobs as f64 / answers.len().max(1) as f64,
        options.jobs
    );
    Ok(wrong == 0)
}

fn show(observation: &Observation, answer: &Answer) {
    println!(
        "{} {} ({} → {})",
        observation.id, observation.generation, observation.kinds.0, observation.kinds.1
    );
    println!("  factors   {}", observation.factors);
    println!("  observed  {}", observation.seen);
    let connections = match answer {
        Answer::Agrees => return,
        Answer::AuthenticationDiffers(predicted) => {
            println!("  authenticated (server, client): observed {:?}", observation.authenticated);
            std::slice::from_ref(predicted)
        }
        Answer::Undetermined(about) => about.as_slice(),
        Answer::Differs(verdict, about) => {
            println!("  predicted {verdict}");
            about.as_slice()
        }
        Answer::NotListed(all) => {
            println!("  no such connection listed, but {}", all.len());
            all.as_slice()
        }
        Answer::Failed(complaint) => {
            println!("  no answer {complaint}");
            &[]
        }
    };
    for p in connections {
        let sides = format!("{} → {}", p.client.1, p.server.1);
        println!("            {sides} {}: {} by {:?} {:?}", p.url, p.outcome, p.rejected_by, p.authenticated);
        for why in &p.why {
            println!("            - {why}");
        }
    }
    for (side, error) in ["client", "server"].iter().zip(&observation.errors) {
        for line in error.lines().take(6) {
            println!("  {side} said {}", line.chars().take(220).collect::<String>());
        }
    }
    println!("  ask       {}\n", observation.question.shell_line());
}

/// Prints agreement by edge and generation; how many do not agree.
fn table(observations: &[Observation], answers: &[Answer]) -> usize {
    let mut rows: BTreeMap<(String, String), [usize; 7]> = BTreeMap::new();
    for (observation, answer) in observations.iter().zip(answers) {
        let keys =
            [(observation.edge.clone(), observation.generation.clone()), ("all".to_owned(), String::new())];
        let column = match answer {
            Answer::Agrees => 1,
            Answer::Differs(..) => 2,
            Answer::Undetermined(_) => 3,
            Answer::NotListed(_) => 4,
            Answer::Failed(_) => 5,
            Answer::AuthenticationDiffers(_) => 6,
        };
        for key in keys {
            let row = rows.entry(key).or_default();
            row[0] += 1;
            row[column] += 1;
        }
    }
    let heading = ["seen", "agree", "differ", "undetermined", "not listed", "failed", "authentication"];
    println!("{:<5}{:<10}{}", "edge", "programs", heading.map(|h| format!("{h:>15}")).concat());
    for ((edge, generation), row) in &rows {
        println!("{edge:<5}{generation:<10}{}", row.map(|n| format!("{n:>15}")).concat());
    }
    rows.get(&("all".to_owned(), String::new())).map_or(0, |row| row[0] - row[1])
}

/// Shows the lines that were not printed as predicted.
fn show_prints(observations: &[Observation], printed: &[[Printed; 2]], most: usize) {
    let sides = observations.iter().zip(printed).flat_map(|(observation, printed)| {
        ["client", "server"]
            .into_iter()
            .zip(&observation.errors)
            .zip(printed)
            .map(move |both| (observation, both))
    });
    let mut shown = 0;
    for (observation, ((side, recorded), printed)) in sides {
        let Printed::Differs(said) = printed else { continue };
        if shown >= most {
            return;
        }
        shown += 1;
        println!("{} {} {side}", observation.id, observation.generation);
        for line in said.lines() {
            println!("  predicted {line}");
        }
        println!("  printed   {}\n", recorded.trim());
    }
}

/// How many lines were predicted, and how many of them printed.
fn tell_prints(printed: &[[Printed; 2]]) {
    for (side, name) in ["client", "server"].into_iter().enumerate() {
        let count = |wanted: fn(&Printed) -> bool| printed.iter().filter(|both| wanted(&both[side])).count();
        println!(
            "lines of the {name}: {} printed as predicted, {} otherwise, {} not predicted",
            count(|printed| *printed == Printed::Agrees),
            count(|printed| matches!(printed, Printed::Differs(_))),
            count(|printed| *printed == Printed::Silent)
        );
    }
}

struct Options {
    prints: bool,
    truth: PathBuf,
    lint: PathBuf,
    scratch: PathBuf,
    edges: Vec<String>,
    generation: Option<String>,
    id: Option<String>,
    factor: Option<String>,
    show: usize,
    jobs: usize,
}

impl Options {
    fn read() -> Result<Self, String> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        let beside = std::env::current_exe().ok().map(|me| me.with_file_name("mtls-lint"));
        let mut options = Self {
            prints: false,
            truth: std::env::var_os("MTLS_TRUTH").unwrap_or_default().into(),
            lint: std::env::var_os("MTLS_LINT").map(PathBuf::from).or(beside).unwrap_or_default(),
            scratch: workspace.join("target/truth"),
            edges: Vec::new(),
            generation: None,
            id: None,
            factor: None,
            show: 10,
            jobs: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            if name == "--prints" {
                options.prints = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse::<usize>().map_err(|_| format!("{name} needs a number, not {value}"));
            match name.as_str() {
                "--truth" => options.truth = value.into(),
                "--lint" => options.lint = value.into(),
                "--edge" => options.edges.extend(value.split(',').map(str::to_owned)),
                "--generation" => options.generation = Some(value),
                "--id" | "--case" => options.id = Some(value),
                "--factor" => options.factor = Some(value),
                "--show" => options.show = number()?,
                "--jobs" => options.jobs = number()?.max(1),
                _ => return Err(format!("unknown argument {name}")),
            }
        }
        if options.truth.as_os_str().is_empty() {
            return Err("which observations? --truth DIR, or MTLS_TRUTH=DIR".to_owned());
        }
        Ok(options)
    }

    fn wants(&self, observation: &Observation) -> bool {
        let is =
            |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        (self.edges.is_empty() || self.edges.contains(&observation.edge))
            && is(&self.generation, &observation.generation)
            && is(&self.id, &observation.id)
            && self.factor.as_deref().is_none_or(|factor| observation.factors.contains(factor))
    }
}
