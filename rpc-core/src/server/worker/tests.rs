//! What a shutdown says, with the clock stopped.

use std::iter::repeat_n;

use serde_json::Value;

use super::*;
use crate::server::settlement::tests::{ScriptedChannel, alone};
use crate::transport::Receipt;

#[tokio::test(start_paused = true)]
async fn a_shutdown_tells_of_a_call_whose_copy_found_no_place() {
    let mut method = Method::new("nap", |_: Value| async { Ok::<_, String>(()) });
    method.options.idempotent = true;
    let grace = Duration::from_secs(1);
    let limits = ServerLimits {
        message_size: SizeLimit::new(1 << 20),
        grace,
        batching: Batching::off(),
    };
    let (_publish, state) = watch::channel(ConnectionState::Closed);
    let mut worker = Worker::new(vec![method], limits, state, CancellationToken::new());
    // Its server was lost, so a copy is to say so before it runs again.
    let delivery = Delivery {
        message: Message::default(),
        redelivered: true,
        tag: 1,
    };
    let channel = ScriptedChannel::new(repeat_n(Receipt::Refused, 1000));
    let (broken, _breaks) = mpsc::channel(1);
    let method = Arc::clone(&worker.methods[0]);
    let call = worker.admit(&broken, &method, Box::new(delivery), alone(&channel));
    assert!(call.is_none(), "only a copy is to run");
    let shutdown = worker.drain(None).await;
    assert_eq!(shutdown, Err(ServeError::grace_exceeded(1, grace)));
    let done = channel.done();
    assert!(
        !done.is_empty() && done.iter().all(|done| *done == "place"),
        "{done:?}"
    );
}
