//! The deadline of an arriving call by this machine's clock.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::wire::message::{Delivery, TimeLimit, unix_millis};

/// Distinguishes the time that a call has spent in transit from the error of its caller's clock.
///
/// A call says when it was sent, by its caller's clock. The difference to our clock at its arrival
/// is the time in transit plus the skew between the clocks. The clocks count as right until a call
/// shows that they are not: it seems to arrive before it was sent, or its caller says that it is in
/// time. From then on, the smallest difference seen from that caller counts as the skew. What a
/// call has beyond it was spent in transit: in a queue, in the buffers of a blocked connection, or
/// in those of a stopped server.
#[derive(Debug, Default)]
pub(crate) struct ClockSkew {
    /// By reply queue; each connection of a caller has its own. At most [`MAX_CALLERS`].
    known: HashMap<String, Known>,
}

/// What is known about a caller's clock.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The smallest difference seen, in milliseconds. It is at least the skew.
    smallest: i64,
    /// Whether the caller has said that a call was in time which we had judged expired.
    is_wrong: bool,
}

/// When a call must have started, and when it must have ended.
///
/// For a caller whose clock counts as right, the two differ by the smallest difference seen. That
/// difference may be skew: the caller's clock may be behind, so a running handler gets this much
/// longer. It may also be time in transit, if all calls of the caller took that long. So a call
/// that has not started by the earlier time may be late. It is refused, and its caller knows
/// whether it really is late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) starts_before: Instant,
    pub(crate) ends_by: Instant,
}

/// The time left of a call's limit, in milliseconds: until the call must have started, and until it
/// must have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Left {
    start: i64,
    end: i64,
}

impl ClockSkew {
    /// The deadline of a call that has just arrived; `None` if its caller set no limit. If it is
    /// too late to start by then, the call is late, or may be.
    ///
    /// Foreign callers set at most the broker's TTL, which then counts from the arrival.
    pub(crate) fn deadline(&mut self, call: &Delivery) -> Option<Deadline> {
        // Read before the wall clock. A process that is stopped in between then judges its calls
        // later than they are, not earlier.
        let now = Instant::now();
        let (start, end) = self.left(call, unix_millis(SystemTime::now()))?;
        // A limit of centuries counts as none.
        Some(Deadline {
            starts_before: now.checked_add(start)?,
            ends_by: now.checked_add(end)?,
        })
    }

    /// The time left until the call must have started, and until it must have ended.
    fn left(&mut self, call: &Delivery, now: u64) -> Option<(Duration, Duration)> {
        let message = &call.message;
        let Some(TimeLimit { timeout, deadline }) = message.limit else {
            return message.expiration.map(|left| (left, left));
        };
        let sent = deadline
            .and_then(|deadline| deadline.checked_sub(timeout))
            .and_then(|sent| i64::try_from(sent).ok());
        let (Some(sent), Some(caller), Ok(now)) = (sent, &message.reply_to, i64::try_from(now))
        else {
            let left = Duration::from_millis(timeout);
            return Some((left, left));
        };
        // A limit that does not fit is longer than anybody could wait.
        let limit = i64::try_from(timeout).unwrap_or(i64::MAX);
        let difference = now.saturating_sub(sent);
        // The caller's mark holds only for the first delivery of the message.
        let is_in_time = !call.redelivered && message.marks.in_time;
        let left = match self.judge(caller, difference, limit) {
            None if is_in_time => self.believe(caller, difference, limit),
            left => left.unwrap_or_default(),
        };
        let millis = |left| Duration::from_millis(u64::try_from(left).unwrap_or_default());
        Some((millis(left.start), millis(left.end)))
    }

    /// The time left of a call's limit; `None` if the limit has passed, or may have.
    fn judge(&mut self, caller: &str, difference: i64, limit: i64) -> Option<Left> {
        let Some(known) = self.known.get_mut(caller) else {
            // A call that arrives before it was sent shows that the clocks differ, but not by how
            // much.
            if difference < -TOLERANCE || difference >= limit {
                return None;
            }
            self.learn(caller, difference, false);
            return Some(Left::both(limit - difference.max(0)));
        };
        known.smallest = known.smallest.min(difference);
        let in_transit = difference.saturating_sub(known.smallest);
        // If the clock counts as right, all calls so far may have been as late as this one.
        let at_most = match known.is_wrong {
            true => in_transit,
            false => in_transit.max(difference),
        };
        (at_most < limit).then_some(Left {
            start: limit - at_most,
            end: limit - in_transit,
        })
    }

    /// Corrects what is known, by a call that seems to be late although its caller says that it is
    /// not.
    fn believe(&mut self, caller: &str, difference: i64, limit: i64) -> Left {
        let smallest = self.known.get(caller).map(|known| known.smallest);
        let in_transit = smallest.map_or(0, |smallest| difference.saturating_sub(smallest));
        // No call can have been in transit for longer than its limit: then one of the clocks was
        // set meanwhile.
        let in_transit = if in_transit < limit { in_transit } else { 0 };
        self.learn(caller, difference - in_transit, true);
        Left::both(limit - in_transit)
    }

    fn learn(&mut self, caller: &str, smallest: i64, is_wrong: bool) {
        if self.known.len() >= MAX_CALLERS && !self.known.contains_key(caller) {
            // Callers that are still there are learnt again by their next call.
            self.known.clear();
        }
        let known = Known { smallest, is_wrong };
        self.known.insert(caller.to_owned(), known);
    }
}

impl Left {
    fn both(left: i64) -> Self {
        Self {
            start: left,
            end: left,
        }
    }
}

const MAX_CALLERS: usize = 4096;

/// By how many milliseconds a call of an unknown caller may seem to arrive before it was sent.
/// Synchronised clocks differ by less.
const TOLERANCE: i64 = 100;

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::message::Message;

    /// A call of `caller`, sent at `sent` on its clock, with a limit of 500 ms.
    fn call(caller: &str, sent: u64) -> Delivery {
        let message = Message {
            reply_to: Some(caller.into()),
            limit: Some(TimeLimit {
                timeout: 500,
                deadline: Some(sent + 500),
            }),
            expiration: Some(Duration::from_millis(470)),
            ..Message::default()
        };
        Delivery {
            message,
            redelivered: false,
            tag: 1,
        }
    }

    /// The time left, in milliseconds, until a call that was in transit for `way` must have
    /// started, and must have ended.
    fn both_left(clocks: &mut ClockSkew, skew: i64, way: i64, is_in_time: bool) -> (u128, u128) {
        let now = SENT.saturating_add_signed(skew + way);
        let mut call = call("a", SENT);
        if is_in_time {
            call.message.marks.in_time = true;
        }
        let left = clocks.left(&call, now);
        let (start, end) = left.expect("its caller has set a limit");
        (start.as_millis(), end.as_millis())
    }

    /// The time left until the call must have ended.
    fn left(clocks: &mut ClockSkew, skew: i64, way: i64) -> u128 {
        both_left(clocks, skew, way, false).1
    }

    /// The same, if its caller says that it is in time.
    fn left_in_time(clocks: &mut ClockSkew, skew: i64, way: i64) -> u128 {
        both_left(clocks, skew, way, true).1
    }

    const SENT: u64 = 10_000_000;
    const HOUR: i64 = 3_600_000;

    #[test]
    fn time_on_the_way_is_taken_off() {
        let mut clocks = ClockSkew::default();
        assert_eq!(left(&mut clocks, 0, 2), 498);
        assert_eq!(left(&mut clocks, 0, 302), 200);
        assert_eq!(left(&mut clocks, 0, 900), 0, "it has expired on the way");
    }

    #[test]
    fn no_call_is_late_and_runs_however_many_are() {
        let mut clocks = ClockSkew::default();
        for way in [1000, 900, 500] {
            assert_eq!(left(&mut clocks, 0, way), 0, "{way}");
        }
        // A call that is only just in time says little about the calls that arrive with it.
        assert_eq!(left(&mut clocks, 0, 450), 50);
        assert_eq!(left(&mut clocks, 0, 501), 0);
        assert_eq!(left(&mut clocks, 0, 2), 500);
        assert_eq!(left(&mut clocks, 0, 498), 4);
        // The same holds where the clocks are plainly wrong.
        for skew in [-HOUR, HOUR] {
            let mut clocks = ClockSkew::default();
            for way in [1000, 900, 500, 450] {
                assert_eq!(left(&mut clocks, skew, way), 0, "{skew} {way}");
            }
        }
    }

    #[test]
    fn a_wrong_clock_costs_no_more_than_a_word_of_its_caller() {
        for skew in [-HOUR, -400, 600, HOUR] {
            let mut clocks = ClockSkew::default();
            assert_eq!(left(&mut clocks, skew, 2), 0, "{skew}");
            assert_eq!(left_in_time(&mut clocks, skew, 4), 500, "{skew}");
            // From then on, the skew is known.
            assert_eq!(left(&mut clocks, skew, 4), 500, "{skew}");
            assert_eq!(left(&mut clocks, skew, 304), 200, "{skew}");
            assert_eq!(left(&mut clocks, skew, 900), 0, "{skew}");
        }
    }

    #[test]
    fn a_clock_that_is_a_little_wrong_shortens_a_first_call_at_most() {
        let mut clocks = ClockSkew::default();
        assert_eq!(left(&mut clocks, 400, 2), 98);
        assert_eq!(left(&mut clocks, 400, 2), 500);
        // It could be late.
        assert_eq!(left(&mut clocks, 400, 102), 0);
        assert_eq!(left_in_time(&mut clocks, 400, 104), 398);
        assert_eq!(left(&mut clocks, 400, 102), 400);
        let mut clocks = ClockSkew::default();
        assert_eq!(left(&mut clocks, -50, 2), 500);
        assert_eq!(left(&mut clocks, -50, 302), 200);
    }

    #[test]
    fn a_clock_that_is_set_is_learnt_anew() {
        for step in [HOUR, -HOUR] {
            let mut clocks = ClockSkew::default();
            assert_eq!(left(&mut clocks, 0, 2), 498);
            let first = left(&mut clocks, step, 2);
            assert!(first == 0 || step < 0);
            assert_eq!(left_in_time(&mut clocks, step, 2), 500, "{step}");
            assert_eq!(left(&mut clocks, step, 2), 500, "{step}");
            assert_eq!(left(&mut clocks, step, 302), 200, "{step}");
        }
    }

    #[test]
    fn who_waits_for_its_turn_must_start_in_time_for_certain() {
        let left = |clocks: &mut ClockSkew, skew, way| both_left(clocks, skew, way, false);
        let mut clocks = ClockSkew::default();
        assert_eq!(left(&mut clocks, 0, 200), (300, 300));
        assert_eq!(left(&mut clocks, 0, 200), (300, 500));
        assert_eq!(left(&mut clocks, 0, 250), (250, 450));
        assert_eq!(left(&mut clocks, 0, 500), (0, 0));
        assert_eq!(left(&mut clocks, 0, 1), (499, 500));
        // For a clock that is known to be wrong, only the time in transit counts.
        left_in_time(&mut clocks, HOUR, 0);
        assert_eq!(left(&mut clocks, HOUR, 200), (300, 300));
    }

    #[test]
    fn what_a_caller_said_of_a_message_is_old_when_that_comes_again() {
        let mut clocks = ClockSkew::default();
        let mut late = call("a", 1_000);
        late.message.marks.in_time = true;
        late.redelivered = true;
        let nothing = (Duration::ZERO, Duration::ZERO);
        assert_eq!(clocks.left(&late, 9_000), Some(nothing));
    }

    #[test]
    fn foreign_callers_have_the_brokers_ttl_or_no_limit() {
        let mut clocks = ClockSkew::default();
        let foreign = |expiration| Delivery {
            message: Message {
                expiration,
                ..Message::default()
            },
            redelivered: false,
            tag: 1,
        };
        let ttl = Duration::from_millis(300);
        assert_eq!(clocks.left(&foreign(Some(ttl)), 0), Some((ttl, ttl)));
        for endless in [None, Some(Duration::MAX)] {
            assert!(clocks.deadline(&foreign(endless)).is_none());
        }
    }

    proptest! {
        /// This holds whatever is known about the caller's clock.
        #[test]
        fn who_is_longer_on_the_way_has_not_more_left(
            skew in -HOUR..HOUR,
            known in option::of(0..700_i64),
            (way, more) in (0..700_i64, 0..700_i64),
        ) {
            let clocks = || {
                let mut clocks = ClockSkew::default();
                if let Some(way) = known {
                    left_in_time(&mut clocks, skew, way);
                }
                clocks
            };
            // A first call that seems to arrive before it was sent is refused; the same call later
            // may not be.
            let skew = if known.is_some() { skew } else { skew.max(-TOLERANCE) };
            let sooner = left(&mut clocks(), skew, way);
            prop_assert!(left(&mut clocks(), skew, way + more) <= sooner);
        }
    }

    /// Also, no call gets more time than its caller gave it.
    #[test]
    fn absurd_headers_are_no_panic() {
        let numbers = [0, 1, 500, 1 << 63, u64::MAX];
        let mut calls = Vec::new();
        for timeout in numbers {
            for deadline in numbers {
                for now in [0, 1, u64::MAX >> 1, u64::MAX] {
                    for in_time in [false, true] {
                        let mut call = call("a", 0);
                        call.message.limit = Some(TimeLimit {
                            timeout,
                            deadline: Some(deadline),
                        });
                        if in_time {
                            call.message.marks.in_time = true;
                        }
                        calls.push((call, timeout, now));
                    }
                }
            }
        }
        for first in &calls {
            for second in &calls {
                let mut clocks = ClockSkew::default();
                for (call, timeout, now) in [first, second] {
                    let left = clocks.left(call, *now);
                    let (start, end) = left.unwrap();
                    assert!(start <= end && end <= Duration::from_millis(*timeout));
                }
            }
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let mut clocks = ClockSkew::default();
        for n in 0..3 * MAX_CALLERS {
            clocks.left(&call(&n.to_string(), 1000), 1000);
            assert!(clocks.known.len() <= MAX_CALLERS);
        }
        assert!(!clocks.known.is_empty());
    }
}
