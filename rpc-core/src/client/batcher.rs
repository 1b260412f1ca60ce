//! The calls of one method on their way from one client, and those that wait to go with others.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

use crate::wire::batch_route::BELIEVED;
use crate::wire::batching::{Batching, Mode};
use crate::wire::correlation_id::CorrelationId;
use crate::wire::message::Message;

/// Decides when calls go and which go together.
///
/// Nothing but the calls themselves sets the pace. While none is on its way, a call goes at once. While some
/// are, others wait until they are [`SHARE`] of those, or those are answered, or [`Batching::max_delay`] is over.
/// So the more callers there are, the more calls a message carries, and a few messages are always on their
/// way, which keeps all that handle them busy.
#[derive(Debug)]
pub(crate) struct Batcher {
    pub(crate) method: String,
    pub(crate) queue: String,
    state: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Until when servers are taken to understand batches: one said so not long ago.
    open_until: Option<Instant>,
    /// Until when they are not, since a batch found no queue.
    shut_until: Option<Instant>,
    /// At most as many as may be in flight.
    waiting: Vec<Message>,
    bytes: usize,
    /// When the first of them came.
    since: Option<Instant>,
    /// Calls that were let in and have not ended, with those that wait.
    inside: usize,
    /// Whether no two calls went together of late.
    is_lone: bool,
}

/// What becomes of a call that comes to an outbox.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(crate) enum Admission {
    /// It goes by itself, at once.
    Goes(Message),
    /// It waits for others, and this is whether somebody must look after that.
    Waits { wake: bool },
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

    /// Lets a call in, which is inside until it [`leave`](Self::leave)s.
    pub(crate) fn enter(&self, call: Message, options: &Batching) -> Admission {
        let mut state = self.lock();
        state.inside += 1;
        let now = Instant::now();
        let goes = match options.mode {
            Mode::Always => state.is_shut(now),
            _ => !state.is_open(now) || (state.is_lone && state.inside == 1),
        };
        if goes {
            return Admission::Goes(call);
        }
        state.bytes += call.body.len();
        state.waiting.push(call);
        let first = state.waiting.len() == 1;
        if first {
            state.since = Some(now);
        }
        Admission::Waits {
            wake: first || state.is_due(now, options),
        }
    }

    /// Lets a call out that has ended. Whether others that wait should go now.
    pub(crate) fn leave(&self, options: &Batching) -> bool {
        let mut state = self.lock();
        state.inside = state.inside.saturating_sub(1);
        !state.waiting.is_empty() && state.is_due(Instant::now(), options)
    }

    /// Takes back a call that waits. Whether it did.
    pub(crate) fn withdraw(&self, id: &CorrelationId) -> bool {
        let mut state = self.lock();
        let is_it = |call: &Message| call.correlation_id.as_ref() == Some(id);
        let Some(place) = state.waiting.iter().position(is_it) else {
            return false;
        };
        let call = state.waiting.remove(place);
        state.bytes -= call.body.len();
        true
    }

    /// The calls that go together now; none if no call waits, or they may wait longer.
    pub(crate) fn take(&self, options: &Batching) -> Vec<Message> {
        let mut state = self.lock();
        let now = Instant::now();
        if state.waiting.is_empty() || !state.is_due(now, options) {
            return Vec::new();
        }
        let mut bytes = 0;
        let fits = |call: &&Message| {
            bytes += call.body.len();
            bytes <= options.max_bytes
        };
        // Many that come at once are to spread over servers.
        let most = options.max_calls.min((state.inside / SPREAD).max(FEW));
        let count = state.waiting.iter().take(most).take_while(fits);
        // One that is too large for a batch never waits.
        let count = count.count().max(1);
        // Room for those that come next stays.
        let calls: Vec<_> = state.waiting.drain(..count).collect();
        state.bytes -= calls.iter().map(|call| call.body.len()).sum::<usize>();
        state.is_lone = count == 1;
        calls
    }

    /// When the calls that wait must go; `None` if there are none.
    pub(crate) fn due(&self, options: &Batching) -> Option<Instant> {
        let state = self.lock();
        let since = state.since.filter(|_| !state.waiting.is_empty());
        since.map(|since| since + options.max_delay)
    }

    /// Takes all that waits.
    pub(crate) fn clear(&self) -> Vec<Message> {
        let mut state = self.lock();
        state.bytes = 0;
        std::mem::take(&mut state.waiting)
    }

    /// A server says whether it takes batches.
    pub(crate) fn advise(&self, takes: bool) {
        let mut state = self.lock();
        let now = Instant::now();
        state.open_until = (takes && !state.is_shut(now)).then(|| now + BELIEVED);
    }

    /// A batch found no queue.
    pub(crate) fn shut(&self) {
        let mut state = self.lock();
        state.open_until = None;
        state.shut_until = Some(Instant::now() + BELIEVED);
    }

    /// Whether it holds nothing that matters.
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
    fn is_open(&self, now: Instant) -> bool {
        self.open_until.is_some_and(|until| now < until)
    }

    fn is_shut(&self, now: Instant) -> bool {
        self.shut_until.is_some_and(|until| now < until)
    }

    fn is_due(&self, now: Instant, options: &Batching) -> bool {
        let waiting = self.waiting.len();
        let sent = self.inside.saturating_sub(waiting);
        waiting * SHARE >= sent
            || waiting >= options.max_calls
            || self.bytes >= options.max_bytes
            || self
                .since
                .is_some_and(|since| now >= since + options.max_delay)
    }
}

/// Calls go when there are this many times fewer of them than of those on their way.
const SHARE: usize = 3;

/// A batch has at most such a part of all calls that are inside, unless those are [`FEW`].
const SPREAD: usize = 4;
const FEW: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
        let outbox = Batcher::new("echo", "rpc.lane.echo".into());
        outbox.advise(true);
        outbox
    }

    fn goes(outbox: &Batcher, options: &Batching) -> bool {
        matches!(outbox.enter(call(0, 10), options), Admission::Goes(_))
    }

    fn counts(outbox: &Batcher, options: &Batching) -> Vec<usize> {
        let taken = std::iter::from_fn(|| Some(outbox.take(options).len()));
        taken.take_while(|count| *count > 0).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_call_goes_at_once() {
        let (outbox, options) = (open(), Batching::default());
        for _ in 0..3 {
            assert!(goes(&outbox, &options));
            outbox.leave(&options);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_gather_while_others_are_on_their_way() {
        let (outbox, options) = (open(), Batching::default());
        assert!(goes(&outbox, &options));
        for _ in 0..9 {
            assert!(!goes(&outbox, &options));
        }
        assert_eq!(counts(&outbox, &options), [9]);
        // One is answered, and its caller calls again: it waits for some of the nine.
        outbox.leave(&options);
        assert!(!goes(&outbox, &options));
        assert_eq!(counts(&outbox, &options), [0; 0]);
        for _ in 0..6 {
            outbox.leave(&options);
        }
        assert_eq!(counts(&outbox, &options), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_waits_longer_than_the_delay() {
        let (outbox, options) = (open(), Batching::default());
        for _ in 0..9 {
            goes(&outbox, &options);
        }
        counts(&outbox, &options);
        assert!(!goes(&outbox, &options));
        assert_eq!(
            outbox.due(&options),
            Some(Instant::now() + options.max_delay)
        );
        assert_eq!(counts(&outbox, &options), [0; 0]);
        wait(options.max_delay).await;
        assert_eq!(counts(&outbox, &options), [1]);
        assert_eq!(outbox.due(&options), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_bounded_by_calls_and_bytes() {
        let outbox = open();
        let options = Batching::default().max_calls(4).max_bytes(35);
        goes(&outbox, &options);
        for _ in 0..10 {
            goes(&outbox, &options);
        }
        assert_eq!(counts(&outbox, &options), [3, 3, 3]);
        let few = Batching::default().max_calls(4);
        for _ in 0..10 {
            goes(&outbox, &few);
        }
        wait(few.max_delay).await;
        assert_eq!(counts(&outbox, &few), [4, 4, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_come_at_once_go_in_several_batches() {
        let outbox = open();
        let options = Batching::default();
        for calls in [200, 1000] {
            for _ in 0..calls {
                goes(&outbox, &options);
            }
            wait(options.max_delay).await;
            let counts = counts(&outbox, &options);
            assert!(counts.len() >= 4, "{counts:?}");
            for _ in 0..calls {
                outbox.leave(&options);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_server_that_said_so_not_long_ago_gets_batches() {
        let options = Batching::default();
        let outbox = Batcher::new("echo", "rpc.lane.echo".into());
        assert!(goes(&outbox, &options) && goes(&outbox, &options));
        outbox.advise(true);
        assert!(!goes(&outbox, &options));
        wait(BELIEVED).await;
        assert!(goes(&outbox, &options));
        outbox.advise(true);
        outbox.advise(false);
        assert!(goes(&outbox, &options), "its handlers have become slow");
        outbox.shut();
        outbox.advise(true);
        assert!(goes(&outbox, &options), "a reply from before it was gone");
        wait(BELIEVED).await;
        outbox.advise(true);
        assert!(!goes(&outbox, &options));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_can_be_taken_back_while_it_waits() {
        let (outbox, options) = (open(), Batching::default());
        goes(&outbox, &options);
        for id in 1..4 {
            outbox.enter(call(id, 10), &options);
        }
        assert!(outbox.withdraw(&text_id(2)));
        assert!(!outbox.withdraw(&text_id(2)));
        let ids = outbox.take(&options);
        let ids = ids.into_iter().filter_map(|call| call.correlation_id);
        assert_eq!(ids.collect::<Vec<_>>(), [text_id(1), text_id(3)]);
        assert!(!outbox.withdraw(&text_id(1)));
    }
}
