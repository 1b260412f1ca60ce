use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::transport::{CallChannel, Messages, Receipt, Subscribed};
use crate::wire::message::{Delivery, Incoming, Kind, Message};
use crate::wire::queue_options::QueueOptions;

mod faults;

/// A broker with the channels of a client and of a server.
struct Ends {
    broker: MemoryBroker,
    calling: Arc<dyn Link>,
    calls: Arc<dyn CallChannel>,
    incoming: Messages<Incoming>,
    serving: Arc<dyn Link>,
    serve: Arc<dyn ServeChannel>,
}

impl Ends {
    async fn new() -> Self {
        let transport = MemoryTransport::from_url("memory://").unwrap();
        let broker = MemoryBroker(Arc::clone(&transport.broker));
        let calling = transport.connect(0, Purpose::Calling).await.unwrap();
        let serving = transport.connect(0, Purpose::Serving).await.unwrap();
        let OpenCalls { channel, incoming } = calling.call_channel().await.unwrap();
        Self {
            broker,
            calls: channel,
            incoming,
            serve: serving.serve_channel().await.unwrap(),
            calling,
            serving,
        }
    }

    fn message(&self, body: &str) -> Message {
        Message {
            kind: Kind::Call,
            reply_to: Some(Arc::clone(self.calls.reply_queue())),
            from: Some(Arc::clone(self.calls.reply_queue())),
            body: body.to_owned().into(),
            ..Message::default()
        }
    }

    async fn call(&self, body: &str) {
        let call = self.message(body);
        self.calls.publish("pay", call).await.unwrap();
    }

    async fn expiring(&self, body: &str, milliseconds: u64) {
        let call = Message {
            expiration: Some(Duration::from_millis(milliseconds)),
            ..self.message(body)
        };
        self.calls.publish("pay", call).await.unwrap();
    }

    async fn subscribe(&self, options: &QueueOptions, prefetch: u16) -> Deliveries {
        self.serve.declare("pay", options).await.unwrap();
        Deliveries::of(&self.serve, prefetch).await
    }

    /// Declares the queue and leaves it without consumers.
    async fn declare(&self, options: &QueueOptions) {
        drop(self.subscribe(options, 0).await);
    }

    /// Why a call came back.
    async fn bounce(&mut self) -> Option<(String, String)> {
        let Some(Incoming::Reply(message)) = soon(self.incoming.next()).await? else {
            return None;
        };
        let reason = message
            .extras
            .reserved
            .get("x-first-death-reason")?
            .as_str()?;
        Some((body(&message), reason.to_owned()))
    }
}

/// The result of a future that completes within a few milliseconds of the test's clock.
async fn soon<T>(future: impl Future<Output = T>) -> Option<T> {
    timeout(Duration::from_millis(5), future).await.ok()
}

fn body(message: &Message) -> String {
    String::from_utf8(message.body.to_vec()).unwrap()
}

/// The subscription of a channel to the queue `pay`, and what it receives.
struct Deliveries {
    channel: Arc<dyn ServeChannel>,
    receiver: mpsc::UnboundedReceiver<Option<Delivery>>,
    _subscribed: Subscribed,
}

impl Deliveries {
    async fn of(channel: &Arc<dyn ServeChannel>, prefetch: u16) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let take = Arc::new(move |delivery| {
            let _ = sender.send(delivery);
        });
        Self {
            _subscribed: channel.subscribe("pay", prefetch, take).await.unwrap(),
            channel: Arc::clone(channel),
            receiver,
        }
    }

    /// The next delivery; `None` at the end of the subscription or of its channel.
    async fn next(&mut self) -> Option<Delivery> {
        let next = self.receiver.recv().await.flatten();
        next.filter(|_| !self.channel.is_over())
    }
}

async fn next(deliveries: &mut Deliveries) -> Option<(String, bool, u64)> {
    let delivery = soon(deliveries.next()).await??;
    Some((body(&delivery.message), delivery.redelivered, delivery.tag))
}

fn pair(body: &str, reason: &str) -> Option<(String, String)> {
    Some((body.to_owned(), reason.to_owned()))
}

fn third(body: &str, redelivered: bool, tag: u64) -> Option<(String, bool, u64)> {
    Some((body.to_owned(), redelivered, tag))
}

#[tokio::test(start_paused = true)]
async fn a_call_is_answered() {
    let mut ends = Ends::new().await;
    let mut deliveries = ends.subscribe(&QueueOptions::default(), 1).await;
    ends.call("a").await;
    let call = deliveries.next().await.unwrap();
    let reply_to = call.message.reply_to.unwrap();
    let reply = ends.message("done");
    ends.serve.answer(&[], &reply_to, reply.clone()).unwrap();
    ends.serve.ack(call.tag).unwrap();
    let answer = ends.incoming.next().await;
    assert!(matches!(answer, Some(Incoming::Reply(message)) if message == reply));
    ends.serve.answer(&[], "rpc.reply.gone", reply).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_no_queue_takes_comes_back() {
    let mut ends = Ends::new().await;
    ends.call("a").await;
    let returned = soon(ends.incoming.next()).await.flatten();
    assert!(matches!(returned, Some(Incoming::Returned(call)) if call == ends.message("a")));
}

#[tokio::test(start_paused = true)]
async fn an_expired_call_bounces_to_its_caller_without_anybody_asking() {
    let mut ends = Ends::new().await;
    ends.declare(&QueueOptions::default()).await;
    ends.expiring("a", 1000).await;
    tokio::time::sleep(Duration::from_millis(999)).await;
    assert!(ends.incoming.next().now_or_never().is_none());
    tokio::time::sleep(Duration::from_millis(3)).await;
    let bounced = ends.incoming.next().now_or_never().flatten();
    let Some(Incoming::Reply(call)) = bounced else {
        panic!("{bounced:?}")
    };
    assert_eq!((call.expiration, call.kind), (None, Kind::Call));
    let headers = call.extras.reserved.decode();
    assert_eq!(headers["x-first-death-reason"], "expired");
    assert_eq!(headers["x-first-death-queue"], "pay");
    let death = &headers["x-death"][0];
    let shown = ["count", "reason", "queue", "original-expiration"].map(|name| death[name].clone());
    let expected: [Value; 4] = [json!(1), json!("expired"), json!("pay"), json!("1000")];
    assert_eq!(shown, expected);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_free_gets_even_what_expires_at_once() {
    let mut ends = Ends::new().await;
    let mut deliveries = ends.subscribe(&QueueOptions::default(), 1).await;
    ends.expiring("free", 0).await;
    ends.expiring("busy", 0).await;
    assert_eq!(next(&mut deliveries).await, third("free", false, 1));
    assert_eq!(ends.bounce().await, pair("busy", "expired"));
}

#[tokio::test(start_paused = true)]
async fn overflowed_calls_bounce() {
    let mut ends = Ends::new().await;
    let options = QueueOptions::default().argument("x-max-length", 1);
    let mut deliveries = ends.subscribe(&options, 1).await;
    for body in ["a", "b", "c"] {
        ends.call(body).await;
    }
    assert_eq!(ends.bounce().await, pair("b", "maxlen"));
    assert_eq!(next(&mut deliveries).await, third("a", false, 1));
    ends.serve.ack(1).unwrap();
    assert_eq!(next(&mut deliveries).await, third("c", false, 2));
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_closed_channel_return_to_their_place_marked() {
    let ends = Ends::new().await;
    let mut deliveries = ends.subscribe(&QueueOptions::default(), 2).await;
    for body in ["a", "b", "c"] {
        ends.call(body).await;
    }
    assert_eq!(next(&mut deliveries).await, third("a", false, 1));
    ends.serve.close().await;
    assert_eq!(
        deliveries.next().await.map(|_| ()),
        None,
        "`b` is not ours any more"
    );
    let reason = ends.serve.ack(1).unwrap_err().reason;
    assert_eq!(reason.words, "the channel is closed");
    assert_eq!(ends.broker.queue_depth("pay"), Some(3));

    let serve = ends.serving.serve_channel().await.unwrap();
    let mut deliveries = Deliveries::of(&serve, 0).await;
    assert_eq!(next(&mut deliveries).await, third("a", true, 1));
    assert_eq!(next(&mut deliveries).await, third("b", true, 2));
    assert_eq!(next(&mut deliveries).await, third("c", false, 3));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_placed_is_as_new() {
    let ends = Ends::new().await;
    let mut deliveries = ends.subscribe(&QueueOptions::default(), 1).await;
    ends.call("a").await;
    ends.call("b").await;
    ends.serve.cancel().await;
    let handed_back = deliveries.next().await.unwrap();
    assert!(deliveries.next().await.is_none(), "the stream ends");
    let Delivery { message, tag, .. } = handed_back;
    let placed = ends.serve.place("pay", message.clone()).await.unwrap();
    assert_eq!(placed, Receipt::Taken);
    ends.serve.ack(tag).unwrap();
    let placed = ends.serve.place("pray", message).await.unwrap();
    assert_eq!(placed, Receipt::Unroutable);
    let mut deliveries = ends.subscribe(&QueueOptions::default(), 0).await;
    assert_eq!(next(&mut deliveries).await, third("b", false, 2));
    assert_eq!(next(&mut deliveries).await, third("a", false, 3));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_requeued_is_marked() {
    let ends = Ends::new().await;
    let deliveries = ends.subscribe(&QueueOptions::default(), 0).await;
    ends.call("a").await;
    ends.call("b").await;
    ends.serve.close().await;
    drop(deliveries);
    let serve = ends.serving.serve_channel().await.unwrap();
    let mut deliveries = Deliveries::of(&serve, 1).await;
    let requeued = deliveries.next().await.unwrap();
    serve.requeue(requeued.tag).await.unwrap();
    assert_eq!(next(&mut deliveries).await, third("a", true, 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_rejected_bounces() {
    let mut ends = Ends::new().await;
    let mut deliveries = ends.subscribe(&QueueOptions::default(), 0).await;
    ends.call("a").await;
    let call = deliveries.next().await.unwrap();
    ends.serve.reject(call.tag).unwrap();
    assert_eq!(ends.bounce().await, pair("a", "rejected"));
    assert_eq!(ends.broker.queue_depth("pay"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn settling_twice_is_an_error_that_closes_the_channel() {
    let ends = Ends::new().await;
    let mut deliveries = ends.subscribe(&QueueOptions::default(), 0).await;
    ends.call("a").await;
    let call = deliveries.next().await.unwrap();
    ends.serve.ack(call.tag).unwrap();
    let error = ends.serve.requeue(7).await.unwrap_err();
    assert_eq!(
        error.reason.words,
        "PRECONDITION_FAILED - unknown delivery tag 7"
    );
    assert!(deliveries.next().await.is_none());
    assert_eq!(ends.broker.queue_depth("pay"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_declaration_that_differs_is_refused_and_costs_the_channel() {
    let ends = Ends::new().await;
    let mut deliveries = ends.subscribe(&QueueOptions::default(), 0).await;
    let differs = QueueOptions::default().durable(false);
    let error = ends.serve.declare("pay", &differs).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("inequivalent arg 'durable' for queue 'pay'"),
        "{error}"
    );
    assert!(deliveries.next().await.is_none());

    let serve = ends.serving.serve_channel().await.unwrap();
    let locked = serve
        .declare(ends.calls.reply_queue(), &differs)
        .await
        .unwrap_err();
    assert!(locked.to_string().contains("RESOURCE_LOCKED"), "{locked}");
}

#[tokio::test(start_paused = true)]
async fn an_auto_delete_queue_goes_with_its_last_consumer_and_its_calls() {
    let mut ends = Ends::new().await;
    let options = QueueOptions::default().auto_delete(true);
    let mut first = ends.subscribe(&options, 1).await;
    let second = ends.subscribe(&options, 1).await;
    for body in ["a", "b", "c"] {
        ends.call(body).await;
    }
    drop(second);
    assert_eq!(ends.broker.queue_depth("pay"), Some(1));
    ends.serve.cancel().await;
    assert_eq!(ends.broker.queue_depth("pay"), None);
    // The delivery can be settled all the same.
    let (_, _, tag) = next(&mut first).await.unwrap();
    ends.serve.ack(tag).unwrap();
    assert_eq!(ends.bounce().await, None);
}

#[tokio::test(start_paused = true)]
async fn an_unused_queue_expires_without_anybody_asking() {
    let ends = Ends::new().await;
    let options = QueueOptions::default().argument("x-expires", 300);
    ends.declare(&options).await;
    tokio::time::sleep(Duration::from_millis(290)).await;
    assert_eq!(ends.broker.queue_depth("pay"), Some(0));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(ends.broker.queue_depth("pay"), None);
}
