//! TLS with a real listener: which brokers are trusted, and who is refused with which words.

use std::sync::LazyLock;
use std::time::Duration;

use rpc_core::{ConnectError, Rpc, RpcBuilder};
use rpc_tests::{Authority, Identity, RabbitNode, RawFrames, RawPeer, TcpRelay, TlsListener};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::poison::Doomed;
use crate::site::eventually;
use crate::unreadable::{Scene, flawed};

/// The user of the client certificates.
const USER: &str = "carol";
const EXTERNAL: &str = "?auth_mechanism=external";

mod logins;
#[expect(dead_code, reason = "its `main`, which only looks for files")]
#[path = "../../examples/tls.rs"]
mod example;

static CA: LazyLock<Authority> = LazyLock::new(|| Authority::new("the bank's CA").unwrap());
static STRANGER: LazyLock<Authority> = LazyLock::new(|| Authority::new("another CA").unwrap());
static CLIENT: LazyLock<Identity> = LazyLock::new(|| CA.issue(USER).unwrap());

async fn start(identity: Identity, demands_certificate: bool) -> RabbitNode {
    let listener = TlsListener {
        identity,
        client_authority: CA.pem().to_owned(),
        demands_certificate,
    };
    let node = RabbitNode::start_with_tls(listener).await.unwrap();
    // No password can be right for her.
    for command in [
        &["add_user", USER, "x"][..],
        &["clear_password", USER],
        &["set_permissions", USER, ".*", ".*", ".*"],
    ] {
        node.ctl(command).await.unwrap();
    }
    node
}

/// A node that is `localhost` to its clients, and takes certificates without asking for them.
async fn node() -> &'static RabbitNode {
    static NODE: OnceCell<RabbitNode> = OnceCell::const_new();
    NODE.get_or_init(|| start(CA.issue("localhost").unwrap(), false))
        .await
}

fn url(node: &RabbitNode, authority: &str, query: &str) -> String {
    format!("amqps://{authority}:{}/{query}", node.tls_port())
}

fn builder(node: &RabbitNode) -> RpcBuilder {
    Rpc::builder(url(node, "guest:guest@localhost", ""))
}

/// The words of a failed handshake.
async fn refused(builder: RpcBuilder) -> String {
    let error = builder.connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("localhost:") || text.contains("127.0.0.1:"),
        "{text}"
    );
    text
}

#[track_caller]
fn assert_words(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

#[tokio::test]
async fn a_private_ca_is_trusted_for_calls_in_both_directions() {
    let node = node().await;
    let server = builder(node).tls_ca(CA.pem()).connect().await.unwrap();
    server
        .register("tls.both", |value: Value| async { Ok::<_, String>(value) })
        .await
        .unwrap();
    // Several certificates in one text, and several texts; the platform's roots are not needed.
    let both = format!("{}{}", STRANGER.pem(), CA.pem());
    for client in [
        builder(node).tls_ca(both),
        builder(node)
            .tls_ca(STRANGER.pem())
            .tls_ca(CA.pem().as_bytes()),
    ] {
        let client = client.connect().await.unwrap();
        let answer = client.call("tls.both", json!({"a": "x".repeat(300_000)}));
        assert_eq!(answer.await.unwrap()["a"].as_str().unwrap().len(), 300_000);
    }
}

/// A process whose platform trusts the CA, as one that an administrator has set up, needs no `tls_ca`.
#[tokio::test]
async fn the_roots_of_the_platform_are_trusted() {
    let node = node().await;
    let roots = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(roots.path(), CA.pem()).unwrap();
    let url = url(node, "guest:guest@localhost", "");
    let environment = [("SSL_CERT_FILE", roots.path())];
    let server = Doomed::start_with(&url, "classic", &environment).await;
    let client = builder(node).tls_ca(CA.pem()).connect().await.unwrap();
    let id = client.call("doom", json!({"kill": false})).await.unwrap();
    assert_eq!(id, json!(server.id().unwrap()));
}

/// What is read is looked at beyond TLS.
#[tokio::test]
async fn messages_that_cannot_be_read_cost_no_connection() {
    let node = node().await;
    let relay = TcpRelay::start(node.tls_port()).await.unwrap();
    let url = format!("amqps://guest:guest@localhost:{}/", relay.port());
    let connect = async || {
        let builder = Rpc::builder(&url).tls_ca(CA.pem());
        builder.connect().await.unwrap()
    };
    let (client, server) = (connect().await, connect().await);
    let mut scene = Scene::new(client, server, relay).await;
    let mut raw = RawFrames::connect(&node.url()).await.unwrap();
    let peer = RawPeer::connect(&node.url()).await.unwrap();
    for (number, (properties, reason)) in (1..).zip(flawed()) {
        scene.call().await;
        let published = raw.publish("", b"nap", &properties, b"{}");
        published.await.expect(reason);
        eventually(reason, async || {
            peer.counts("nap.lost").await.unwrap().0 == number
        })
        .await;
        scene.check().await;
    }
}

#[tokio::test]
async fn an_issuer_that_is_not_trusted() {
    let node = node().await;
    // The platform knows nothing of this CA.
    let text = refused(builder(node)).await;
    assert_words(
        &text,
        &["localhost:", "issuer", "not trusted", "RpcBuilder::tls_ca"],
    );
    let text = refused(builder(node).tls_ca(STRANGER.pem())).await;
    assert_words(
        &text,
        &["localhost:", "issuer", "not among those given to `tls_ca`"],
    );
}

#[tokio::test]
async fn a_certificate_for_another_host() {
    let node = node().await;
    let by_address = Rpc::builder(url(node, "guest:guest@127.0.0.1", "")).tls_ca(CA.pem());
    let text = refused(by_address).await;
    assert_words(&text, &["127.0.0.1:", "another host", "localhost"]);
}

#[tokio::test]
async fn a_certificate_that_has_expired() {
    let node = start(CA.issue_expired("localhost").unwrap(), false).await;
    let text = refused(builder(&node).tls_ca(CA.pem())).await;
    assert_words(&text, &["localhost:", "expired"]);
}

#[tokio::test]
async fn plain_text_on_a_tls_port_and_tls_on_a_plain_one() {
    let node = node().await;
    for (url, hint) in [
        (
            format!("amqp://guest:guest@localhost:{}", node.tls_port()),
            "start with amqps://",
        ),
        (
            format!("amqps://guest:guest@localhost:{}", node.port()),
            "start with amqp://",
        ),
    ] {
        let error = Rpc::connect(&url).await.unwrap_err();
        assert!(
            matches!(error, ConnectError::Unreachable { .. }),
            "{error:?}"
        );
        assert_words(&error.to_string(), &[hint]);
    }
}

/// What the harness cannot make in pieces: whole certificates and keys that do not fit.
#[tokio::test]
async fn options_that_do_not_fit() {
    let other = CA.issue("other").unwrap();
    let any = || Rpc::builder("amqps://localhost:1");
    let plain = || Rpc::builder("amqp://localhost:1");
    let ca = CA.pem();
    let certificate = &CLIENT.certificate;
    for (builder, words) in [
        (
            any().tls_identity(certificate, &other.key),
            ["`tls_identity`", "does not belong to"],
        ),
        (
            any().tls_identity(&CLIENT.key, certificate),
            ["`tls_identity`", "no certificate in it"],
        ),
        (
            any().tls_identity(certificate, certificate),
            ["`tls_identity`", "no private key in it"],
        ),
        (
            any().tls_ca(&CLIENT.key),
            ["`tls_ca`", "no certificate in it"],
        ),
        (plain().tls_ca(ca), ["`tls_ca`", "amqps://"]),
        (
            plain().tls_identity(certificate, &CLIENT.key),
            ["`tls_identity`", "amqps://"],
        ),
        (
            Rpc::builder(format!("amqps://h/{EXTERNAL}")),
            ["`tls_identity`", "is not set"],
        ),
    ] {
        let debug = format!("{builder:?}");
        let error = builder.connect().await.unwrap_err();
        assert!(
            matches!(error, ConnectError::TlsOptions { .. }),
            "{error:?}"
        );
        assert_words(&error.to_string(), &words);
        for line in [&CLIENT.key, &other.key]
            .iter()
            .flat_map(|key| key.lines().skip(1))
        {
            let text = format!("{debug} {error} {error:?}");
            assert!(!text.contains(line), "{text}");
        }
    }
    // There is no TLS in the process.
    let memory = Rpc::builder("memory://").tls_ca(ca);
    memory.connect().await.unwrap();
}

#[tokio::test]
async fn amqps_never_speaks_plain_text() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let record = tokio::spawn(async move {
        let mut starts = Vec::new();
        // However its handshakes end, the client may come back.
        while let Ok(Ok((mut stream, _))) = timeout(Duration::from_secs(2), listener.accept()).await
        {
            let mut first = [0; 8];
            stream.read_exact(&mut first).await.unwrap();
            starts.push(first);
            // What a plain broker says to a stranger, an alert of TLS, nothing at all.
            let answers: [&[u8]; 3] = [
                b"AMQP\x00\x00\x09\x01",
                b"\x15\x03\x03\x00\x02\x02\x28",
                b"",
            ];
            stream
                .write_all(answers[(starts.len() - 1) % 3])
                .await
                .unwrap();
        }
        starts
    });
    for _ in 0..3 {
        let error = Rpc::builder(format!("amqps://guest:guest@127.0.0.1:{port}"))
            .tls_ca(CA.pem())
            .connect()
            .await
            .unwrap_err();
        assert_words(&error.to_string(), &[&port.to_string()]);
    }
    let starts = record.await.unwrap();
    assert!(starts.len() >= 3, "{starts:?}");
    for start in starts {
        // A record of TLS with a handshake in it, which begins with a ClientHello.
        assert_eq!(
            (start[0], start[1], start[5]),
            (0x16, 0x03, 0x01),
            "{start:?}"
        );
    }
}

/// A client tries for as long as a broker is away, or has another certificate.
#[tokio::test]
async fn hosts_that_cannot_be_reached_or_trusted_leave_no_tasks_behind() {
    let tasks = || {
        let runtime = tokio::runtime::Handle::current();
        runtime.metrics().num_alive_tasks()
    };
    let node = node().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let refusing = || Rpc::builder(format!("amqps://localhost:{port}")).tls_ca(CA.pem());
    let before = tasks();
    for _ in 0..20 {
        let error = refusing().connect().await.unwrap_err();
        assert!(
            matches!(error, ConnectError::Unreachable { .. }),
            "{error:?}"
        );
        refused(builder(node).tls_ca(STRANGER.pem())).await;
    }
    eventually("what was begun has ended", || async { tasks() <= before }).await;
}
