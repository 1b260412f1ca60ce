//! What a server of ours puts into the queue in place of a call that it hands back.

use std::time::Duration;

use lapin::types::{AMQPValue, DecimalValue};
use rpc_core::{Batching, Rpc};
use rpc_tests::{RawPeer, call_properties, long, table};
use serde_json::json;

use crate::probe::{Nap, Tally};
use crate::site::{Site, eventually};

const PLACES: usize = 64;

/// Calls of batches keep all places, so that a call which came by itself waits for one.
///
/// LEAVE-2, LEAVE-4
#[tokio::test]
async fn a_call_that_is_handed_back_is_a_copy_with_what_matters() {
    let site = Site::rabbitmq().await;
    let server = Rpc::builder(site.url()).shutdown_grace(Duration::from_millis(100));
    let server = server.connect().await.unwrap();
    let tally = Tally::default();
    let handler = tally.clone();
    let nap = server.register("nap", move |nap: Nap| handler.clone().nap(nap));
    let nap = nap
        .concurrency(u16::try_from(PLACES).unwrap())
        .await
        .unwrap();
    site.open_lanes("nap", 1).await;
    let together = Rpc::builder(site.url()).batching(Batching::always());
    let together = together.connect().await.unwrap();
    let running: Vec<_> = (0..PLACES)
        .map(|_| tokio::spawn(together.call("nap", json!({"millis": 600_000}))))
        .collect();
    eventually("it is busy", async || tally.started() == PLACES).await;

    let peer = RawPeer::connect(site.url()).await.unwrap();
    let replies = peer.reply_queue().await.unwrap();
    let headers = table(&[
        ("From", long(&replies)),
        ("tenant", long("acme")),
        ("rpc-in-time", AMQPValue::Boolean(true)),
        ("x-delivery-count", AMQPValue::LongLongInt(7)),
    ]);
    let headers = typed()
        .into_iter()
        .fold(headers, |mut headers, (name, value)| {
            headers.insert(name.into(), value);
            headers
        });
    let call = call_properties(&replies, "id")
        .with_type("odd".into())
        .with_content_type("text/odd".into())
        .with_delivery_mode(2)
        .with_message_id("m".into())
        .with_content_encoding("identity".into())
        .with_app_id("till".into())
        .with_timestamp(1_700_000_000)
        .with_headers(headers);
    let body = br#"{"millis": 1}"#;
    peer.publish("nap", call, body).await.unwrap();
    eventually("it is taken", async || {
        peer.counts("nap").await.unwrap().0 == 0
    })
    .await;
    nap.shutdown().await.unwrap_err();

    let copy = peer.consume("nap").await.unwrap().next().await.unwrap();
    let properties = &copy.0.properties;
    assert_eq!(
        (copy.kind(), copy.correlation_id()),
        (Some("odd"), Some("id"))
    );
    assert_eq!(copy.reply_to(), Some(&*replies));
    assert_eq!(properties.content_type(), &Some("text/odd".into()));
    assert_eq!(
        (*properties.delivery_mode(), *properties.priority()),
        (Some(2), Some(5))
    );
    assert_eq!(copy.header("From"), Some(&long(&replies)));
    assert_eq!(copy.header("tenant"), Some(&long("acme")));
    assert_eq!(
        (copy.header("rpc-in-time"), copy.header("x-delivery-count")),
        (None, None)
    );
    // What has no meaning here is as it came, the types of headers included.
    assert_eq!(*properties.message_id(), Some("m".into()));
    assert_eq!(*properties.content_encoding(), Some("identity".into()));
    assert_eq!(*properties.app_id(), Some("till".into()));
    assert_eq!(*properties.timestamp(), Some(1_700_000_000));
    for (name, value) in typed() {
        assert_eq!(copy.header(name), Some(&value), "{name}");
    }
    assert_eq!(copy.0.data, body);
    assert!(!copy.0.redelivered, "nobody would run it");
    for call in running {
        call.await.unwrap().unwrap_err();
    }
    assert_eq!(tally.started(), PLACES);
}

/// Headers of types that JSON does not have.
fn typed() -> [(&'static str, AMQPValue); 5] {
    [
        ("bytes", AMQPValue::ByteArray(vec![0xFF; 20_000].into())),
        ("short", AMQPValue::ShortShortInt(-1)),
        ("float", AMQPValue::Float(1.5)),
        ("when", AMQPValue::Timestamp(5)),
        (
            "price",
            AMQPValue::DecimalValue(DecimalValue {
                scale: 2,
                value: 199,
            }),
        ),
    ]
}
