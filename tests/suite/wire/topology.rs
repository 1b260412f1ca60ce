//! What a caller and a server of ours declare on the broker.

use rpc_core::{Batching, QueueOptions, Rpc};
use rpc_tests::{RawPeer, TcpRelay, shared_node};
use serde_json::{Value, json};

use crate::site::{Site, eventually, port_of};

/// The rows of `rabbitmqctl COMMAND`, on the virtual host of the test.
async fn list(site: &Site, command: &str, columns: &[&str]) -> Vec<Value> {
    let node = shared_node().await.node();
    let node = node.expect("a test that needs rabbitmqctl; unset RABBITMQ_URL");
    let start = [
        command,
        "-p",
        site.vhost_name(),
        "-q",
        "--formatter",
        "json",
    ];
    let printed = node.ctl(&[&start, columns].concat()).await.unwrap();
    let mut rows: Vec<Value> = serde_json::from_str(&printed).unwrap();
    for row in &mut rows {
        if let Some(arguments) = row.get_mut("arguments") {
            *arguments = object(arguments);
        }
    }
    rows
}

/// Arguments by their names: they are listed as `[name, type, value]`.
fn object(arguments: &Value) -> Value {
    let arguments = arguments.as_array().into_iter().flatten();
    let entry = |argument: &Value| Some((argument[0].as_str()?.to_owned(), argument[2].clone()));
    Value::Object(arguments.filter_map(entry).collect())
}

/// Those that were declared: newer brokers add the default type of the virtual host.
fn declared(queue: &Value) -> Value {
    let mut arguments = queue["arguments"].clone();
    if let Some(kind) = arguments.as_object_mut().unwrap().remove("x-queue-type") {
        assert_eq!(kind, "classic");
    }
    arguments
}

fn named<'a>(rows: &'a [Value], key: &str, name: &str) -> &'a Value {
    let row = rows.iter().find(|row| row[key] == name);
    row.unwrap_or_else(|| panic!("no {name} in {rows:?}"))
}

async fn one(_: Value) -> Result<u8, String> {
    Ok(1)
}

/// TOPO-1, TOPO-2, TOPO-3, TOPO-4, TOPO-5, TOPO-6, TOPO-7, TOPO-9
#[tokio::test]
async fn a_caller_and_a_server_declare_what_the_page_says() {
    let site = Site::rabbitmq().await;
    site.uses(&["pay"]).await;
    let rpc = Rpc::connect(site.url()).await.unwrap();
    rpc.register("pay", one).concurrency(99).await.unwrap();
    site.open_lanes("pay", 1).await;

    let columns = ["name", "durable", "auto_delete", "exclusive", "arguments"];
    let queues = list(&site, "list_queues", &columns).await;
    let is_reply = |queue: &&Value| queue["name"].as_str().unwrap().starts_with("rpc.reply.");
    let reply = queues.iter().find(is_reply).unwrap();
    let reply_queue = reply["name"].as_str().unwrap();
    assert_eq!(reply_queue.len(), "rpc.reply.".len() + 36);
    let flags = |queue: &Value| {
        [
            &queue["durable"],
            &queue["auto_delete"],
            &queue["exclusive"],
        ]
        .map(Value::clone)
    };
    assert_eq!(flags(reply), [false, true, true]);
    assert_eq!(reply["arguments"], json!({"x-queue-type": "classic"}));
    let pay = named(&queues, "name", "pay");
    assert_eq!(flags(pay), [true, false, false]);
    assert_eq!(declared(pay), json!({"x-dead-letter-exchange": "rpc.dlx"}));
    let batches = named(&queues, "name", "rpc.lane.pay");
    assert_eq!(flags(batches), [true, false, false]);
    let arguments = json!({"x-dead-letter-exchange": "rpc.dlx", "x-expires": 600_000});
    assert_eq!(declared(batches), arguments);

    let columns = [
        "name",
        "type",
        "durable",
        "auto_delete",
        "internal",
        "arguments",
    ];
    let exchanges = list(&site, "list_exchanges", &columns).await;
    let expected = json!({
        "name": "rpc.dlx", "type": "headers", "durable": false, "auto_delete": true, "internal": false,
        "arguments": {},
    });
    assert_eq!(*named(&exchanges, "name", "rpc.dlx"), expected);

    let columns = [
        "source_name",
        "destination_name",
        "routing_key",
        "arguments",
    ];
    let bindings = list(&site, "list_bindings", &columns).await;
    let expected = json!({
        "source_name": "rpc.dlx", "destination_name": reply_queue, "routing_key": "",
        "arguments": {"From": reply_queue, "x-match": "any"},
    });
    assert_eq!(*named(&bindings, "source_name", "rpc.dlx"), expected);

    let columns = ["queue_name", "ack_required", "prefetch_count"];
    let consumers = list(&site, "list_consumers", &columns).await;
    let replies = named(&consumers, "queue_name", reply_queue);
    assert_eq!(replies["ack_required"], false);
    let calls = named(&consumers, "queue_name", "pay");
    assert_eq!(
        (&calls["ack_required"], &calls["prefetch_count"]),
        (&json!(true), &json!(99))
    );
    let batches = named(&consumers, "queue_name", "rpc.lane.pay");
    assert_eq!(batches["ack_required"], true);
}

/// TOPO-14
#[tokio::test]
async fn each_connection_has_a_reply_queue_of_a_new_name() {
    let site = Site::rabbitmq().await;
    site.uses(&["pay"]).await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("pay").await.unwrap();
    let mut calls = peer.consume("pay").await.unwrap();
    let relay = TcpRelay::start(port_of(site.url())).await.unwrap();
    let client = crate::site::connect(relay.url(site.url())).await.unwrap();
    let mut names = Vec::new();
    for _ in 0..3 {
        let call = tokio::spawn(client.call("pay", ()));
        let taken = calls.next().await.unwrap();
        names.push(taken.reply_to().unwrap().to_owned());
        relay.cut().await.unwrap();
        call.await.unwrap().unwrap_err();
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "{names:?}");
}

/// TOPO-15
#[tokio::test]
async fn a_program_that_calls_and_serves_has_two_connections() {
    let site = Site::rabbitmq().await;
    site.uses(&["pay"]).await;
    let relay = TcpRelay::start(port_of(site.url())).await.unwrap();
    let rpc = crate::site::connect(relay.url(site.url())).await.unwrap();
    assert_eq!(relay.connections(), 1);
    rpc.register("pay", one).await.unwrap();
    rpc.call("pay", ()).await.unwrap();
    assert_eq!(relay.connections(), 2);
}

/// BATCH-3
#[tokio::test]
async fn methods_that_batches_do_not_suit_have_no_queue_for_them() {
    let site = Site::rabbitmq().await;
    let long = "n".repeat(247);
    site.uses(&["few", "bounded", "passing", "pay", &long])
        .await;
    let rpc = Rpc::builder(site.url()).batching(Batching::default());
    let rpc = rpc.connect().await.unwrap();
    rpc.register("few", one).concurrency(63).await.unwrap();
    let bounded = QueueOptions::default().max_length(9);
    rpc.register("bounded", one).queue(bounded).await.unwrap();
    let passing = QueueOptions::default().auto_delete(true);
    rpc.register("passing", one).queue(passing).await.unwrap();
    rpc.register(long, one).await.unwrap();
    // Each opens its own after it has started: by now they would have done so.
    rpc.register("pay", one).concurrency(64).await.unwrap();
    site.open_lanes("pay", 1).await;
    let lanes = async || {
        let queues = list(&site, "list_queues", &["name"]).await;
        let names = queues
            .iter()
            .map(|queue| queue["name"].as_str().unwrap().to_owned());
        names
            .filter(|name| name.starts_with("rpc.lane."))
            .collect::<Vec<_>>()
    };
    eventually("one has", async || !lanes().await.is_empty()).await;
    assert_eq!(lanes().await, ["rpc.lane.pay"]);
}
