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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::correlation_id::CorrelationId;

    async fn wait(time: Duration) {
        tokio::time::advance(time).await;
    }

    fn call(id: usize, size: usize) -> Message {
        Message {
            correlation_id: Some(text_id(id)),
            body: vec![0; size].into(),
            ..Message::default()
        }
    }

    fn text_id(id: usize) -> CorrelationId {
        id.to_string().as_str().into()
    }

    fn open() -> Batcher {
        let batcher = Batcher::new("echo", "rpc.lane.echo".into());
        batcher.advise(true);
        batcher
    }

    fn goes(batcher: &Batcher, options: &Batching) -> bool {
        matches!(batcher.enter(call(0, 10), options), Entered::Goes(_))
    }

    fn counts(batcher: &Batcher, options: &Batching) -> Vec<usize> {
        let taken = std::iter::from_fn(|| Some(batcher.take(options).len()));
        taken.take_while(|count| *count > 0).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_call_goes_at_once() {
        let (batcher, options) = (open(), Batching::default());
        for _ in 0..3 {
            assert!(goes(&batcher, &options));
            batcher.leave(&options);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_gather_while_others_are_on_their_way() {
        let (batcher, options) = (open(), Batching::default());
        assert!(goes(&batcher, &options));
        for _ in 0..9 {
            assert!(!goes(&batcher, &options));
        }
        assert_eq!(counts(&batcher, &options), [9]);
        // One call is answered and its caller calls again. The new call waits for some of the nine.
        batcher.leave(&options);
        assert!(!goes(&batcher, &options));
        assert_eq!(counts(&batcher, &options), [0; 0]);
        for _ in 0..6 {
            batcher.leave(&options);
        }
        assert_eq!(counts(&batcher, &options), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_waits_longer_than_the_delay() {
        let (batcher, options) = (open(), Batching::default());
        for _ in 0..9 {
            goes(&batcher, &options);
        }
        counts(&batcher, &options);
        assert!(!goes(&batcher, &options));
        assert_eq!(
            batcher.due(&options),
            Some(Instant::now() + options.max_delay)
        );
        assert_eq!(counts(&batcher, &options), [0; 0]);
        wait(options.max_delay).await;
        assert_eq!(counts(&batcher, &options), [1]);
        assert_eq!(batcher.due(&options), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_bounded_by_calls_and_bytes() {
        let batcher = open();
        let options = Batching::default().max_calls(4).max_bytes(35);
        goes(&batcher, &options);
        for _ in 0..10 {
            goes(&batcher, &options);
        }
        assert_eq!(counts(&batcher, &options), [3, 3, 3]);
        let few = Batching::default().max_calls(4);
        for _ in 0..10 {
            goes(&batcher, &few);
        }
        wait(few.max_delay).await;
        assert_eq!(counts(&batcher, &few), [4, 4, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_come_at_once_go_in_several_batches() {
        let batcher = open();
        let options = Batching::default();
        for calls in [200, 1000] {
            for _ in 0..calls {
                goes(&batcher, &options);
            }
            wait(options.max_delay).await;
            let counts = counts(&batcher, &options);
            assert!(counts.len() >= 4, "{counts:?}");
            for _ in 0..calls {
                batcher.leave(&options);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_server_that_said_so_not_long_ago_gets_batches() {
        let options = Batching::default();
        let batcher = Batcher::new("echo", "rpc.lane.echo".into());
        assert!(goes(&batcher, &options) && goes(&batcher, &options));
        batcher.advise(true);
        assert!(!goes(&batcher, &options));
        wait(BELIEVED).await;
        assert!(goes(&batcher, &options));
        batcher.advise(true);
        batcher.advise(false);
        assert!(goes(&batcher, &options), "its handlers have become slow");
        batcher.shut();
        batcher.advise(true);
        assert!(goes(&batcher, &options), "a reply from before it was gone");
        wait(BELIEVED).await;
        batcher.advise(true);
        assert!(!goes(&batcher, &options));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_can_be_taken_back_while_it_waits() {
        let (batcher, options) = (open(), Batching::default());
        goes(&batcher, &options);
        let numbers = [1, 2, 3].map(|id| number(&batcher, id, &options));
        assert!(batcher.withdraw(numbers[1]));
        assert!(!batcher.withdraw(numbers[1]));
        let ids = batcher.take(&options);
        let ids = ids.into_iter().filter_map(|call| call.correlation_id);
        assert_eq!(ids.collect::<Vec<_>>(), [text_id(1), text_id(3)]);
        assert!(!batcher.withdraw(numbers[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_taken_back_leave_no_more_places_than_calls() {
        let (batcher, options) = (open(), Batching::default());
        goes(&batcher, &options);
        let stays = number(&batcher, 1, &options);
        for id in 2..1000 {
            let number = number(&batcher, id, &options);
            assert!(batcher.withdraw(number));
            assert!(batcher.lock().waiting.len() <= 2);
        }
        // In any order, and at a cost that does not grow with their number.
        let numbers: Vec<_> = (0..50_000)
            .map(|id| number(&batcher, id, &options))
            .collect();
        for number in numbers
            .iter()
            .step_by(2)
            .chain(numbers.iter().skip(1).step_by(2).rev())
        {
            assert!(batcher.withdraw(*number));
        }
        assert!(batcher.withdraw(stays));
        let state = batcher.lock();
        assert_eq!((state.count, state.bytes, state.waiting.len()), (0, 0, 0));
    }

    /// The number of a call that waits.
    fn number(batcher: &Batcher, id: usize, options: &Batching) -> u64 {
        match batcher.enter(call(id, 10), options) {
            Entered::Waits { number, .. } => number,
            Entered::Goes(_) => panic!("it goes at once"),
        }
    }
}
