//! Error replies whose kinds belong to the protocol.

use lapin::BasicProperties;
use rpc_core::{CallError, RpcError};
use rpc_tests::{Log, RawPeer, reply_properties};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tracing_subscriber::util::SubscriberInitExt;

use crate::probe::ProbeClient;
use crate::site::{Site, eventually, on_both};

struct Unencodable;

impl Serialize for Unencodable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it has no JSON"))
    }
}

on_both! {
    /// KIND-9
    async fn a_result_that_json_cannot_hold_is_told_to_its_caller(site) {
        site.uses(&["odd"]).await;
        let rpc = site.rpc().await;
        rpc.register("odd", |_: Value| async { Ok::<_, String>(Unencodable) }).await.unwrap();
        let RpcError::Remote(error) = rpc.call("odd", ()).await.unwrap_err() else {
            panic!("not remote");
        };
        assert_eq!(error.kind, "rpc.EncodeFailed");
        assert!(error.message.contains("it has no JSON"), "{error}");
        assert_eq!(error.args().decode::<[String; 1]>().unwrap(), [&*error.message]);
        assert_eq!(error.data(), None);
    }
}

/// ERR-4
#[tokio::test]
async fn no_error_of_a_service_is_read_from_one_of_the_protocol() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("pay").await.unwrap();
    let mut calls = peer.consume("pay").await.unwrap();
    let client = site.rpc().await;
    // The second is what a service of ours would send.
    for (kind, is_service) in [("rpc.Unheard", false), ("PayError", true)] {
        let call = tokio::spawn(ProbeClient::new(&client).pay(1));
        let taken = calls.next().await.unwrap();
        let body = json!({"error": {"type": kind, "message": "m", "args": [], "data": "Closed"}});
        let properties = reply_properties("error", taken.correlation_id().unwrap());
        let reply_to = taken.reply_to().unwrap();
        peer.publish(reply_to, properties, body.to_string())
            .await
            .unwrap();
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(
            matches!(error, CallError::Service(_)),
            is_service,
            "{error:?}"
        );
    }
}

/// ONEWAY-4
#[tokio::test]
async fn a_one_way_call_that_fails_is_a_warning_of_its_server() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
    let _reading = subscriber.set_default();
    let site = Site::rabbitmq().await;
    let (_client, _server) = site.client_and_server().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let bare = BasicProperties::default();
    peer.publish("pay", bare, r#"{"amount": 101}"#)
        .await
        .unwrap();
    eventually("it is told", async || {
        log.text().contains("a one-way call failed")
    })
    .await;
    let log = log.text();
    assert!(log.contains("WARN") && log.contains("PayError"), "{log}");
}
