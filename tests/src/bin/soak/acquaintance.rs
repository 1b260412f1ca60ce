//! What servers can know of the clocks of their callers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::Moment;

/// The shortest time from a call's begin to its handler, for each server and each connection of a caller.
///
/// A server takes the shortest that it has seen for the difference of the two clocks, and starts a call that is late by
/// no more than that: PROTOCOL.md, Time.
#[derive(Debug, Default)]
pub(crate) struct Acquaintances {
    /// The shortest time on the way, from each moment on.
    shortest: BTreeMap<(u32, u64), Vec<(Moment, Duration)>>,
}

impl Acquaintances {
    /// Enters a handler's start, which must come in the order of time, and returns the shortest time that its server
    /// had seen by then, this one included.
    pub(crate) fn shortest(
        &mut self,
        server: u32,
        caller: u64,
        at: Moment,
        way: Duration,
    ) -> Duration {
        let seen = self.shortest.entry((server, caller)).or_default();
        let before = at.minus(DISORDER);
        let known = seen.partition_point(|(since, _)| *since <= before);
        let known = known
            .checked_sub(1)
            .map_or(way, |last| seen[last].1.min(way));
        if seen.last().is_none_or(|(_, shortest)| way < *shortest) {
            seen.push((at, way));
        }
        known
    }
}

/// Calls that arrive together start in any order, each judged by what had arrived before it. So what started this
/// shortly before may have arrived after.
const DISORDER: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_counts_a_moment_after_it_was_seen() {
        let mut known = Acquaintances::default();
        let mut shortest = |server, caller, at: u64, way| {
            let at = Moment(0).plus(Duration::from_millis(at));
            known
                .shortest(server, caller, at, Duration::from_millis(way))
                .as_millis()
        };
        assert_eq!(shortest(1, 1, 1000, 500), 500);
        assert_eq!(shortest(1, 1, 1001, 3), 3);
        assert_eq!(shortest(1, 1, 1002, 400), 400, "it may have come first");
        assert_eq!(shortest(1, 1, 1200, 600), 500);
        assert_eq!(shortest(1, 1, 1300, 600), 3);
        assert_eq!(shortest(1, 2, 9000, 600), 600, "another caller");
        assert_eq!(shortest(2, 1, 9000, 600), 600, "another server");
        assert_eq!(shortest(1, 1, 9000, 2), 2);
    }
}
