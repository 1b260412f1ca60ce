//! What happened around the calls: faults, deaths, and processes that got no processor time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::kinds::FaultKind;
use crate::record::{Event, Moment, Record};

/// What happened to the processes.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) killed: BTreeSet<u32>,
    pub(crate) stalls: BTreeMap<u32, Vec<(Moment, Moment)>>,
    pub(crate) faults: Vec<(FaultKind, Moment, Moment)>,
}

impl World {
    /// Whether the record concerns more than one call.
    pub(crate) fn add(&mut self, record: &Record) -> bool {
        let Record { process, at, .. } = *record;
        match record.event {
            Event::Stalled { time } => {
                self.stalls
                    .entry(process)
                    .or_default()
                    .push((at.minus(time), at));
            }
            Event::Killed => drop(self.killed.insert(process)),
            Event::Fault { kind, until } => self.faults.push((kind, at, until)),
            _ => return false,
        }
        true
    }

    /// Adds up what the faults cost that may have met what was between these moments.
    pub(crate) fn sum(&self, from: Moment, to: Moment, cost: impl Fn(FaultKind) -> usize) -> usize {
        let met = self
            .faults
            .iter()
            .filter(|(_, began, ended)| *began <= to && ended.plus(ECHO) >= from);
        met.map(|(kind, ..)| cost(*kind)).sum()
    }

    /// How long a process had no processor between two moments.
    pub(crate) fn stalled(&self, process: u32, from: Moment, to: Moment) -> Duration {
        let stalls = self.stalls.get(&process);
        let within = |stall: &(Moment, Moment)| stall.1.min(to).since(stall.0.max(from));
        stalls.map_or(Duration::ZERO, |stalls| stalls.iter().map(within).sum())
    }

    /// The end of the time in which a process had no processor at a moment.
    pub(crate) fn stall_over(&self, process: u32, at: Moment) -> Option<Moment> {
        let mut stalls = self.stalls.get(&process)?.iter();
        let over = stalls.find(|(from, to)| *from <= at && at <= *to);
        over.map(|(_, to)| *to)
    }

    /// The records of a call and of the faults around it, to find out what went wrong.
    pub(crate) fn story(&self, call: u64, records: &[Record]) -> String {
        let own: Vec<_> = records
            .iter()
            .filter(|record| record.call == call)
            .collect();
        let (Some(first), Some(last)) = (own.first(), own.last()) else {
            return String::new();
        };
        let millis = |at: Moment| (at.0 as f64 - first.at.0 as f64) / 1e6;
        let mut lines: Vec<_> = own
            .iter()
            .map(|record| {
                let Record {
                    at, process, event, ..
                } = record;
                format!("    {:>10.3} ms, process {process}: {event:?}", millis(*at))
            })
            .collect();
        let margin = Duration::from_secs(5);
        for (kind, from, until) in &self.faults {
            if *from <= last.at && until.plus(margin) >= first.at {
                let (from, until) = (millis(*from), millis(*until));
                lines.push(format!(
                    "    {from:>10.3} to {until:.3} ms: {}",
                    kind.words()
                ));
            }
        }
        format!("  call {call}\n{}", lines.join("\n"))
    }
}

/// So long after a fault its effect may still be felt.
const ECHO: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_stall_counts_what_is_within() {
        let moment = |millis| Moment(0).plus(Duration::from_millis(millis));
        let stalls = vec![(moment(100), moment(200)), (moment(300), moment(400))];
        let world = World {
            stalls: BTreeMap::from([(1, stalls)]),
            ..World::default()
        };
        let stalled = |process, from, to| {
            let stalled = world.stalled(process, moment(from), moment(to));
            stalled.as_millis()
        };
        assert_eq!(stalled(1, 0, 1000), 200);
        assert_eq!(stalled(1, 150, 310), 60);
        assert_eq!(stalled(1, 200, 300), 0);
        assert_eq!(stalled(1, 120, 130), 10);
        assert_eq!(stalled(2, 0, 1000), 0);
    }
}
