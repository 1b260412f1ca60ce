//! The harness itself: whether the brokers and faults are what the other tests take them for.

use std::io::ErrorKind;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lapin::{Connection, ConnectionProperties};
use rpc_tests::{
    PythonCall, PythonClient, PythonServer, RabbitNode, RawPeer, TcpRelay, call_properties,
    fresh_vhost, long, reply_properties, shared_node,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

async fn connects(url: &str) -> bool {
    match Connection::connect(url, ConnectionProperties::default()).await {
        Ok(connection) => connection.close(200, "done".into()).await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn node_is_killed_and_comes_back_with_its_data() {
    let mut node = RabbitNode::start().await.unwrap();
    node.ctl(&["add_vhost", "kept"]).await.unwrap();
    node.ctl(&["set_permissions", "-p", "kept", "guest", ".*", ".*", ".*"])
        .await
        .unwrap();
    let url = node.url_for("guest", "guest", "kept");
    assert!(connects(&url).await);

    node.kill().await.unwrap();
    assert!(!connects(&url).await);
    assert!(node.kill().await.is_err(), "there is nothing left to kill");

    node.restart().await.unwrap();
    assert!(connects(&url).await);
    node.stop().await.unwrap();
    assert!(!connects(&url).await);
}

#[tokio::test]
async fn nodes_run_side_by_side() {
    let (one, two) = tokio::join!(RabbitNode::start(), RabbitNode::start());
    let (one, two) = (one.unwrap(), two.unwrap());
    one.ctl(&["add_vhost", "only-here"]).await.unwrap();
    assert!(
        one.ctl(&["list_vhosts"])
            .await
            .unwrap()
            .contains("only-here")
    );
    assert!(
        !two.ctl(&["list_vhosts"])
            .await
            .unwrap()
            .contains("only-here")
    );
    assert!(two.ctl(&["no_such_command"]).await.is_err());
    assert_eq!(one.version(), two.version());
    assert!(one.major_minor().unwrap() >= (3, 8), "{}", one.version());

    let folder = one.folder().to_owned();
    let url = one.url();
    drop(one);
    assert!(!connects(&url).await);
    assert!(!folder.exists());
    assert!(connects(&two.url()).await);
}

#[tokio::test]
async fn a_paused_node_answers_when_it_is_resumed() {
    let mut node = RabbitNode::start().await.unwrap();
    node.pause().unwrap();
    let url = node.url();
    let mut connecting = tokio::spawn(async move { connects(&url).await });
    assert!(
        timeout(Duration::from_millis(500), &mut connecting)
            .await
            .is_err()
    );
    node.resume().unwrap();
    assert!(connecting.await.unwrap());
}

#[tokio::test]
async fn every_test_has_a_vhost_of_its_own() {
    if shared_node().await.node().is_none() {
        // On the broker of RABBITMQ_URL the tests take turns: a second one would wait for the first.
        assert!(connects(fresh_vhost().await.url()).await);
        return;
    }
    let (one, two) = (fresh_vhost().await, fresh_vhost().await);
    assert_ne!(one.url(), two.url());
    assert!(connects(one.url()).await);
    assert!(connects(two.url()).await);
}

#[tokio::test]
async fn python_peers_talk_to_each_other() {
    let vhost = fresh_vhost().await;
    let methods = ["who", "count", "add", "fail", "sleep", "reject"];
    vhost.uses(&methods).await;
    let server = PythonServer::start(vhost.url(), &["--durable", "--tag", "one"])
        .await
        .unwrap();
    for kind in ["--robust", "--plain"] {
        let mut client = PythonClient::start(vhost.url(), &[kind]).await.unwrap();
        assert_eq!(client.call("who", json!({})).await.unwrap().unwrap(), "one");
        assert_eq!(
            client
                .call("add", json!({ "a": 1, "b": 2 }))
                .await
                .unwrap()
                .unwrap(),
            3
        );

        let error = client
            .call("fail", json!({ "message": "no" }))
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(error.class, "JsonRPCError");
        assert_eq!(error.args[1]["error"]["message"], "ValueError('no')");

        let calls = [
            PythonCall::new("nobody", json!({})),
            PythonCall::new("reject", json!({})),
            PythonCall::new("sleep", json!({ "t": 0.2 })).expiration(5.0),
        ];
        let outcomes = client.call_all(&calls).await.unwrap();
        assert_eq!(
            outcomes[0].as_ref().unwrap_err().class,
            "MessageProcessError"
        );
        assert_eq!(outcomes[1].as_ref().unwrap_err().class, "TimeoutError");
        assert_eq!(outcomes[2].as_ref().unwrap(), 0.2);
        assert!(client.stop().await.unwrap().success());
    }
    let mut client = PythonClient::start(vhost.url(), &[]).await.unwrap();
    assert_eq!(
        client
            .call("count", json!({ "method": "reject" }))
            .await
            .unwrap()
            .unwrap(),
        2
    );
    assert!(server.stop().await.unwrap().success());
}

#[tokio::test]
async fn raw_peer_sees_every_property() {
    let vhost = fresh_vhost().await;
    vhost.uses(&["raw"]).await;
    let peer = RawPeer::connect(vhost.url()).await.unwrap();
    let replies = peer.reply_queue().await.unwrap();
    let mut reply = peer.consume_no_ack(&replies).await.unwrap();
    peer.method_queue("raw").await.unwrap();

    let properties = call_properties(&replies, "1");
    peer.publish("raw", properties.clone(), "{}").await.unwrap();
    assert_eq!(peer.counts("raw").await.unwrap(), (1, 0));
    let mut calls = peer.consume("raw").await.unwrap();
    let call = calls.next().await.unwrap();
    assert_eq!(call.0.properties, properties);
    assert_eq!(call.header("From"), Some(&long(&replies)));
    peer.publish(
        call.reply_to().unwrap(),
        reply_properties("result", "1"),
        "3",
    )
    .await
    .unwrap();
    call.ack().await.unwrap();
    let result = reply.next().await.unwrap();
    assert_eq!(
        (result.kind(), result.correlation_id()),
        (Some("result"), Some("1"))
    );
    assert_eq!(result.json().unwrap(), 3);

    // A rejected call bounces to its caller.
    peer.publish("raw", call_properties(&replies, "2"), "{}")
        .await
        .unwrap();
    calls.next().await.unwrap().reject(false).await.unwrap();
    let bounced = reply.next().await.unwrap();
    assert_eq!(
        (bounced.kind(), bounced.correlation_id()),
        (Some("call"), Some("2"))
    );
    reply.nothing_for(Duration::from_millis(50)).await.unwrap();

    let returned = peer
        .try_publish("nobody", call_properties(&replies, "3"), "{}")
        .await
        .unwrap();
    assert_eq!(returned.unwrap().reply_code, 312);
    peer.close().await.unwrap();
}

/// Between its fork and its program, a process has a copy of every socket that is open here.
#[tokio::test]
async fn a_relay_starts_and_refuses_while_processes_are_started() {
    let done = Arc::new(AtomicBool::new(false));
    let started = [(); 2].map(|()| {
        let done = Arc::clone(&done);
        std::thread::spawn(move || {
            let mut started = 0;
            while !done.load(Ordering::Relaxed) {
                started += usize::from(Command::new("true").status().unwrap().success());
            }
            started
        })
    });
    for _ in 0..2_000 {
        let mut relay = TcpRelay::start(1).await.unwrap();
        relay.refuse().await.unwrap();
        let refused = TcpStream::connect(("127.0.0.1", relay.port())).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        relay.accept().await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(started.map(|thread| thread.join().unwrap()) >= [1, 1]);
}

#[tokio::test]
async fn a_relay_cuts_refuses_and_freezes() {
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut relay = TcpRelay::start(target.local_addr().unwrap().port())
        .await
        .unwrap();
    let address = ("127.0.0.1", relay.port());

    let mut near = TcpStream::connect(address).await.unwrap();
    let (mut far, _) = target.accept().await.unwrap();
    near.write_all(b"a").await.unwrap();
    assert_eq!(far.read_u8().await.unwrap(), b'a');
    far.write_all(b"b").await.unwrap();
    assert_eq!(near.read_u8().await.unwrap(), b'b');

    relay.freeze();
    near.write_all(b"c").await.unwrap();
    assert!(
        timeout(Duration::from_millis(100), far.read_u8())
            .await
            .is_err()
    );
    relay.thaw();
    assert_eq!(far.read_u8().await.unwrap(), b'c');
    assert_eq!(relay.connections(), 1);

    relay.cut().await.unwrap();
    assert_eq!(
        near.read_u8().await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(
        far.read_u8().await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(relay.connections(), 0);

    relay.refuse().await.unwrap();
    assert_eq!(
        TcpStream::connect(address).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    relay.accept().await.unwrap();
    let near = TcpStream::connect(address).await.unwrap();
    let (mut far, _) = target.accept().await.unwrap();
    drop(near);
    assert_eq!(
        far.read(&mut [0]).await.unwrap(),
        0,
        "a peer that closes is no cut"
    );
    drop(relay);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_broker_is_reached_through_a_relay() {
    let mut node = RabbitNode::start().await.unwrap();
    let relay = TcpRelay::start(node.port()).await.unwrap();
    let url = relay.url(&node.url());
    assert!(connects(&url).await);
    node.kill().await.unwrap();
    assert!(!connects(&url).await);
    node.restart().await.unwrap();
    let peer = RawPeer::connect(&url).await.unwrap();
    relay.cut().await.unwrap();
    assert!(peer.close().await.is_err());
    assert!(connects(&url).await);
}
