//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Exponential backoff with full jitter. The n-th wait is random between zero and a bound that
/// doubles from [`BASE`] up to [`CAP`], so that the clients of a restarted broker do not all
/// return at the same moment.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The next wait. The first is zero, because most losses are over at once.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let bound = match self.attempts.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => BASE.saturating_mul(1 << doublings.min(16)).min(CAP),
        };
        self.attempts = self.attempts.saturating_add(1);
        bound.mul_f64(fastrand::f64())
    }

    /// Starts over, after a connection that stayed up.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

const BASE: Duration = Duration::from_millis(50);

/// Small enough to reconnect within a second of the broker's return, and large enough to spare a
/// broker that is starting.
const CAP: Duration = Duration::from_millis(800);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_cap(attempts in any::<u32>()) {
            let mut backoff = Backoff { attempts };
            prop_assert!(backoff.next_wait() <= CAP);
        }

        #[test]
        fn the_first_waits_are_short(doublings in 0..5_u32) {
            let mut backoff = Backoff { attempts: 1 + doublings };
            prop_assert!(backoff.next_wait() <= BASE * (1 << doublings));
        }
    }

    #[test]
    fn waits_grow_to_the_cap_and_start_over() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_wait(), Duration::ZERO);
        let waits: Vec<_> = (0..200).map(|_| backoff.next_wait()).collect();
        assert!(waits.iter().any(|wait| *wait > CAP / 2), "the bound grew");
        backoff.reset();
        assert_eq!(backoff.next_wait(), Duration::ZERO);
    }
}
