//! The targets of rpc-core, as ratios to its peers, and what a run has measured.

use std::fmt;

use crate::peer::{Layout, Peer};
use crate::plan::NAPPERS;
use crate::results::{Medians, Results};

/// A line of the table.
#[derive(Debug, PartialEq)]
pub(crate) struct Target {
    callers: String,
    what: &'static str,
    required: Required,
    /// `None` if one of the two was not measured.
    measured: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Required {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    /// Whether the target is reached; `None` if it was not measured.
    fn is_met(&self) -> Option<bool> {
        self.measured.map(|measured| match self.required {
            Required::AtLeast(ratio) => measured >= ratio,
            Required::AtMost(ratio) => measured <= ratio,
        })
    }
}

/// The table. All of it is for a text of 64 bytes, with client and server in one process.
pub(crate) fn targets(results: &Results) -> Vec<Target> {
    use Required::{AtLeast, AtMost};
    let at = |peer, callers| results.medians(peer, Layout::Together, PAYLOAD, callers);
    let speed = |peer, callers| Some(at(peer, callers)?.calls_per_second);
    let ratio = |ours: Option<f64>, theirs: Option<f64>| Some(ours? / theirs?);
    // Requires both, because otherwise the better one is not known.
    let lapin = |callers| {
        let tasks = speed(Peer::LapinTasks, callers)?;
        Some(tasks.max(speed(Peer::LapinOneByOne, callers)?))
    };
    let line = |callers: usize, what, required, measured| Target {
        callers: callers.to_string(),
        what,
        required,
        measured,
    };
    let mut lines = vec![line(
        1,
        "p50, to lapin with a task for each delivery",
        AtMost(1.05),
        ratio(
            at(Peer::RpcCore, 1).map(|ours| ours.p50),
            at(Peer::LapinTasks, 1).map(|theirs| theirs.p50),
        ),
    )];
    for (callers, to_lapin, to_nats, to_tarpc) in [
        (10, 2.0, None, None),
        (100, 5.0, Some(1.1), None),
        (1_000, 8.0, Some(1.15), Some(1.0)),
    ] {
        let ours = speed(Peer::RpcCore, callers);
        let mut beside = |what, required: Option<f64>, theirs| {
            if let Some(required) = required {
                lines.push(line(callers, what, AtLeast(required), ratio(ours, theirs)));
            }
        };
        beside("calls/s, to the best lapin", Some(to_lapin), lapin(callers));
        beside("calls/s, to NATS", to_nats, speed(Peer::Nats, callers));
        beside("calls/s, to tarpc", to_tarpc, speed(Peer::Tarpc, callers));
    }
    lines.push(line(
        100,
        "calls/s with batching off, to the best lapin",
        AtLeast(1.0),
        ratio(speed(Peer::RpcCoreBatchingOff, 100), lapin(100)),
    ));
    lines.push(line(
        1,
        "time of a call over memory://, to bare channels",
        AtMost(3.0),
        // With one caller, the inverse of calls/s is the mean time.
        ratio(speed(Peer::Channel, 1), speed(Peer::Memory, 1)),
    ));
    let naps = |peer| results.medians(peer, Layout::Naps, 0, NAPPERS);
    let (on, off) = (naps(Peer::RpcCore), naps(Peer::RpcCoreBatchingOff));
    let of = |value: fn(Medians) -> f64| ratio(on.map(value), off.map(value));
    lines.push(line(
        NAPPERS,
        "calls/s of 5 ms at 2 servers, to batching off",
        AtLeast(0.95),
        of(|medians| medians.calls_per_second),
    ));
    lines.push(line(
        NAPPERS,
        "the busier server's share of them, to batching off",
        AtMost(1.05),
        of(|medians| medians.busiest),
    ));
    lines
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, required) = match self.required {
            Required::AtLeast(ratio) => (">=", ratio),
            Required::AtMost(ratio) => ("<=", ratio),
        };
        write!(
            f,
            "| {:>7} | {:50} | {sign} {required:<4} |",
            self.callers, self.what
        )?;
        match (self.measured, self.is_met()) {
            (Some(measured), Some(met)) => {
                let met = if met { "yes" } else { "NO" };
                write!(f, " {measured:8.2} | {met:7} |")
            }
            _ => write!(f, " not measured       |"),
        }
    }
}

/// The table's head, in Markdown.
pub(crate) const HEAD: &str = "\
| callers | rpc-core                                           | required | measured | reached |
|--------:|----------------------------------------------------|---------|---------:|---------|";

/// The length of the text, in bytes.
const PAYLOAD: usize = 64;
