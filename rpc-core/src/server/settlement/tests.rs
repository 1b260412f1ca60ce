//! Calls that are handed back, on a channel whose answers are scripted.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::*;
use crate::error::serve::ServeError;
use crate::server::reply_batcher::ReplyBatcher;
use crate::transport::{Subscribed, TakeCall};
use crate::wire::queue_options::QueueOptions;

/// Records what is done on the channel.
#[derive(Debug, Default)]
pub(crate) struct ScriptedChannel {
    /// What the broker answers, in order. After these, it takes everything.
    receipts: Mutex<VecDeque<Receipt>>,
    done: Mutex<Vec<&'static str>>,
}

impl ScriptedChannel {
    pub(crate) fn new(receipts: impl IntoIterator<Item = Receipt>) -> Arc<Self> {
        Arc::new(Self {
            receipts: Mutex::new(receipts.into_iter().collect()),
            done: Mutex::default(),
        })
    }

    fn note(&self, what: &'static str) {
        lock(&self.done).push(what);
    }

    pub(crate) fn done(&self) -> Vec<&'static str> {
        lock(&self.done).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl ServeChannel for ScriptedChannel {
    async fn place(&self, _: &str, _: Message) -> Result<Receipt, PublishError> {
        self.note("place");
        Ok(lock(&self.receipts).pop_front().unwrap_or(Receipt::Taken))
    }

    fn ack(&self, _: u64) -> Result<(), PublishError> {
        self.note("ack");
        Ok(())
    }

    async fn requeue(&self, _: u64) -> Result<(), PublishError> {
        self.note("requeue");
        Ok(())
    }

    fn answer(&self, _: &[u64], _: &str, _: Message) -> Result<(), PublishError> {
        unreachable!("nobody is answered")
    }

    async fn ack_written(&self, tag: u64) -> Result<(), PublishError> {
        self.ack(tag)
    }

    fn reject(&self, _: u64) -> Result<(), PublishError> {
        unreachable!("nothing is rejected")
    }

    async fn declare(&self, _: &str, _: &QueueOptions) -> Result<(), ServeError> {
        unreachable!("the queues are there")
    }

    async fn subscribe(&self, _: &str, _: u16, _: TakeCall) -> Result<Subscribed, ServeError> {
        unreachable!("nothing is taken")
    }

    async fn cancel(&self) {}

    async fn close(&self) {}
}

fn method(queue: QueueOptions) -> Method {
    let mut method = Method::new("nap", |_: Value| async { Ok::<_, String>(()) });
    method.options.queue = queue;
    method
}

fn call() -> Message {
    Message {
        from: Some("caller".into()),
        ..Message::default()
    }
}

pub(crate) fn alone(channel: &Arc<ScriptedChannel>) -> Settlement {
    Settlement::Alone {
        channel: Arc::clone(channel) as Arc<dyn ServeChannel>,
        tag: 1,
    }
}

fn batch_of(calls: usize, channel: &Arc<ScriptedChannel>) -> Arc<OpenBatch> {
    let channel = Arc::clone(channel) as Arc<dyn ServeChannel>;
    let replies = Arc::new(ReplyBatcher::new(Arc::clone(&channel), 1, 1));
    Arc::new(OpenBatch::new(channel, 1, calls, replies))
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_refuses_for_a_while_is_asked_again() {
    let channel = ScriptedChannel::new([Receipt::Refused; 3]);
    let method = method(QueueOptions::default());
    alone(&channel).replace(&method, call()).await.unwrap();
    assert_eq!(channel.done(), ["place", "place", "place", "place", "ack"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_its_queue_refuses_for_good_is_requeued() {
    let channel = ScriptedChannel::new([Receipt::Refused; 10_000]);
    let method = method(QueueOptions::default());
    let before = Instant::now();
    alone(&channel).replace(&method, call()).await.unwrap();
    assert!(before.elapsed() >= REFUSED_LIMIT);
    assert_eq!(channel.done().last(), Some(&"requeue"));
    assert!(!channel.done().contains(&"ack"));
}

#[tokio::test]
async fn a_call_that_bounces_is_not_placed_again() {
    let method = method(QueueOptions::default().max_length(1));
    let channel = ScriptedChannel::new([Receipt::Refused]);
    alone(&channel).replace(&method, call()).await.unwrap();
    assert_eq!(channel.done(), ["place", "ack"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_bounces_to_nobody_is_placed_again() {
    let method = method(QueueOptions::default().max_length(1));
    let channel = ScriptedChannel::new([Receipt::Refused]);
    let one_way = Message::default();
    alone(&channel).replace(&method, one_way).await.unwrap();
    assert_eq!(channel.done(), ["place", "place", "ack"]);
}

#[tokio::test]
async fn a_call_whose_queue_is_gone_has_gone_with_it() {
    let channel = ScriptedChannel::new([Receipt::Unroutable]);
    let method = method(QueueOptions::default());
    alone(&channel).replace(&method, call()).await.unwrap();
    assert_eq!(channel.done(), ["place", "ack"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_not_acked_while_a_call_of_it_is_nowhere_else() {
    let method = method(QueueOptions::default());
    for refusals in [vec![Receipt::Unroutable], vec![Receipt::Refused; 10_000]] {
        let channel = ScriptedChannel::new(refusals);
        let batch = batch_of(2, &channel);
        batch.close_one().unwrap();
        let settlement = Settlement::InBatch(batch);
        settlement.replace(&method, call()).await.unwrap_err();
        assert!(!channel.done().contains(&"ack"));
    }
    let channel = ScriptedChannel::new([]);
    let batch = batch_of(2, &channel);
    batch.close_one().unwrap();
    let settlement = Settlement::InBatch(batch);
    settlement.replace(&method, call()).await.unwrap();
    assert_eq!(channel.done(), ["place", "ack"]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_batch_is_acked_only_if_all_its_calls_were_taken() {
    let method = method(QueueOptions::default());
    let calls = || vec![call(), call(), call()];
    let channel = ScriptedChannel::new([Receipt::Taken, Receipt::Unroutable]);
    let replaced = replace_batch(&*channel, 1, &method, calls()).await;
    replaced.unwrap_err();
    assert_eq!(channel.done(), ["place"; 3]);
    let channel = ScriptedChannel::new([Receipt::Refused]);
    let replaced = replace_batch(&*channel, 1, &method, calls()).await;
    replaced.unwrap();
    assert_eq!(channel.done(), ["place", "place", "place", "place", "ack"]);
}
