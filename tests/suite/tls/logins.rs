//! Client certificates, with and without a password.

use rpc_core::{ConnectError, Context, Rpc, RpcBuilder};
use rpc_tests::{Identity, RabbitNode};
use serde_json::{Value, json};

use super::{
    CA, CLIENT, EXTERNAL, STRANGER, USER, assert_words, builder, example, node, refused, start, url,
};

/// Logs in by certificate.
fn external(node: &RabbitNode, identity: &Identity) -> RpcBuilder {
    Rpc::builder(url(node, "localhost", EXTERNAL))
        .tls_ca(CA.pem())
        .tls_identity(&identity.certificate, &identity.key)
}

async fn user_of(_: Value) -> Result<Value, String> {
    Ok(json!(Context::current().user_id()))
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
async fn the_example_logs_in_by_its_certificate() {
    let url = url(node().await, "localhost", EXTERNAL);
    let builder =
        |authority: &str| example::builder(&url, authority, &CLIENT.certificate, &CLIENT.key);
    let greeting = example::run(builder(CA.pem())).await.unwrap();
    assert_eq!(greeting, "Good day, Ada");
    // It trusts the authority that it is given, and no other.
    let error = example::run(builder(STRANGER.pem())).await.unwrap_err();
    assert_words(&error.to_string(), &["issuer", "`tls_ca`"]);
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
    assert_words(
        &text,
        &["localhost:", "offer the login mechanism RABBIT-CR-DEMO"],
    );
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
