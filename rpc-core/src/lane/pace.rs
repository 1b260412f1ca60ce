//! How fast the handlers of a method are.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Judges whether batches of a method are worth it: where handlers are slow, the broker is not what takes
/// the time, and a batch would only hold what another server could run.
///
/// Each slow run counts [`SLOW`] up, each fast one 1 down, so that about a quarter of slow runs is what is
/// borne. One run that was slow by chance changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Pace(AtomicU32);

impl Pace {
    pub(crate) fn note(&self, took: Duration) {
        let count = |count: u32| {
            if took >= SLOW_FROM {
                Some((count + SLOW).min(MOST))
            } else {
                count.checked_sub(1)
            }
        };
        // An error means that it was 0 already.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }

    pub(crate) fn is_fast(&self) -> bool {
        self.0.load(Ordering::Relaxed) < MOST / 2
    }
}

/// A message through a broker takes about half of that, so a batch can still gain.
const SLOW_FROM: Duration = Duration::from_millis(1);

const SLOW: u32 = 3;

const MOST: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_micros(10);

    #[test]
    fn a_slow_run_by_chance_changes_nothing() {
        let pace = Pace::default();
        for run in 0..1000 {
            let slow = run % 8 == 0;
            pace.note(if slow { SLOW_FROM } else { FAST });
            assert!(pace.is_fast(), "{run}");
        }
    }

    #[test]
    fn slow_handlers_are_noticed_soon_and_fast_ones_as_well() {
        let pace = Pace::default();
        for _ in 0..16 {
            pace.note(SLOW_FROM);
        }
        assert!(!pace.is_fast());
        for _ in 0..64 {
            pace.note(FAST);
        }
        assert!(pace.is_fast());
    }
}
