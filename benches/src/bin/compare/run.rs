//! The whole run, round by round, and its progress messages.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::brokers::Brokers;
use crate::machine::{self, Machine};
use crate::measure::{Sample, measure};
use crate::options::Options;
use crate::peer::names;
use crate::plan;
use crate::report::time;
use crate::results::Results;

/// Measures everything that the options ask for. Failures are named, and the run continues.
pub(crate) async fn run(command: Vec<String>, mut options: Options) -> Result<Results> {
    let load_average_before = machine::load_average();
    println!(
        "load average {load_average_before}; starting the brokers for {}",
        names(&options.peers)
    );
    let (brokers, skipped) = Brokers::start(&options.peers).await;
    for (peer, reason) in &skipped {
        println!("SKIPPED {peer}: {reason}");
    }
    options
        .peers
        .retain(|peer| !skipped.iter().any(|(skipped, _)| skipped == peer));
    let mut versions = machine::versions();
    versions.extend(brokers.versions()?);
    let mut results = Results {
        command,
        machine: Machine::here(),
        load_average_before,
        load_average_after: String::new(),
        versions,
        skipped,
        failures: Vec::new(),
        samples: Vec::new(),
        options,
    };
    measure_all(&mut results, &brokers).await?;
    results.load_average_after = machine::load_average();
    Ok(results)
}

async fn measure_all(results: &mut Results, brokers: &Brokers) -> Result<()> {
    let groups = plan::round(&results.options);
    let rounds = results.options.rounds;
    let in_round: usize = groups.iter().map(|group| group.points.len()).sum();
    let all = in_round * rounds;
    ensure!(all > 0, "there is nothing to measure");
    println!("{all} points in {rounds} rounds");
    let start = Instant::now();
    let mut done = 0;
    for round in 1..=rounds {
        for (index, group) in groups.iter().enumerate() {
            let next = groups
                .get(index + 1)
                .or_else(|| groups.first().filter(|_| round < rounds));
            let next = next.map_or_else(|| "the results".to_owned(), plan::Group::words);
            let left = match done {
                0 => String::new(),
                _ => format!(", {} left", left(start.elapsed(), done, all)),
            };
            println!(
                "\nround {round} of {rounds}, {}{left}; then {next}",
                group.words()
            );
            for point in &group.points {
                done += 1;
                print!("{done:5}/{all} {:17} ", point.peer);
                std::io::stdout().flush()?;
                match measure(point, brokers).await {
                    Ok(sample) => {
                        println!("{}", words(&sample));
                        results.samples.push(sample);
                    }
                    Err(error) => {
                        println!("FAILED: {error:#}");
                        results.failures.push((*point, format!("{error:#}")));
                    }
                }
            }
        }
    }
    Ok(())
}

fn words(sample: &Sample) -> String {
    let outcome = &sample.outcome;
    let errors = match (outcome.errors, &outcome.first_error) {
        (0, _) => String::new(),
        (errors, first) => format!("  {errors} ERRORS: {}", first.as_deref().unwrap_or("?")),
    };
    format!(
        "{:9.0} calls/s  p50 {:>9}  p99 {:>9}{errors}",
        sample.calls_per_second(),
        time(outcome.p50),
        time(outcome.p99)
    )
}

/// The remaining time, if the rest takes as long for each point as what is done.
fn left(so_far: Duration, done: usize, all: usize) -> String {
    let seconds = so_far.as_secs_f64() / done as f64 * (all - done) as f64;
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}
