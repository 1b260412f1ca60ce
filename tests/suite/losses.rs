//! Connections that are lost, brokers that die, and what comes back by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{MemoryBroker, Rpc, RpcError};
use rpc_tests::{RabbitNode, TcpRelay};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use crate::probe::{Nap, ProbeClient, Real, Tally};
use crate::site::{Site, assert_lost, builder, connect, eventually, serve};

/// Makes 1,000 calls that no handler finishes, breaks the broker, and returns how they ended.
async fn break_with_calls_in_flight(
    client: &Rpc,
    broken: impl Future<Output = ()>,
) -> Vec<RpcError> {
    let probe = ProbeClient::new(client);
    let calls: Vec<_> = (0..1000)
        .map(|_| tokio::spawn(probe.nap(600_000).timeout(Duration::from_secs(60))))
        .collect();
    eventually("all calls are in flight", || async {
        client.in_flight() == 1000
    })
    .await;
    broken.await;
    let ends = timeout(Duration::from_secs(30), join_all(calls))
        .await
        .expect("a call hangs");
    assert_eq!(client.in_flight(), 0);
    ends.into_iter()
        .map(|end| end.unwrap().unwrap_err())
        .collect()
}

fn all_lost(errors: &[RpcError]) {
    assert_eq!(errors.len(), 1000);
    errors.iter().for_each(assert_lost);
}

/// END-13
#[tokio::test]
async fn a_killed_broker_fails_every_call_and_the_same_handles_work_after_its_restart() {
    let mut node = RabbitNode::start().await.unwrap();
    // Not in batches, in which some may not be sent yet.
    let client = Rpc::connect(node.url()).await.unwrap();
    let rpc = connect(node.url()).await.unwrap();
    serve(&rpc, Real).await;
    let probe = ProbeClient::new(&client);

    let errors = break_with_calls_in_flight(&client, async { node.kill().await.unwrap() }).await;
    all_lost(&errors);
    let text = errors[0].to_string();
    assert!(
        text.contains("`nap`") && text.contains("127.0.0.1"),
        "{text}"
    );

    // Down: a call waits for the connection within its own limit, then says why there is none.
    let start = Instant::now();
    let limit = Duration::from_millis(300);
    let error = probe.add(1, 2).timeout(limit).await.unwrap_err();
    assert!(matches!(error, RpcError::NotConnected { .. }), "{error:?}");
    assert!(start.elapsed() >= limit);
    assert!(error.to_string().contains("127.0.0.1"), "{error}");

    // A call made now is answered once the broker and the server are back.
    let early = tokio::spawn(probe.add(1, 2).timeout(Duration::from_secs(60)));
    node.restart().await.unwrap();
    match early.await.unwrap() {
        Ok(sum) => assert_eq!(sum, 3),
        // The queue is durable, so it is there before the server; but not if the node was killed before
        // it had written it down.
        Err(error) => assert!(matches!(error, RpcError::NoSuchMethod { .. }), "{error:?}"),
    }
    eventually("the server serves again", || async {
        probe.add(1, 2).await == Ok(3)
    })
    .await;
}

#[tokio::test]
async fn a_stopped_memory_broker_fails_every_call_and_the_same_handles_work_after_its_start() {
    let broker = MemoryBroker::named("stopped");
    let client = Rpc::connect("memory://stopped").await.unwrap();
    let rpc = connect("memory://stopped").await.unwrap();
    serve(&rpc, Real).await;
    let probe = ProbeClient::new(&client);

    let errors = break_with_calls_in_flight(&client, async { broker.stop() }).await;
    all_lost(&errors);
    let error = probe
        .add(1, 2)
        .timeout(Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(matches!(error, RpcError::NotConnected { .. }), "{error:?}");
    broker.start();
    eventually("the server serves again", || async {
        probe.add(1, 2).await == Ok(3)
    })
    .await;
}

/// END-14
#[tokio::test]
async fn calls_fail_at_once_without_a_connection_if_the_user_wants_so() {
    let broker = MemoryBroker::named("fail-fast");
    let client = builder("memory://fail-fast")
        .fail_fast(true)
        .connect()
        .await
        .unwrap();
    broker.block("low on memory");
    let start = Instant::now();
    let error = client.call("add", json!({})).await.unwrap_err();
    assert!(matches!(error, RpcError::Blocked { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
    broker.unblock();
    broker.stop();
    // Before the client has noticed: it cannot have reached the broker.
    let error = client.call("add", json!({})).await.unwrap_err();
    let unsent = matches!(error, RpcError::ConnectionLost { sent: false, .. });
    assert!(unsent, "{error:?}");
    eventually("the loss is known", || async {
        let start = Instant::now();
        let error = client.call("add", json!({})).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(5));
        matches!(error, RpcError::NotConnected { .. })
    })
    .await;
}

/// They may still run when the next connection brings others.
#[tokio::test]
async fn calls_of_a_lost_connection_count_for_the_concurrency() {
    const URL: &str = "memory://still-running";
    let broker = MemoryBroker::named("still-running");
    let (server, client) = (connect(URL).await.unwrap(), connect(URL).await.unwrap());
    let (gate, running) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let most = Arc::new(AtomicUsize::new(0));
    let (handlers_gate, handlers, seen) = (gate.clone(), running.clone(), most.clone());
    let wait = move |_: Value| {
        let (gate, running, most) = (handlers_gate.clone(), handlers.clone(), seen.clone());
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            running.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, String>(())
        }
    };
    server.register("wait", wait).concurrency(1).await.unwrap();
    let first = tokio::spawn(client.call("wait", json!({})));
    eventually("it runs", || async { running.load(Ordering::SeqCst) == 1 }).await;
    broker.drop_connections();
    assert_lost(&first.await.unwrap().unwrap_err());
    let second = tokio::spawn(client.call("wait", json!({})));
    eventually("it is taken", || async {
        client.in_flight() == 1 && broker.queue_depth("wait") == Some(0)
    })
    .await;
    // Time to start, if it might.
    sleep(Duration::from_millis(100)).await;
    gate.add_permits(2);
    assert_eq!(second.await.unwrap(), Ok(json!(null)));
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

/// A broker that is short of memory reads from no connection that publishes: it takes no calls from
/// clients, and no answers from servers.
/// TOPO-15, END-14
#[tokio::test]
async fn a_memory_alarm_fails_no_call_that_was_sent_and_starts_none_that_is_late() {
    let node = RabbitNode::start().await.unwrap();
    let client = connect(node.url()).await.unwrap();
    let rpc = connect(node.url()).await.unwrap();
    let tally = Tally::default();
    let handler = tally.clone();
    rpc.register("nap", move |nap: Nap| handler.clone().nap(nap))
        .await
        .unwrap();
    let nap = |millis: u64| client.call("nap", json!({"millis": millis}));
    nap(0).await.unwrap();

    let sent: Vec<_> = (0..10)
        .map(|_| tokio::spawn(nap(3000).timeout(Duration::from_secs(60))))
        .collect();
    eventually("all are started", || async { tally.started() == 11 }).await;
    node.ctl(&["set_vm_memory_high_watermark", "absolute", "1"])
        .await
        .unwrap();
    // The broker blocks the connection when it next publishes, so the first of these was begun.
    let limit = Duration::from_millis(500);
    let late = nap(1).timeout(limit).await.unwrap_err();
    assert!(matches!(late, RpcError::Timeout { .. }), "{late:?}");
    let blocked = nap(1).timeout(limit).await.unwrap_err();
    assert!(matches!(blocked, RpcError::Blocked { .. }), "{blocked:?}");
    let waiting = tokio::spawn(nap(2).timeout(Duration::from_secs(60)));
    // Longer than any limit that a server could have set to its answers.
    sleep(Duration::from_secs(14)).await;
    node.ctl(&["set_vm_memory_high_watermark", "0.4"])
        .await
        .unwrap();
    for call in sent {
        assert_eq!(call.await.unwrap().unwrap(), json!(3000));
    }
    assert_eq!(waiting.await.unwrap().unwrap(), json!(2));
    // The late one has reached the server by now, before the one that waited.
    assert_eq!(tally.started(), 12);
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn another_host_of_the_url_takes_over() {
    let mut first = RabbitNode::start().await.unwrap();
    let second = RabbitNode::start().await.unwrap();
    let ports = (first.port(), second.port());
    let url = format!(
        "amqp://guest:guest@127.0.0.1:{},127.0.0.1:{}",
        ports.0, ports.1
    );
    let rpc = connect(&url).await.unwrap();
    serve(&rpc, Real).await;
    let probe = ProbeClient::new(&rpc);
    assert_eq!(probe.add(1, 2).await.unwrap(), 3);
    first.kill().await.unwrap();
    eventually("both connections have moved", || async {
        probe.add(1, 2).await == Ok(3)
    })
    .await;
}

/// A host that accepts and says nothing is not waited for, though connecting to it may take 10 s.
#[tokio::test]
async fn another_host_takes_over_from_one_that_falls_silent() {
    let first = RabbitNode::start().await.unwrap();
    let second = RabbitNode::start().await.unwrap();
    let silent = TcpRelay::start(first.port()).await.unwrap();
    let url = format!(
        "amqp://guest:guest@127.0.0.1:{},127.0.0.1:{}",
        silent.port(),
        second.port()
    );
    let rpc = connect(&url).await.unwrap();
    serve(&rpc, Real).await;
    let probe = ProbeClient::new(&rpc);
    assert_eq!(probe.add(1, 2).await.unwrap(), 3);
    silent.freeze();
    silent.cut().await.unwrap();
    let since = Instant::now();
    eventually("both connections have moved", || async {
        probe.add(1, 2).await == Ok(3)
    })
    .await;
    let time = since.elapsed();
    assert!(time < Duration::from_secs(5), "{time:?}");
}

/// SERVE-10
#[tokio::test]
async fn a_server_whose_queue_is_deleted_declares_it_again() {
    let site = Site::rabbitmq().await;
    let (client, _server) = site.client_and_server().await;
    let probe = ProbeClient::new(&client);
    assert_eq!(probe.add(1, 2).await.unwrap(), 3);
    let peer = rpc_tests::RawPeer::connect(site.url()).await.unwrap();
    peer.delete("add").await.unwrap();
    eventually("it serves again", || async {
        probe.add(1, 2).await == Ok(3)
    })
    .await;
}

/// SERVE-2, END-3
#[tokio::test]
async fn a_lost_server_connection_interrupts_what_was_not_idempotent() {
    let broker = MemoryBroker::named("interrupted");
    let client = connect("memory://interrupted").await.unwrap();
    let rpc = connect("memory://interrupted").await.unwrap();
    serve(&rpc, Real).await;
    let probe = ProbeClient::new(&client);
    let call = tokio::spawn(probe.nap(600_000));
    eventually("it is taken", || async {
        client.in_flight() == 1 && broker.queue_depth("nap") == Some(0)
    })
    .await;
    drop(rpc);
    let rpc = connect("memory://interrupted").await.unwrap();
    serve(&rpc, Real).await;
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error, RpcError::interrupted("nap"));
}
