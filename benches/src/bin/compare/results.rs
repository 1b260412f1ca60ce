//! All results of a run.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::measure::Sample;
use crate::options::Options;
use crate::peer::{Layout, Peer};
use crate::plan::Point;

/// What `results.json` holds.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Results {
    /// The arguments of the command.
    pub(crate) command: Vec<String>,
    pub(crate) machine: Machine,
    pub(crate) load_average_before: String,
    pub(crate) load_average_after: String,
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) options: Options,
    /// Peers that could not be measured, and why.
    pub(crate) skipped: Vec<(Peer, String)>,
    /// Points that failed, and why.
    pub(crate) failures: Vec<(Point, String)>,
    pub(crate) samples: Vec<Sample>,
}

/// Several samples of one point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Medians {
    pub(crate) rounds: usize,
    pub(crate) calls_per_second: f64,
    /// In microseconds, as the other percentiles.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Seconds of processor time.
    pub(crate) cpu_per_100k: Option<f64>,
    /// The share of the calls that the busiest server answered.
    pub(crate) busiest: f64,
    /// In all rounds together.
    pub(crate) errors: usize,
}

impl Results {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let read = || -> Result<Self> { Ok(serde_json::from_slice(&std::fs::read(file)?)?) };
        read().with_context(|| format!("cannot read {}", file.display()))
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self)?;
        std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))
    }

    /// `None` if the point was not measured, or none of its calls succeeded.
    pub(crate) fn medians(
        &self,
        peer: Peer,
        layout: Layout,
        payload: usize,
        callers: usize,
    ) -> Option<Medians> {
        let same = |point: &Point| {
            (point.peer, point.layout, point.payload, point.load.callers)
                == (peer, layout, payload, callers)
        };
        let samples: Vec<_> = (self.samples.iter())
            .filter(|sample| same(&sample.point) && sample.outcome.calls > 0)
            .collect();
        let of = |value: &dyn Fn(&Sample) -> Option<f64>| {
            median(samples.iter().filter_map(|sample| value(sample)).collect())
        };
        Some(Medians {
            rounds: samples.len(),
            calls_per_second: of(&|sample| Some(sample.calls_per_second()))?,
            p50: of(&|sample| Some(sample.outcome.p50))?,
            p99: of(&|sample| Some(sample.outcome.p99))?,
            p999: of(&|sample| Some(sample.outcome.p999))?,
            cpu_per_100k: of(&Sample::cpu_per_100k),
            busiest: of(&|sample| {
                let busiest = *sample.outcome.by_server.iter().max()?;
                Some(busiest as f64 / sample.outcome.calls as f64)
            })?,
            errors: (self.samples.iter())
                .filter(|sample| same(&sample.point))
                .map(|sample| sample.outcome.errors)
                .sum(),
        })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        _ if values.is_empty() => None,
        0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 9.0]), Some(3.0));
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
    }
}
