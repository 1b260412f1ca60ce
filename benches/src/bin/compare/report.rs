//! Shows a run's results as text, tables and plots.

use std::path::Path;

use anyhow::Result;

use crate::peer::{Layout, Peer};
use crate::plan;
use crate::plot::{Chart, Series};
use crate::results::{Medians, Results};
use crate::targets::{HEAD, targets};

/// Prints all tables, with the table of targets last.
pub(crate) fn print(results: &Results) {
    for group in plan::round(&results.options) {
        println!("\n### {}\n", group.words());
        println!("{MEDIANS}");
        for point in &group.points {
            let medians = results.medians(point.peer, group.layout, group.payload, group.callers);
            match medians {
                Some(medians) => println!("{}", row(point.peer, group.layout, &medians)),
                None => println!("| {:17} | not measured |", point.peer),
            }
        }
    }
    println!("\n### required and measured\n\n{HEAD}");
    for target in targets(results) {
        println!("{target}");
    }
    println!();
    let machine = &results.machine;
    println!(
        "{} cores of {}, Linux {}, load average {} before and {} after",
        machine.cores,
        machine.cpu,
        machine.kernel,
        results.load_average_before,
        results.load_average_after
    );
    let versions: Vec<_> = (results.versions.iter())
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    println!("{}", versions.join(", "));
    println!("compare {}", results.command.join(" "));
    for (peer, reason) in &results.skipped {
        println!("SKIPPED {peer}: {reason}");
    }
    for (point, reason) in &results.failures {
        println!(
            "FAILED {}, {}, {} B, {} callers: {reason}",
            point.peer, point.layout, point.payload, point.load.callers
        );
    }
    for sample in &results.samples {
        if let Some(error) = &sample.outcome.first_error {
            let point = &sample.point;
            println!(
                "ERRORS {}, {}, {} B, {} callers: {}, the first: {error}",
                point.peer, point.layout, point.payload, point.load.callers, sample.outcome.errors
            );
        }
    }
}

fn row(peer: Peer, layout: Layout, medians: &Medians) -> String {
    let cpu = match medians.cpu_per_100k {
        Some(seconds) => format!("{seconds:8.2}"),
        None => "       ?".to_owned(),
    };
    let spread = match layout {
        Layout::Naps => format!(" busier server {:.1} %", medians.busiest * 100.0),
        Layout::Together | Layout::Apart => String::new(),
    };
    format!(
        "| {peer:17} | {:9.0} | {:>9} | {:>9} | {:>9} | {cpu} | {:6} |{spread}",
        medians.calls_per_second,
        time(medians.p50),
        time(medians.p99),
        time(medians.p999),
        medians.errors
    )
}

/// Formats microseconds for people.
pub(crate) fn time(microseconds: f64) -> String {
    match microseconds {
        ..1_000.0 => format!("{microseconds:.1} us"),
        ..1_000_000.0 => format!("{:.2} ms", microseconds / 1e3),
        _ => format!("{:.2} s", microseconds / 1e6),
    }
}

/// Draws throughput against callers, and latency against throughput, for each layout and payload.
pub(crate) fn draw(results: &Results, folder: &Path) -> Result<()> {
    let options = &results.options;
    for &layout in &options.layouts {
        if layout == Layout::Naps {
            continue;
        }
        for &payload in &options.payloads {
            let of = |value: fn(usize, Medians) -> (f64, f64)| -> Vec<Series> {
                (options.peers.iter())
                    .map(|&peer| Series {
                        peer,
                        points: (options.callers.iter())
                            .filter_map(|&callers| {
                                let medians = results.medians(peer, layout, payload, callers)?;
                                Some(value(callers, medians))
                            })
                            .collect(),
                    })
                    .filter(|series| !series.points.is_empty())
                    .collect()
            };
            let place = match layout {
                Layout::Apart => "client, server and broker in processes of their own",
                Layout::Together | Layout::Naps => "client and server in one process",
            };
            let throughput = Chart {
                title: format!("Throughput: echo of {payload} B, {place}"),
                across: "callers",
                up: "calls/s",
                series: of(|callers, medians| (callers as f64, medians.calls_per_second)),
            };
            let latency = Chart {
                title: format!("Latency: echo of {payload} B, {place}"),
                across: "calls/s",
                up: "median time of a call, ms",
                series: of(|_, medians| (medians.calls_per_second, medians.p50 / 1e3)),
            };
            for (name, chart) in [("throughput", throughput), ("latency", latency)] {
                if let Some(svg) = chart.svg() {
                    let file = folder.join(format!("{name}-{layout}-{payload}.svg"));
                    std::fs::write(&file, svg)?;
                    println!("{}", file.display());
                }
            }
        }
    }
    Ok(())
}

const MEDIANS: &str = "\
| peer              |   calls/s |       p50 |       p99 |     p99.9 | CPU s / 100 k | errors |
|-------------------|----------:|----------:|----------:|----------:|---------:|-------:|";
