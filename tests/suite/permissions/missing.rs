//! What is said where one of the permissions is missing.

use std::time::Duration;

use rpc_core::RpcError;
use rpc_tests::{Log, RawPeer};
use tracing_subscriber::util::SubscriberInitExt;

use super::{Bank, DEFAULT, DLX, KINDS, PASSWORD, REPLY, amount, caller, pay, server};
use crate::site::{connect, eventually};

/// What fails where one permission is missing, from the first connection on.
async fn failure(url: &str, serves: bool) -> String {
    let rpc = match connect(url).await {
        Ok(rpc) => rpc,
        Err(error) => return error.to_string(),
    };
    if serves {
        let serve = rpc.register("pay", pay).dead_letter_queue("pay.dead");
        return match serve.await {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
    }
    let call = rpc.call("pay", amount(1)).await.unwrap_err();
    let one_way = rpc.call("pay", amount(1)).one_way().await.unwrap_err();
    for error in [&call, &one_way] {
        assert!(
            matches!(error, RpcError::ConnectionLost { .. }),
            "{error:?}"
        );
    }
    assert_words(
        &one_way.to_string(),
        &["'amq.default'", "`write` is missing"],
    );
    call.to_string()
}

#[track_caller]
fn assert_words(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
    assert!(!text.contains(PASSWORD), "{text}");
}

/// PERM-1
#[tokio::test]
async fn a_caller_needs_each_of_them() {
    let bank = Bank::open().await;
    let peer = RawPeer::connect(bank.site.url()).await.unwrap();
    peer.method_queue("pay").await.unwrap();
    let cases = [
        (0, REPLY, "'rpc.reply."),
        (0, DLX, "'rpc.dlx'"),
        (1, REPLY, "'rpc.reply."),
        (1, DEFAULT, "'amq.default'"),
        (2, REPLY, "'rpc.reply."),
        (2, DLX, "'rpc.dlx'"),
    ];
    let users = cases.map(|(kind, name, _)| {
        let user = format!("caller-{kind}-{}", name.len());
        (user, caller().without(kind, name))
    });
    for ((kind, _, named), url) in cases.into_iter().zip(bank.users(users).await) {
        let text = failure(&url, false).await;
        let missing = format!("`{}` is missing", KINDS[kind]);
        assert_words(&text, &["ACCESS_REFUSED", named, &missing, "127.0.0.1:"]);
    }
}

/// PERM-2
#[tokio::test]
async fn a_server_needs_each_of_them() {
    let bank = Bank::open().await;
    let peer = RawPeer::connect(bank.site.url()).await.unwrap();
    let cases = [
        (0, "pay", "`pay`"),
        (0, r"pay\.dead", "`pay.dead`"),
        (1, DLX, "'rpc.dlx'"),
        (2, "pay", "`pay`"),
        (2, r"pay\.dead", "`pay.dead`"),
    ];
    let users = cases.map(|(kind, name, _)| {
        let user = format!("server-{kind}-{}", name.len());
        (user, server().without(kind, name))
    });
    for ((kind, _, named), url) in cases.into_iter().zip(bank.users(users).await) {
        // Of a queue that exists already not all is checked.
        for queue in ["pay", "pay.dead"] {
            peer.delete(queue).await.unwrap();
        }
        let text = failure(&url, true).await;
        let missing = format!("{}` is missing", KINDS[kind]);
        let either = "`configure` or `read` is missing".to_owned();
        assert_words(&text, &["ACCESS_REFUSED", named]);
        assert!(text.contains(&missing) || text.contains(&either), "{text}");
    }
}

/// Its caller gets no answer; why, only the server can know, and says in its log.
#[tokio::test]
async fn a_server_that_may_not_answer_says_so_in_its_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    // Of this thread, on which all tasks of this test run.
    let _guard = subscriber.set_default();
    let bank = Bank::open().await;
    let url = bank.user("mute", &server().without(1, DEFAULT)).await;
    let mute = connect(&url).await.unwrap();
    mute.register("pay", pay).await.unwrap();
    let client = bank.site.rpc().await;
    let error = client
        .call("pay", amount(1))
        .timeout(Duration::from_secs(1))
        .await;
    assert!(error.is_err(), "{error:?}");
    eventually("it says so", || async {
        let text = log.text();
        text.contains("'amq.default'") && text.contains("`write` is missing")
    })
    .await;
}
