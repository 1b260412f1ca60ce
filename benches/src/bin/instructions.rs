//! Counts the instructions of a call and compares them with `benches/instructions.txt`. The count
//! does not depend on the machine's other load, so a failure always has a reason.
//!
//! ```console
//! $ benches/instructions         # fails if a figure is more than 10 % off
//! $ benches/instructions record  # writes the figures anew
//! ```
//!
//! valgrind counts them for whole calls over `memory://`, in one thread. A run with more calls is
//! compared with a run with fewer, so start and end of the program do not count.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use rpc_core::{Rpc, rpc_service};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A way of making calls.
struct Way {
    name: &'static str,
    /// How many calls are made at a time.
    at_once: usize,
}

/// A lone call, and rounds of calls in which all but the first are sent as one batch.
const WAYS: [Way; 2] = [
    Way {
        name: "plain",
        at_once: 1,
    },
    Way {
        name: "batched",
        at_once: 64,
    },
];

const FEWER: usize = 1024;
const MORE: usize = 2048;
/// How far a count may differ. Some of the difference comes from the system's allocator and
/// libraries.
const ALLOWED: f64 = 0.10;

fn main() -> Result<ExitCode> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        [] => compare(),
        ["record"] => record(),
        ["run", way, calls] => {
            let way = WAYS.iter().find(|known| known.name == way);
            run(way.ok_or("an unknown way")?, calls.parse()?)?;
            Ok(ExitCode::SUCCESS)
        }
        _ => Err("usage: benches/instructions [record]".into()),
    }
}

fn compare() -> Result<ExitCode> {
    let file = file()?;
    let figures = fs::read_to_string(&file)?;
    let mut code = ExitCode::SUCCESS;
    for way in &WAYS {
        let name = way.name;
        let mut recorded = figures.lines().filter_map(|line| line.split_once(' '));
        let recorded = recorded.find_map(|(found, figure)| (found == name).then_some(figure));
        let recorded = recorded.ok_or_else(|| {
            format!(
                "{} has no figure for {name}: `benches/instructions record` writes it",
                file.display()
            )
        })?;
        let recorded: f64 = recorded.trim().parse()?;
        let (counted, profile) = count(way)?;
        let off = counted / recorded - 1.0;
        println!(
            "{name}: {counted:.0} instructions a call, recorded {recorded:.0} ({:+.1} %)",
            off * 100.0
        );
        if off.abs() <= ALLOWED {
            continue;
        }
        code = ExitCode::FAILURE;
        if off > 0.0 {
            println!(
                "Calls have become dearer. `callgrind_annotate {}` shows where the instructions go. If it must be so, \
                 say why in the commit, with the new figures:",
                profile.display()
            );
        } else {
            println!("Calls have become cheaper. So that it stays so, commit the new figures:");
        }
        println!("`benches/instructions record` writes them to benches/instructions.txt.");
    }
    Ok(code)
}

fn record() -> Result<ExitCode> {
    let mut figures = String::new();
    for way in &WAYS {
        let (counted, _) = count(way)?;
        writeln!(figures, "{} {counted:.0}", way.name)?;
    }
    print!("{figures}");
    fs::write(file()?, figures)?;
    Ok(ExitCode::SUCCESS)
}

/// The instructions of one call, and the profile of the run with more calls.
fn count(way: &Way) -> Result<(f64, PathBuf)> {
    let (fewer, _) = total(way, FEWER)?;
    let (more, profile) = total(way, MORE)?;
    let calls = (MORE - FEWER) as f64;
    Ok(((more - fewer) / calls, profile))
}

fn total(way: &Way, calls: usize) -> Result<(f64, PathBuf)> {
    let program = env::current_exe()?;
    let profile = program.with_file_name(format!("callgrind.{}.{calls}", way.name));
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(&program)
        .args(["run", way.name, &calls.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}; `tests/install valgrind` installs it"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("valgrind ended with {}:\n{words}", output.status).into());
    }
    let text = fs::read_to_string(&profile)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.ok_or("valgrind has written no total")?.trim();
    Ok((total.parse()?, profile))
}

fn file() -> Result<PathBuf> {
    // Not `env!`: two checkouts that share a target folder may share this program too.
    Ok(Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("instructions.txt"))
}

#[rpc_service]
trait Bench {
    /// Returns the text.
    async fn echo(&self, text: &str) -> String;
}

struct Desk;

impl Bench for Desk {
    async fn echo(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// The program that is counted.
#[tokio::main(flavor = "current_thread")]
async fn run(way: &Way, calls: usize) -> Result<()> {
    let rpc = Rpc::connect("memory://").await?;
    rpc.serve(BenchServer::new(Desk)).await?;
    let client = BenchClient::new(&rpc);
    let text = "x".repeat(64);
    for _ in 0..calls / way.at_once {
        let sent: Vec<_> = (0..way.at_once)
            .map(|_| tokio::spawn(client.echo(&text)))
            .collect();
        for call in sent {
            if call.await?? != text {
                return Err("the text came back as another one".into());
            }
        }
    }
    rpc.close().await;
    Ok(())
}
