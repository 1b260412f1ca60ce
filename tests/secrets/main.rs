//! No password and no key in any log, at any level, of this library or of those below it.
//!
//! A test binary of its own, since it captures the log of the whole process.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use std::time::Duration;

use rpc_core::{Rpc, RpcError};
use rpc_tests::{
    Authority, Identity, Log, RabbitNode, TcpRelay, TlsListener, fresh_vhost, shared_node,
};
use tokio::time::timeout;
use tracing_subscriber::filter::LevelFilter;

const PASSWORD: &str = "hunter2-hunter2";

#[tokio::test]
async fn a_secret_is_in_no_log_no_debug_and_no_error() {
    let vhost = fresh_vhost().await;
    let node = shared_node()
        .await
        .node()
        .expect("a test that needs rabbitmqctl; unset RABBITMQ_URL");
    node.ctl(&["add_user", "carl", PASSWORD]).await.unwrap();
    node.ctl(&[
        "set_permissions",
        "-p",
        vhost.name(),
        "carl",
        ".*",
        ".*",
        ".*",
    ])
    .await
    .unwrap();
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let mut relay = TcpRelay::start(node.port()).await.unwrap();
    let url = relay.url(&node.url_for("carl", PASSWORD, vhost.name()));
    let builder = Rpc::builder(&url);
    let mut texts = vec![format!("{builder:?}")];
    let rpc = builder.connect().await.unwrap();
    texts.push(format!("{rpc:?}"));
    let server = rpc
        .register("one", |_: serde_json::Value| async { Ok::<_, String>(1) })
        .await
        .unwrap();
    texts.push(format!("{server:?}"));
    assert_eq!(rpc.call("one", ()).await.unwrap(), 1);

    // Lost, refused again and again, and back.
    relay.refuse().await.unwrap();
    relay.cut().await.unwrap();
    let error = rpc
        .call("one", ())
        .timeout(Duration::from_millis(500))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            RpcError::NotConnected { .. } | RpcError::ConnectionLost { .. }
        ),
        "{error:?}"
    );
    texts.push(format!("{error} {error:?}"));
    relay.accept().await.unwrap();
    let back = async { while rpc.call("one", ()).await.is_err() {} };
    timeout(Duration::from_secs(60), back).await.unwrap();

    let wrong = Rpc::connect(node.url_for("carl", &format!("{PASSWORD}-wrong"), vhost.name()));
    let error = wrong.await.unwrap_err();
    texts.push(format!("{error} {error:?}"));
    rpc.close().await;
    let client = log_in_by_certificate(&mut texts).await;

    let log = log.text();
    assert!(log.contains("connection lost"), "the log was captured");
    assert!(log.contains("lapin"), "lapin's too");
    for text in texts.iter().map(String::as_str).chain(log.lines()) {
        assert!(!text.contains(PASSWORD), "{text}");
        // Each line of the key, of which the last may be short enough to be anywhere.
        for line in client
            .key
            .lines()
            .filter(|line| line.len() > 20 && !line.starts_with('-'))
        {
            assert!(!text.contains(line), "{text}");
        }
        // Nor as a list of the numbers of its text.
        let start = format!("{:?}", &client.key.as_bytes()[30..40]);
        assert!(!text.contains(start.trim_matches(['[', ']'])), "{text}");
    }
}

/// Shows a certificate to a broker that accepts it, and to one that it does not know.
async fn log_in_by_certificate(texts: &mut Vec<String>) -> Identity {
    let (ours, other) = (
        Authority::new("ours").unwrap(),
        Authority::new("other").unwrap(),
    );
    let listener = TlsListener {
        identity: ours.issue("localhost").unwrap(),
        client_authority: ours.pem().to_owned(),
        demands_certificate: true,
    };
    let node = RabbitNode::start_with_tls(listener).await.unwrap();
    let client = ours.issue("guest").unwrap();
    let url = format!(
        "amqps://localhost:{}/?auth_mechanism=external",
        node.tls_port()
    );
    for ca in [&ours, &other] {
        let builder = Rpc::builder(&url)
            .tls_ca(ca.pem())
            .tls_identity(&client.certificate, &client.key);
        texts.push(format!("{builder:?} {builder:#?}"));
        texts.push(match builder.connect().await {
            Ok(rpc) => format!("{rpc:?} {rpc:#?}"),
            Err(error) => format!("{error} {error:?}"),
        });
    }
    assert!(texts.last().unwrap().contains("tls_ca"), "{texts:?}");
    client
}
