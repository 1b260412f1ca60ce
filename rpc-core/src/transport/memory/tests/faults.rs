use super::*;

#[tokio::test(start_paused = true)]
async fn dropped_connections_requeue_and_say_why() {
    let mut ends = Ends::new().await;
    let mut deliveries = ends.subscribe(&QueueOptions::default(), 0).await;
    ends.call("a").await;
    ends.broker.drop_connections();
    for link in [&ends.calling, &ends.serving] {
        assert_eq!(
            link.lost().await.0.words,
            "the broker dropped the connection"
        );
    }
    let last = ends.incoming.next().await;
    assert!(
        matches!(last, Some(Incoming::Ended(why)) if why.words == "the broker dropped the connection")
    );
    assert!(ends.incoming.next().await.is_none());
    assert!(deliveries.next().await.is_none());
    let call = ends.message("b");
    let error = ends.calls.publish("pay", call).await.unwrap_err();
    assert!(!error.sent);
    assert_eq!(error.reason.words, "the broker dropped the connection");
    assert!(ends.serving.serve_channel().await.is_err());
    assert_eq!(ends.broker.queues(), ["pay"]);
    assert_eq!(ends.broker.queue_depth("pay"), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_broker_keeps_durable_queues_and_no_calls() {
    let broker = MemoryBroker::named("stopped");
    let transport = MemoryTransport::from_url("memory://stopped").unwrap();
    let calling = transport.connect(0, Purpose::Calling).await.unwrap();
    let serve = calling.serve_channel().await.unwrap();
    for (queue, durable) in [("durable", true), ("transient", false)] {
        let options = QueueOptions::default().durable(durable);
        serve.declare(queue, &options).await.unwrap();
        serve.answer(&[], queue, Message::default()).unwrap();
    }
    assert_eq!(broker.queue_depth("durable"), Some(1));
    broker.stop();
    assert_eq!(calling.lost().await.0.words, "the broker was stopped");
    assert_eq!(broker.queues(), ["durable"]);
    assert_eq!(broker.queue_depth("durable"), Some(0));
    let refused = transport.connect(0, Purpose::Calling).await.err().unwrap();
    assert_eq!(
        refused.to_string(),
        "cannot connect to memory://stopped: the broker is stopped"
    );
    broker.start();
    assert!(transport.connect(0, Purpose::Calling).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn calls_wait_while_the_broker_is_blocked() {
    let ends = Ends::new().await;
    ends.declare(&QueueOptions::default()).await;
    ends.broker.block("low on memory");
    assert_eq!(ends.calling.blocked().as_deref(), Some("low on memory"));
    assert!(soon(ends.call("dropped")).await.is_none());
    let call = ends.message("a");
    let mut waiting = std::pin::pin!(ends.calls.publish("pay", call));
    assert!(waiting.as_mut().now_or_never().is_none());
    ends.broker.unblock();
    waiting.await.unwrap();
    assert_eq!(ends.calling.blocked(), None);
    assert_eq!(ends.broker.queue_depth("pay"), Some(1));

    ends.broker.block("low on disk");
    let call = ends.message("b");
    let mut waiting = std::pin::pin!(ends.calls.publish("pay", call));
    assert!(waiting.as_mut().now_or_never().is_none());
    ends.broker.drop_connections();
    assert!(!waiting.await.unwrap_err().sent);
}

#[tokio::test(start_paused = true)]
async fn what_is_closed_leaves_nothing_behind() {
    let ends = Ends::new().await;
    assert_eq!(ends.broker.queues(), [&**ends.calls.reply_queue()]);
    drop(ends.calls);
    assert_eq!(ends.broker.queues(), [""; 0]);
    let open = ends.calling.call_channel().await.unwrap();
    assert_eq!(ends.broker.queues(), [&**open.channel.reply_queue()]);
    ends.calling.close().await;
    assert_eq!(
        ends.calling.lost().await.0.words,
        "the connection was closed"
    );
    assert_eq!(ends.broker.queues(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_broker_is_shared_by_name_as_long_as_something_refers_to_it() {
    let transport = || MemoryTransport::from_url("memory://shared").unwrap();
    let link = transport().connect(0, Purpose::Serving).await.unwrap();
    let serve = link.serve_channel().await.unwrap();
    serve
        .declare("pay", &QueueOptions::default())
        .await
        .unwrap();
    let deliveries = Deliveries::of(&serve, 0).await;
    assert_eq!(MemoryBroker::named("shared").queues(), ["pay"]);
    drop((link, serve, deliveries));
    assert_eq!(MemoryBroker::named("shared").queues(), [""; 0]);
    let alone = MemoryTransport::from_url("memory://").unwrap();
    let other = MemoryTransport::from_url("memory://").unwrap();
    assert!(!Arc::ptr_eq(&alone.broker, &other.broker));
}

#[test]
fn a_url_holds_nothing_but_a_name() {
    for (url, shown) in [
        ("memory://a/b", "memory://a/b"),
        ("memory://a?b=c", "memory://a?b=c"),
        ("memory://me:secret@a", "memory://a"),
    ] {
        let error = MemoryTransport::from_url(url).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{shown}`")), "{error}");
    }
    let named = MemoryTransport::from_url("memory://bank:1").unwrap();
    assert_eq!(named.broker.url(), "memory://bank:1");
}

#[tokio::test(start_paused = true)]
async fn replies_are_lost_doubled_and_late_as_asked() {
    let mut ends = Ends::new().await;
    let reply_queue = ends.calls.reply_queue().to_owned();
    ends.broker.lose_replies(1);
    ends.broker.duplicate_replies(1);
    for name in ["lost", "twice", "once"] {
        let reply = ends.message(name);
        ends.serve.answer(&[], &reply_queue, reply).unwrap();
    }
    let mut bodies = Vec::new();
    while let Some(Some(Incoming::Reply(reply))) = soon(ends.incoming.next()).await {
        bodies.push(reply.body);
    }
    let bodies_of = |names: &[&str]| {
        names
            .iter()
            .map(|name| ends.message(name).body)
            .collect::<Vec<_>>()
    };
    assert_eq!(bodies, bodies_of(&["twice", "twice", "once"]));

    let start = Instant::now();
    ends.broker.delay_replies(Duration::from_secs(3));
    let late = ends.message("late");
    ends.serve.answer(&[], &reply_queue, late).unwrap();
    ends.broker.delay_replies(Duration::ZERO);
    let prompt = ends.message("prompt");
    ends.serve.answer(&[], &reply_queue, prompt).unwrap();
    let expected = [ends.message("late").body, ends.message("prompt").body];
    for body in expected {
        let Some(Incoming::Reply(reply)) = ends.incoming.next().await else {
            panic!("no reply");
        };
        assert_eq!(reply.body, body, "in order");
        assert_eq!(start.elapsed().as_secs(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn replies_go_the_shorter_way_until_some_may_be_late() {
    let mut ends = Ends::new().await;
    let reply_queue = ends.calls.reply_queue().to_owned();
    let (take, mut taken) = mpsc::unbounded_channel();
    let taking = take.clone();
    ends.calls
        .shorten(Arc::new(move |reply| taking.send(reply).unwrap()));
    let reply = ends.message("at once");
    ends.serve.answer(&[], &reply_queue, reply.clone()).unwrap();
    assert_eq!(taken.try_recv(), Ok(reply));
    // A returned call still comes through the stream.
    ends.call("nobody").await;
    assert!(matches!(
        ends.incoming.next().await,
        Some(Incoming::Returned(_))
    ));

    ends.broker.delay_replies(Duration::from_secs(3));
    for name in ["late", "prompt"] {
        let reply = ends.message(name);
        ends.serve.answer(&[], &reply_queue, reply.clone()).unwrap();
        ends.broker.delay_replies(Duration::ZERO);
    }
    for name in ["late", "prompt"] {
        let expected = ends.message(name);
        let next = ends.incoming.next().await;
        assert!(matches!(next, Some(Incoming::Reply(reply)) if reply == expected));
    }
    assert!(taken.is_empty());
}
