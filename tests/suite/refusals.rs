//! What the broker, or the URL, does not allow: errors that say which host or queue, and never a password.

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use rpc_core::{ConnectError, QueueOptions, Rpc, RpcError, ServeError};
use rpc_tests::{RabbitNode, RawPeer, shared_node, table};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::probe::{ProbeClient, Real};
use crate::site::{Site, builder, connect, serve};

const PASSWORD: &str = "hunter2";

async fn refused(url: &str) -> ConnectError {
    let error = connect(url).await.unwrap_err();
    assert_no_password(&error);
    error
}

fn assert_no_password(error: &(impl std::fmt::Debug + std::fmt::Display)) {
    let text = format!("{error} {error:?} {error:#?}");
    assert!(!text.contains(PASSWORD), "{text}");
}

async fn one(_: Value) -> Result<u8, String> {
    Ok(1)
}

/// The private node, with a new user who may do nothing on the site's virtual host.
async fn node_with_user(site: &Site, user: &str) -> &'static RabbitNode {
    let node = shared_node()
        .await
        .node()
        .expect("a test that needs rabbitmqctl; unset RABBITMQ_URL");
    let (vhost, none) = (site.vhost_name(), "^$");
    let definitions = json!({
        "users": [{"name": user, "password": PASSWORD, "tags": ""}],
        "permissions": [{"user": user, "vhost": vhost, "configure": none, "write": none, "read": none}],
    });
    node.import(&definitions).await.unwrap();
    node
}

#[tokio::test]
async fn urls_that_name_no_broker() {
    for url in [
        "",
        "localhost",
        "http://u:hunter2@h",
        "amqp://u:hunter2@h:port",
        "amqp://u:hunter2@h:5672/v?heartbeat=x",
        "amqp:/u:hunter2@h",
        "amqp://u:hunter2/x@h",
        "amqp://u:hunter2@h?frame_max=4096",
    ] {
        let error = refused(url).await;
        assert!(
            matches!(error, ConnectError::InvalidUrl { .. }),
            "{url}: {error:?}"
        );
    }
    assert_no_password(&UrlOnly(format!("{:?}", builder("amqp://u:hunter2@h"))));
}

struct UrlOnly(String);

impl std::fmt::Debug for UrlOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for UrlOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = refused(&format!("amqp://guest:{PASSWORD}@127.0.0.1:{port}")).await;
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains(&format!("127.0.0.1:{port}")) && text.contains("refused"),
        "{text}"
    );
}

#[tokio::test]
async fn a_port_that_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connecting = builder(format!("amqp://guest:{PASSWORD}@127.0.0.1:{port}"))
        .connect_timeout(Duration::from_millis(200))
        .connect();
    let error = connecting.await.unwrap_err();
    assert_no_password(&error);
    assert!(error.to_string().contains("within 200ms"), "{error}");
}

#[tokio::test]
async fn every_host_of_a_list_is_named() {
    let error = refused("amqp://u:hunter2@127.0.0.1:1,127.0.0.1:2/v").await;
    let text = error.to_string();
    assert!(matches!(error, ConnectError::NoHost(_)), "{error:?}");
    assert!(
        text.contains("127.0.0.1:1") && text.contains("127.0.0.1:2"),
        "{text}"
    );
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_vhost() {
    let site = Site::rabbitmq().await;
    let node = node_with_user(&site, "ann").await;
    let error = refused(&node.url_for("ann", "hunter2wrong", site.vhost_name())).await;
    assert!(
        matches!(&error, ConnectError::Refused { user, .. } if user.as_deref() == Some("ann")),
        "{error:?}"
    );
    assert!(error.to_string().contains("ACCESS_REFUSED"), "{error}");
    let error = refused(&node.url_for("ann", PASSWORD, "nowhere")).await;
    assert!(
        matches!(&error, ConnectError::Refused { vhost, .. } if vhost == "nowhere"),
        "{error:?}"
    );
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[tokio::test]
async fn a_user_without_permissions() {
    let site = Site::rabbitmq().await;
    let node = node_with_user(&site, "bob").await;
    let url = node.url_for("bob", PASSWORD, site.vhost_name());
    let error = refused(&url).await;
    assert!(matches!(error, ConnectError::Setup { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("rpc.reply.") && text.contains("ACCESS_REFUSED"),
        "{text}"
    );

    // Enough to call, not to serve.
    let vhost = site.vhost_name();
    let mine = r"^rpc\..*";
    node.ctl(&["set_permissions", "-p", vhost, "bob", mine, mine, mine])
        .await
        .unwrap();
    let rpc = connect(&url).await.unwrap();
    let error = rpc.register("pay", one).await.unwrap_err();
    assert!(
        matches!(&error, ServeError::Queue { queue, .. } if queue == "pay"),
        "{error:?}"
    );
    assert!(error.to_string().contains("ACCESS_REFUSED"), "{error}");
    assert_no_password(&error);

    // Not enough to publish calls: the broker closes the channel, which is a loss with its reason.
    let error = rpc
        .call("pay", ())
        .timeout(Duration::from_secs(5))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, RpcError::ConnectionLost { .. }),
        "{error:?}"
    );
    assert!(text.contains("ACCESS_REFUSED"), "{text}");
}

#[tokio::test]
async fn a_server_that_may_not_answer_tries_again_without_hurry() {
    let site = Site::rabbitmq().await;
    let node = node_with_user(&site, "dora").await;
    let vhost = site.vhost_name();
    node.ctl(&[
        "set_permissions",
        "-p",
        vhost,
        "dora",
        ".*",
        r"^rpc\..*",
        ".*",
    ])
    .await
    .unwrap();
    let server = connect(node.url_for("dora", PASSWORD, vhost))
        .await
        .unwrap();
    server.register("pay", one).await.unwrap();
    let client = site.rpc().await;
    let error = client
        .call("pay", ())
        .timeout(Duration::from_secs(4))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RpcError::Timeout { .. } | RpcError::Expired { .. }),
        "{error:?}"
    );
    // Each attempt is two channels of higher numbers, one of them for batches. The waits are random: on average it is 29
    // in all, 40 once in 160 times, and 48 once in 200,000. Without waits it would be hundreds.
    let channels = node
        .ctl(&[
            "list_channels",
            "-q",
            "--no-table-headers",
            "user",
            "number",
        ])
        .await
        .unwrap();
    let numbers = channels
        .lines()
        .filter_map(|line| line.strip_prefix("dora")?.trim().parse::<u32>().ok());
    let attempts = numbers.max().unwrap_or_default();
    assert!(attempts < 80, "{attempts} channels in four seconds");
}

/// TOPO-13
#[tokio::test]
async fn a_queue_that_exists_with_other_flags() {
    let site = Site::rabbitmq().await;
    site.uses(&["pay"]).await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let flags = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    peer.declare("pay", flags, table(&[("x-expires", 60_000.into())]))
        .await
        .unwrap();
    let rpc = site.rpc().await;
    let error = rpc.register("pay", one).await.unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(&error, ServeError::Queue { queue, .. } if queue == "pay"),
        "{error:?}"
    );
    assert!(
        text.contains("PRECONDITION_FAILED") && text.contains("inequivalent arg"),
        "{text}"
    );
    // The connection is as good as before.
    let server = rpc.register("other", one).await.unwrap();
    assert_eq!(rpc.call("other", ()).await.unwrap(), 1);
    server.shutdown().await.unwrap();
    peer.delete("pay").await.unwrap();
    peer.delete("other").await.unwrap();
}

/// TOPO-13
#[tokio::test]
async fn options_of_the_queue_must_be_those_of_all_servers() {
    for site in [Site::memory().await, Site::rabbitmq().await] {
        site.uses(&["pay"]).await;
        let (first, second) = (site.rpc().await, site.rpc().await);
        let limit = QueueOptions::default().argument("x-max-length", 10);
        first
            .register("pay", one)
            .queue(limit.clone())
            .await
            .unwrap();
        let error = second.register("pay", one).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("`pay`") && text.contains("x-max-length"),
            "{text}"
        );
        second.register("pay", one).queue(limit).await.unwrap();
    }
}

#[tokio::test]
async fn tls_on_a_plain_port() {
    let site = Site::rabbitmq().await;
    let url = site.url().replacen("amqp://", "amqps://", 1);
    let error = refused(&url).await;
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("amqp://"), "{error}");
}

/// Brokers of 3.12 and later can be told to; older ones do not know the setting.
#[tokio::test]
async fn a_transient_queue_where_the_broker_refuses_them() {
    let denied = [(
        "permit_deprecated_features",
        "#{transient_nonexcl_queues => false}",
    )];
    let node = RabbitNode::start_with(&denied).await.unwrap();
    let rpc = connect(node.url()).await.unwrap();
    let transient = QueueOptions::default().durable(false);
    let outcome = rpc.register("pay", one).queue(transient).await;
    if node.major_minor().unwrap() >= (3, 12) {
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("`pay`"), "{error}");
        assert!(
            error.to_string().contains("transient_nonexcl_queues"),
            "{error}"
        );
    } else {
        outcome.unwrap();
    }
    // That was an error of the whole connection; it comes back.
    rpc.register("other", one).await.unwrap();
    assert_eq!(rpc.call("other", ()).await.unwrap(), 1);
}

/// What does not fit the first frame of a connection would cut it.
#[tokio::test]
async fn long_names_and_logins_cut_no_connection() {
    let site = Site::rabbitmq().await;
    let named = Rpc::builder(site.url()).connection_name("\u{e9}".repeat(2_500));
    let rpc = named.connect().await.unwrap();
    serve(&rpc, Real).await;
    assert_eq!(ProbeClient::new(&rpc).add(1, 2).await.unwrap(), 3);
    let (_, host) = site.url().rsplit_once('@').unwrap();
    let login = format!("amqp://somebody:{}@{host}", "p".repeat(2_000));
    let error = Rpc::connect(login).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
}
