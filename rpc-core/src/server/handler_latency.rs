//! How fast the handlers of a method are.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Judges whether batches of a method are worth it. If handlers are slow, the broker is not what
/// takes the time, and a batch would only hold calls that another server could run.
///
/// Also decides how many calls of a batch should share a task: as many as finish within
/// [`SHARED_FOR`].
#[derive(Debug)]
pub(crate) struct HandlerLatency {
    /// Each slow run adds [`SLOW`] and each fast run subtracts 1, so up to about a quarter of slow
    /// runs is tolerated. A single run that was slow by chance changes nothing.
    slow: AtomicU32,
    /// How long a run takes, in nanoseconds: the mean of about the last [`RUNS`]. Two runs that two
    /// threads note at the same moment may count as one.
    usual: AtomicU32,
}

impl Default for HandlerLatency {
    /// Nothing is known yet, so runs are not assumed to be short.
    fn default() -> Self {
        Self {
            slow: AtomicU32::new(0),
            usual: AtomicU32::new(nanos(SLOW_FROM)),
        }
    }
}

impl HandlerLatency {
    pub(crate) fn note(&self, took: Duration) {
        let count = |count: u32| {
            if took >= SLOW_FROM {
                Some((count + SLOW).min(MOST))
            } else {
                count.checked_sub(1)
            }
        };
        // An error means that the count was already 0.
        let _ = self
            .slow
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        let usual = self.usual.load(Ordering::Relaxed);
        let took = nanos(took.min(SLOW_FROM));
        self.usual
            .store(usual - usual / RUNS + took / RUNS, Ordering::Relaxed);
    }

    pub(crate) fn is_fast(&self) -> bool {
        self.slow.load(Ordering::Relaxed) < MOST / 2
    }

    /// How many calls should share a task. A handler that computes keeps the calls behind it
    /// waiting, while other processors may be free to run them.
    pub(crate) fn together(&self) -> usize {
        let usual = self.usual.load(Ordering::Relaxed).max(1);
        let calls = nanos(SHARED_FOR) / usual;
        calls.clamp(FEWEST_TOGETHER, MOST_TOGETHER) as usize
    }
}

fn nanos(time: Duration) -> u32 {
    u32::try_from(time.as_nanos()).unwrap_or(u32::MAX)
}

/// A run that takes at least this long is slow. A message through a broker takes about half as
/// long, so with shorter runs a batch can still gain.
const SLOW_FROM: Duration = Duration::from_millis(1);

const SLOW: u32 = 3;

const MOST: u32 = 64;

const RUNS: u32 = 16;

/// How long calls that share a task may keep each other waiting, if runs take their usual time.
/// This is a few times the cost of waking another thread.
const SHARED_FOR: Duration = Duration::from_micros(256);

/// At least this many calls share a task, even where runs take longer, because few of those are
/// known to compute all that time.
const FEWEST_TOGETHER: u32 = 8;

const MOST_TOGETHER: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_micros(10);

    #[test]
    fn a_slow_run_by_chance_changes_nothing() {
        let latency = HandlerLatency::default();
        for run in 0..1000 {
            let slow = run % 8 == 0;
            latency.note(if slow { SLOW_FROM } else { FAST });
            assert!(latency.is_fast(), "{run}");
        }
    }

    #[test]
    fn slow_handlers_are_noticed_soon_and_fast_ones_as_well() {
        let latency = HandlerLatency::default();
        for _ in 0..16 {
            latency.note(SLOW_FROM);
        }
        assert!(!latency.is_fast());
        for _ in 0..64 {
            latency.note(FAST);
        }
        assert!(latency.is_fast());
    }

    #[test]
    fn short_runs_share_a_task_and_others_do_hardly() {
        let latency = HandlerLatency::default();
        assert_eq!(latency.together(), 8);
        for _ in 0..200 {
            latency.note(Duration::from_micros(2));
        }
        assert_eq!(latency.together(), 64);
        for _ in 0..200 {
            latency.note(Duration::from_micros(10));
        }
        assert!(
            (20..30).contains(&latency.together()),
            "{}",
            latency.together()
        );
        latency.note(Duration::from_secs(10));
        assert_eq!(latency.together(), 8);
        for _ in 0..200 {
            latency.note(Duration::ZERO);
        }
        assert_eq!(latency.together(), 64);
    }
}
