//! The calls of one method from one client: those in flight, and those that wait to be batched.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::wire::batch_route::BELIEVED;
use crate::wire::batching::{Batching, Mode};
use crate::wire::message::Message;

/// Decides when calls are sent, and which calls share a batch.
///
/// The calls themselves set the pace. While no call is in flight, a call is sent at once. Otherwise
/// calls wait until there is one of them for every [`SHARE`] in flight, or until those in flight
/// are answered, or until [`Batching::max_delay`] is over. So more callers mean more calls per
/// message, and a few messages are always in flight, which keeps all who handle them busy.
#[derive(Debug)]
pub(crate) struct Batcher {
    pub(crate) method: String,
    pub(crate) queue: String,
    state: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Until this time, servers are believed to accept batches, because one said so recently.
    open_until: Option<Instant>,
    /// Until this time, servers are believed not to accept batches, because a batch found no queue.
    shut_until: Option<Instant>,
    /// The waiting calls, in the order of their numbers; at most as many as may be in flight. The
    /// place of a call that was withdrawn is empty until at least half of all are, so that to
    /// withdraw a call costs the same however many wait.
    waiting: VecDeque<(u64, Option<Message>)>,
    /// How many calls have ever waited.
    numbers: u64,
    /// How many calls wait.
    count: usize,
    bytes: usize,
    /// When the first waiting call arrived.
    since: Option<Instant>,
    /// The number of calls that have entered and not left, including those that wait.
    inside: usize,
    /// Whether the last message taken from here was a single call.
    is_lone: bool,
}

/// What becomes of a call that enters a batcher.
#[expect(clippy::large_enum_variant, reason = "it is destructured at once")]
pub(crate) enum Entered {
    /// It is sent individually, at once.
    Goes(Message),
    /// It waits for others, under this number. `wake` says whether the sending task must be woken.
    Waits { number: u64, wake: bool },
}

impl Batcher {
    pub(crate) fn new(method: &str, queue: String) -> Self {
        Self {
            method: method.to_owned(),
            queue,
            state: Mutex::new(Waiting {
                is_lone: true,
                ..Waiting::default()
            }),
        }
    }

    /// Adds a call, which counts as inside until it [`leave`](Self::leave)s.
    pub(crate) fn enter(&self, call: Message, options: &Batching) -> Entered {
        let mut state = self.lock();
        state.inside += 1;
        let now = Instant::now();
        let goes = match options.mode {
            Mode::Always => state.is_shut(now),
            _ => !state.is_open(now) || (state.is_lone && state.inside == 1),
        };
        if goes {
            return Entered::Goes(call);
        }
        let number = state.push(call);
        let first = state.count == 1;
        if first {
            state.since = Some(now);
        }
        Entered::Waits {
            number,
            wake: first || state.is_due(now, options),
        }
    }

    /// Removes a call that has ended. Returns whether the waiting calls should be sent now.
    pub(crate) fn leave(&self, options: &Batching) -> bool {
        let mut state = self.lock();
        state.inside = state.inside.saturating_sub(1);
        state.count > 0 && state.is_due(Instant::now(), options)
    }

    /// Withdraws a call if it still waits. Returns whether it did.
    pub(crate) fn withdraw(&self, number: u64) -> bool {
        let mut state = self.lock();
        let withdrawn = state.withdraw(number);
        drop(state);
        withdrawn.is_some()
    }

    /// Takes the calls of the next batch; none if no call waits, or if they may wait longer.
    pub(crate) fn take(&self, options: &Batching) -> Vec<Message> {
        let mut state = self.lock();
        let now = Instant::now();
        if state.count == 0 || !state.is_due(now, options) {
            return Vec::new();
        }
        let mut bytes = 0;
        let fits = |call: &&Message| {
            bytes += call.batch_size();
            bytes <= options.max_bytes
        };
        // Many calls that arrive at once should spread over several servers.
        let most = options.max_calls.min((state.inside / SPREAD).max(FEW));
        let calls = state
            .waiting
            .iter()
            .filter_map(|(_, call)| call.as_ref())
            .take(most)
            .take_while(fits);
        // Always at least one: a call that is too large for a batch does not wait here.
        let count = calls.count().max(1);
        state.is_lone = count == 1;
        (0..count).map_while(|_| state.pop()).collect()
    }

    /// When the waiting calls must be sent; `None` if there are none.
    pub(crate) fn due(&self, options: &Batching) -> Option<Instant> {
        let state = self.lock();
        let since = state.since.filter(|_| state.count > 0);
        since.map(|since| since + options.max_delay)
    }

    /// Takes all waiting calls.
    pub(crate) fn clear(&self) -> Vec<Message> {
        let mut state = self.lock();
        std::iter::from_fn(|| state.pop()).collect()
    }

    /// Records whether a server says that it accepts batches.
    pub(crate) fn advise(&self, takes: bool) {
        let mut state = self.lock();
        let now = Instant::now();
        state.open_until = (takes && !state.is_shut(now)).then(|| now + BELIEVED);
    }

    /// Records that a batch found no queue.
    pub(crate) fn shut(&self) {
        let mut state = self.lock();
        state.open_until = None;
        state.shut_until = Some(Instant::now() + BELIEVED);
    }

    /// Whether the batcher holds nothing that matters.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.inside == 0 && !state.is_open(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, call: Message) -> u64 {
        self.bytes += call.batch_size();
        self.count += 1;
        self.numbers += 1;
        self.waiting.push_back((self.numbers, Some(call)));
        self.numbers
    }

    /// Takes the first call. The capacity stays for the calls that come next.
    fn pop(&mut self) -> Option<Message> {
        while let Some((_, place)) = self.waiting.pop_front() {
            if let Some(call) = place {
                return Some(self.removed(call));
            }
        }
        None
    }

    fn withdraw(&mut self, number: u64) -> Option<Message> {
        let place = self
            .waiting
            .binary_search_by_key(&number, |(number, _)| *number);
        let (_, call) = self.waiting.get_mut(place.ok()?)?;
        let call = call.take()?;
        let call = self.removed(call);
        if self.waiting.len() > 2 * self.count {
            self.waiting.retain(|(_, place)| place.is_some());
        }
        Some(call)
    }

    fn removed(&mut self, call: Message) -> Message {
        self.bytes -= call.batch_size();
        self.count -= 1;
        call
    }

    fn is_open(&self, now: Instant) -> bool {
        self.open_until.is_some_and(|until| now < until)
    }

    fn is_shut(&self, now: Instant) -> bool {
        self.shut_until.is_some_and(|until| now < until)
    }

    fn is_due(&self, now: Instant, options: &Batching) -> bool {
        let waiting = self.count;
        let sent = self.inside.saturating_sub(waiting);
        waiting * SHARE >= sent
            || waiting >= options.max_calls
            || self.bytes >= options.max_bytes
            || self
                .since
                .is_some_and(|since| now >= since + options.max_delay)
    }
}

/// Waiting calls are sent once there is one of them for this many calls in flight.
const SHARE: usize = 3;

/// A batch takes at most one in this many of the calls inside, unless they are few.
const SPREAD: usize = 4;

/// A batch may take this many calls, however few are inside.
const FEW: usize = 64;

#[cfg(test)]
mod tests;
