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
            Event::Stalled { gap } => {
                self.stalls
                    .entry(process)
                    .or_default()
                    .push((at.minus(gap), at));
            }
            Event::Killed => drop(self.killed.insert(process)),
            Event::Fault { kind, until } => self.faults.push((kind, at, until)),
            _ => return false,
        }
        true
    }

    /// How many faults of a sort may have met what was between these moments.
    pub(crate) fn count(
        &self,
        from: Moment,
        to: Moment,
        is_meant: impl Fn(FaultKind) -> bool,
    ) -> usize {
        let meets = |(kind, began, ended): &&(FaultKind, Moment, Moment)| {
            is_meant(*kind) && *began <= to && ended.plus(ECHO) >= from
        };
        self.faults.iter().filter(meets).count()
    }

    pub(crate) fn has_stalled(&self, process: u32, from: Moment, to: Moment) -> bool {
        let stalls = self.stalls.get(&process);
        stalls.is_some_and(|stalls| stalls.iter().any(|stall| stall.0 <= to && stall.1 >= from))
    }

    /// The records of a call and of the faults around it, to find out who was wrong.
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
