//! When a call that arrives must have ended, by the clock of this machine.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::time::Instant;

use crate::message::{DEADLINE, Message, TIMEOUT, unix_millis};

/// Learns how the clocks of callers differ from ours, so that the time a call has spent on its way can be
/// told from a clock that is wrong.
///
/// A call says when it was sent, on its caller's clock. The difference to our clock at its arrival is the
/// time on the way plus the clocks' difference; the smallest one seen of a caller is nearly the latter
/// alone. What a later call has above that, it has spent on its way: in a queue, in the buffers of a
/// connection that was blocked, or in those of a server that was stopped.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// By reply queue, which each connection of a caller has for itself. At most [`MAX_CALLERS`].
    smallest: HashMap<String, i64>,
}

impl Clocks {
    /// The deadline of a call that has just arrived; `None` if its caller set no limit.
    ///
    /// Foreign callers set at most the broker's TTL, which then counts from the arrival.
    pub(crate) fn deadline(&mut self, call: &Message) -> Option<Instant> {
        let left = self.left(call, unix_millis(SystemTime::now()))?;
        // A limit of centuries is none.
        Instant::now().checked_add(left)
    }

    fn left(&mut self, call: &Message, now: u64) -> Option<Duration> {
        let millis = |name| call.headers.get(name).and_then(Value::as_u64);
        let Some(limit) = millis(TIMEOUT) else {
            return call.expiration;
        };
        let limit = Duration::from_millis(limit);
        let sent = millis(DEADLINE)
            .and_then(|deadline| deadline.checked_sub(u64::try_from(limit.as_millis()).ok()?))
            .and_then(|sent| i64::try_from(sent).ok());
        let (Some(sent), Some(caller), Ok(now)) = (sent, &call.reply_to, i64::try_from(now)) else {
            return Some(limit);
        };
        let on_the_way = self.on_the_way(caller, now.saturating_sub(sent), limit);
        Some(limit.saturating_sub(on_the_way))
    }

    fn on_the_way(&mut self, caller: &str, difference: i64, limit: Duration) -> Duration {
        let millis =
            |difference: i64| Duration::from_millis(u64::try_from(difference).unwrap_or(0));
        if let Some(smallest) = self.smallest.get_mut(caller) {
            *smallest = difference.min(*smallest);
            return millis(difference.saturating_sub(*smallest));
        }
        if self.smallest.len() >= MAX_CALLERS {
            // Those that are still there are learnt again by their next call.
            self.smallest.clear();
        }
        self.smallest.insert(caller.to_owned(), difference);
        // Nothing is known of this caller. Its clock counts as right where that leaves the call time to
        // run, and as wrong where it does not: a skew must not kill every first call.
        Some(millis(difference))
            .filter(|way| *way < limit)
            .unwrap_or_default()
    }
}

const MAX_CALLERS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    /// A call of `caller`, sent at `sent` on its clock, with a limit of 500 ms.
    fn call(caller: &str, sent: u64) -> Message {
        let mut call = Message {
            reply_to: Some(caller.into()),
            expiration: Some(Duration::from_millis(470)),
            ..Message::default()
        };
        call.headers.insert(TIMEOUT.into(), 500.into());
        call.headers.insert(DEADLINE.into(), (sent + 500).into());
        call
    }

    fn left(clocks: &mut Clocks, sent: u64, now: u64) -> u128 {
        clocks.left(&call("a", sent), now).unwrap().as_millis()
    }

    #[test]
    fn time_on_the_way_is_taken_off() {
        let mut clocks = Clocks::default();
        assert_eq!(left(&mut clocks, 10_000, 10_002), 498);
        assert_eq!(left(&mut clocks, 20_000, 20_302), 200);
        assert_eq!(
            left(&mut clocks, 30_000, 30_900),
            0,
            "it has expired on the way"
        );
    }

    #[test]
    fn a_wrong_clock_neither_shortens_nor_lengthens_calls() {
        for skew in [-3_600_000i64, -400, 400, 3_600_000] {
            let mut clocks = Clocks::default();
            let now = |sent: u64, way: i64| {
                u64::try_from(i64::try_from(sent).unwrap() + skew + way).unwrap()
            };
            let first = left(&mut clocks, 10_000_000, now(10_000_000, 2));
            assert!(first > 0, "{skew}: a first call is never killed");
            assert_eq!(
                left(&mut clocks, 20_000_000, now(20_000_000, 2)),
                500,
                "{skew}"
            );
            assert_eq!(
                left(&mut clocks, 30_000_000, now(30_000_000, 302)),
                200,
                "{skew}"
            );
            assert_eq!(
                left(&mut clocks, 40_000_000, now(40_000_000, 900)),
                0,
                "{skew}"
            );
        }
    }

    #[test]
    fn foreign_callers_have_the_brokers_ttl_or_no_limit() {
        let mut clocks = Clocks::default();
        let ttl = Message {
            expiration: Some(Duration::from_millis(300)),
            ..Message::default()
        };
        assert_eq!(clocks.left(&ttl, 0), Some(Duration::from_millis(300)));
        assert_eq!(clocks.deadline(&Message::default()), None);
        let forever = Message {
            expiration: Some(Duration::MAX),
            ..Message::default()
        };
        assert_eq!(clocks.deadline(&forever), None);
    }

    #[test]
    fn absurd_headers_are_no_panic() {
        let mut clocks = Clocks::default();
        for (timeout, deadline) in [
            (0, 0),
            (u64::MAX, 0),
            (0, u64::MAX),
            (u64::MAX, u64::MAX),
            (500, 1),
        ] {
            for now in [0, 1, u64::MAX] {
                let mut call = call("a", 0);
                call.headers.insert(TIMEOUT.into(), timeout.into());
                call.headers.insert(DEADLINE.into(), deadline.into());
                assert!(clocks.left(&call, now).is_some());
            }
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let mut clocks = Clocks::default();
        for n in 0..3 * MAX_CALLERS {
            clocks.left(&call(&n.to_string(), 1000), 1000);
            assert!(clocks.smallest.len() <= MAX_CALLERS);
        }
    }
}
