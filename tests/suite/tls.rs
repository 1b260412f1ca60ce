//! TLS with a real listener: who is trusted, on either side, and who is refused with which words.

use std::sync::LazyLock;
use std::time::Duration;

use rpc_core::{ConnectError, Context, Rpc, RpcBuilder};
use rpc_tests::{Authority, Identity, RabbitNode, TlsListener};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// The user of the client certificates.
const USER: &str = "carol";
const EXTERNAL: &str = "?auth_mechanism=external";

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

/// Logs in by certificate.
fn external(node: &RabbitNode, identity: &Identity) -> RpcBuilder {
    Rpc::builder(url(node, "localhost", EXTERNAL))
        .tls_ca(CA.pem())
        .tls_identity(&identity.certificate, &identity.key)
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

async fn user_of(_: Value) -> Result<Value, String> {
    Ok(json!(Context::current().user_id()))
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
        &["localhost:", "issuer", "none of those given to `tls_ca`"],
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

#[tokio::test]
async fn a_client_certificate_logs_in_as_its_common_name() {
    let node = node().await;
    // Of a name in the URL the broker only sees that it is the user id; here there is none.
    let rpc = external(node, &CLIENT).connection_name("by certificate");
    let rpc = rpc.connect().await.unwrap();
    rpc.register("tls.anonymous", user_of).await.unwrap();
    assert_eq!(rpc.call("tls.anonymous", ()).await.unwrap(), json!(null));
    let users = node
        .ctl(&[
            "list_connections",
            "-q",
            "user",
            "auth_mechanism",
            "client_properties",
        ])
        .await
        .unwrap();
    let ours: Vec<_> = users
        .lines()
        .filter(|line| line.contains("by certificate"))
        .collect();
    assert!(!ours.is_empty(), "{users}");
    for line in ours {
        assert!(line.starts_with("carol\tEXTERNAL\t"), "{line}");
    }
}

#[tokio::test]
async fn a_password_logs_in_beside_a_client_certificate() {
    let node = node().await;
    let rpc = builder(node)
        .tls_ca(CA.pem())
        .tls_identity(&CLIENT.certificate, &CLIENT.key);
    let rpc = rpc.send_user_id(true).connect().await.unwrap();
    rpc.register("tls.guest", user_of).await.unwrap();
    assert_eq!(rpc.call("tls.guest", ()).await.unwrap(), json!("guest"));
}

#[tokio::test]
async fn a_user_id_beside_a_login_by_certificate_is_the_name_in_the_url() {
    let node = node().await;
    let error = external(node, &CLIENT)
        .send_user_id(true)
        .connect()
        .await
        .unwrap_err();
    assert!(
        matches!(error, ConnectError::InvalidUrl { .. }),
        "{error:?}"
    );
    assert_words(&error.to_string(), &["send_user_id", "NAME@HOST"]);

    let named = |name: &str| {
        Rpc::builder(url(node, &format!("{name}@localhost"), EXTERNAL))
            .tls_ca(CA.pem())
            .tls_identity(&CLIENT.certificate, &CLIENT.key)
            .send_user_id(true)
    };
    let rpc = named(USER).connect().await.unwrap();
    rpc.register("tls.carol", user_of).await.unwrap();
    assert_eq!(rpc.call("tls.carol", ()).await.unwrap(), json!(USER));

    // The broker knows better.
    let liar = named("dave").connect().await.unwrap();
    let error = liar.call("tls.carol", ()).await.unwrap_err();
    assert_words(&error.to_string(), &["dave", "carol"]);
}

#[tokio::test]
async fn a_certificate_of_nobody_is_refused_as_a_login() {
    let node = node().await;
    let error = external(node, &CA.issue("nobody").unwrap())
        .connect()
        .await
        .unwrap_err();
    assert!(
        matches!(error, ConnectError::Refused { user: None, .. }),
        "{error:?}"
    );
    assert_words(
        &error.to_string(),
        &["the user of the client certificate", "EXTERNAL"],
    );
}

/// As where the broker has not the plugin of certificates.
#[tokio::test]
async fn a_mechanism_that_the_broker_does_not_offer() {
    let node = node().await;
    let query = "?auth_mechanism=rabbit-cr-demo";
    let builder = Rpc::builder(url(node, "guest:guest@localhost", query)).tls_ca(CA.pem());
    let text = builder.connect().await.unwrap_err().to_string();
    assert_words(&text, &["localhost:", "offer the login RABBIT-CR-DEMO"]);
    // It speaks TLS well enough.
    assert!(!text.contains("amqp://"), "{text}");
}

#[tokio::test]
async fn a_client_certificate_of_another_ca() {
    let node = node().await;
    let text = refused(external(node, &STRANGER.issue(USER).unwrap())).await;
    assert_words(&text, &["broker refuses the certificate of `tls_identity`"]);
}

#[tokio::test]
async fn a_broker_that_demands_a_client_certificate() {
    let node = start(CA.issue("localhost").unwrap(), true).await;
    let text = refused(builder(&node).tls_ca(CA.pem())).await;
    assert_words(
        &text,
        &["asks for a client certificate", "RpcBuilder::tls_identity"],
    );
    let rpc = external(&node, &CLIENT).connect().await.unwrap();
    rpc.register("tls.demanded", user_of).await.unwrap();
    rpc.call("tls.demanded", ()).await.unwrap();
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
            ["`tls_identity`", "is not that of"],
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
