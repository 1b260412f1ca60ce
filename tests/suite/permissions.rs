//! The permissions that `docs/guide/permissions.md` names are enough, and none of them is too much.

use std::time::Duration;

use futures_util::future::join_all;
use lapin::types::AMQPValue;
use rpc_core::{Progress, Rpc, RpcError};
use rpc_tests::{RabbitNode, RawPeer, reply_properties, shared_node};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::site::{Site, always_in_batches, connect, eventually};

mod missing;

const PAGE: &str = include_str!("../../rpc-core/docs/guide/permissions.md");
const PASSWORD: &str = "hunter2";

const REPLY: &str = r"rpc\.reply\..*";
const DLX: &str = r"rpc\.dlx";
const LANES: &str = r"rpc\.lane\.(pay|balance)";
const DEFAULT: &str = r"amq\.default";

/// What a user may configure, write and read.
#[derive(Clone)]
struct Grants([Vec<&'static str>; 3]);

fn caller() -> Grants {
    Grants([vec![REPLY, DLX], vec![REPLY, DEFAULT], vec![REPLY, DLX]])
}

fn server() -> Grants {
    let queues = vec![REPLY, DLX, "pay", "balance", r"pay\.dead"];
    Grants([queues.clone(), vec![REPLY, DLX, DEFAULT], queues])
}

impl Grants {
    fn patterns(&self) -> [String; 3] {
        self.0
            .clone()
            .map(|names| format!("^({})$", names.join("|")))
    }

    fn without(mut self, kind: usize, name: &str) -> Self {
        let before = self.0[kind].len();
        self.0[kind].retain(|granted| *granted != name);
        assert_eq!(self.0[kind].len() + 1, before);
        self
    }
}

const KINDS: [&str; 3] = ["configure", "write", "read"];

/// A virtual host with a user who has some of the permissions.
struct Bank {
    site: Site,
    node: &'static RabbitNode,
}

impl Bank {
    async fn open() -> Self {
        let node = shared_node()
            .await
            .node()
            .expect("a test that needs rabbitmqctl; unset RABBITMQ_URL");
        let site = Site::rabbitmq().await;
        Self { site, node }
    }

    /// The URL of a new user.
    async fn user(&self, name: &str, grants: &Grants) -> String {
        self.users([(name.to_owned(), grants.clone())])
            .await
            .remove(0)
    }

    /// Those of several, in the same order.
    async fn users(&self, users: impl IntoIterator<Item = (String, Grants)>) -> Vec<String> {
        let vhost = self.site.vhost_name();
        let (mut made, mut permissions, mut urls) = (Vec::new(), Vec::new(), Vec::new());
        for (name, grants) in users {
            let name = format!("{name}-{vhost}");
            let [configure, write, read] = grants.patterns();
            made.push(json!({"name": name, "password": PASSWORD, "tags": ""}));
            permissions.push(json!({"user": name, "vhost": vhost, "configure": configure, "write": write, "read": read}));
            urls.push(self.node.url_for(&name, PASSWORD, vhost));
        }
        let definitions = json!({"users": made, "permissions": permissions});
        self.node.import(&definitions).await.unwrap();
        urls
    }
}

#[derive(Deserialize)]
struct Amount {
    amount: u64,
}

/// Fails where it is 0, and takes as many milliseconds otherwise.
async fn pay(Amount { amount }: Amount) -> Result<u64, String> {
    sleep(Duration::from_millis(amount)).await;
    match amount {
        0 => Err("nothing to pay".into()),
        amount => Ok(amount),
    }
}

async fn serve(rpc: &Rpc) -> rpc_core::Server {
    let serve = rpc.register("pay", pay).idempotent(true).concurrency(4);
    serve.dead_letter_queue("pay.dead").await.unwrap()
}

fn amount(amount: u64) -> Value {
    json!({ "amount": amount })
}

#[test]
fn the_page_says_what_these_tests_grant() {
    for (user, grants) in [("caller", caller()), ("server", server())] {
        let [configure, write, read] = grants.patterns();
        let command =
            format!("rabbitmqctl set_permissions -p bank {user} '{configure}' '{write}' '{read}'");
        assert!(PAGE.contains(&command), "{command}");
    }
}

/// Whether the reply to a call says that its server takes batches.
async fn takes_batches(bank: &Bank) -> bool {
    let peer = RawPeer::connect(bank.site.url()).await.unwrap();
    let queue = peer.reply_queue().await.unwrap();
    let mut replies = peer.consume_no_ack(&queue).await.unwrap();
    let limit = rpc_tests::table(&[("rpc-timeout", AMQPValue::LongLongInt(5_000))]);
    let call = rpc_tests::call_properties(&queue, "1").with_headers(limit);
    peer.publish("pay", call, "{\"amount\": 1}").await.unwrap();
    let reply = replies.next().await.unwrap();
    assert_eq!(reply.json().unwrap(), json!(1));
    reply.header("rpc-lane").unwrap().as_bool().unwrap()
}

/// PERM-2
#[tokio::test]
async fn a_server_takes_batches_where_it_may_and_serves_where_it_may_not() {
    let bank = Bank::open().await;
    let mut grants = server();
    for kind in [0, 2] {
        assert!(PAGE.contains(LANES));
        grants.0[kind].push(LANES);
    }
    let url = bank.user("server", &grants).await;
    // As it is by default, for its calls travel in batches or not as the test has it.
    let serves = |url: String| async move {
        let rpc = Rpc::connect(url).await.unwrap();
        rpc.register("pay", pay).await.unwrap();
        rpc
    };
    let rpc = serves(url).await;
    eventually("it takes batches", || takes_batches(&bank)).await;
    rpc.close().await;
    let some = [0, 2].map(|kind| {
        let name = format!("server-{}", KINDS[kind]);
        (name, grants.clone().without(kind, LANES))
    });
    for url in bank.users(some).await {
        let rpc = serves(url).await;
        for _ in 0..20 {
            assert!(!takes_batches(&bank).await);
        }
        rpc.close().await;
    }
}

/// PERM-1, PERM-2
#[tokio::test]
async fn calls_of_every_kind_need_no_more_than_the_page_says() {
    let bank = Bank::open().await;
    let both = [
        ("server".to_owned(), server()),
        ("caller".to_owned(), caller()),
    ];
    let urls = bank.users(both).await;
    let server_url = &urls[0];
    let client = connect(&urls[1]).await.unwrap();

    let error = client.call("pay", amount(1)).await.unwrap_err();
    assert!(matches!(error, RpcError::NoSuchMethod { .. }), "{error:?}");

    let first = connect(server_url).await.unwrap();
    serve(&first).await;
    assert_eq!(client.call("pay", amount(1)).await.unwrap(), json!(1));
    let error = client.call("pay", amount(0)).await.unwrap_err();
    assert!(matches!(error, RpcError::Remote(_)), "{error:?}");
    client.call("pay", amount(1)).one_way().await.unwrap();
    let late = client
        .call("pay", amount(60_000))
        .timeout(Duration::from_secs(1));
    let error = late.await.unwrap_err();
    assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");

    // A server that is lost with a call: the next one puts a copy of it in its place.
    let running = tokio::spawn(client.call("pay", amount(1_500)).idempotent(true));
    let peer = RawPeer::connect(bank.site.url()).await.unwrap();
    eventually("it runs", || async {
        client.in_flight() == 1 && peer.counts("pay").await.unwrap().0 == 0
    })
    .await;
    drop(first);
    let second = connect(server_url).await.unwrap();
    let server = serve(&second).await;
    assert_eq!(running.await.unwrap().unwrap(), json!(1_500));

    // One that is not run again is kept.
    let lost = rpc_tests::call_properties("nobody", "1")
        .with_headers(rpc_tests::table(&[("rpc-attempts", 2_i64.into())]));
    peer.publish("pay", lost, "{\"amount\": 1}").await.unwrap();
    eventually("it is kept", || async {
        peer.counts("pay.dead").await.unwrap().0 == 1
    })
    .await;

    // While servers come and go no call fails: what one had not begun it hands back.
    let mut servers = vec![(second, server)];
    let calls: Vec<_> = (0..300)
        .map(|_| tokio::spawn(client.call("pay", amount(20))))
        .collect();
    for _ in 0..3 {
        let rpc = connect(server_url).await.unwrap();
        let next = serve(&rpc).await;
        servers.push((rpc, next));
        servers.remove(0).1.shutdown().await.unwrap();
    }
    for call in join_all(calls).await {
        assert_eq!(call.unwrap().unwrap(), json!(20));
    }

    // Nobody serves: it bounces. The broker has a sixteenth of the limit for that.
    servers.remove(0).1.shutdown().await.unwrap();
    let error = client
        .call("pay", amount(1))
        .timeout(Duration::from_secs(4))
        .await;
    assert!(matches!(error, Err(RpcError::Expired { .. })), "{error:?}");
}

/// Where a look at a queue is not allowed, as by RabbitMQ 4.3, it is only not known how far a call got; the connection
/// and the calls on it go on.
#[tokio::test]
async fn a_timeout_without_the_permission_to_look() {
    let bank = Bank::open().await;
    let peer = RawPeer::connect(bank.site.url()).await.unwrap();
    peer.method_queue("pay").await.unwrap();
    let mut calls = peer.consume("pay").await.unwrap();
    let url = bank.user("caller", &caller()).await;
    let client = connect(&url).await.unwrap();

    // One that is answered after the others have timed out, on the same connection.
    let patient = tokio::spawn(
        client
            .call("pay", amount(1))
            .timeout(Duration::from_secs(20)),
    );
    let patient_call = calls.next().await.unwrap();
    for _ in 0..3 {
        let progress = progress_of(&client).await;
        assert!(
            progress == TAKEN || progress == Progress::Unknown,
            "{progress:?}"
        );
        // So that it is not the answer to the last one.
        sleep(Duration::from_millis(150)).await;
    }
    let reply = reply_properties("result", patient_call.correlation_id().unwrap());
    peer.publish(patient_call.reply_to().unwrap(), reply, "7")
        .await
        .unwrap();
    assert_eq!(patient.await.unwrap().unwrap(), json!(7));

    // Any of the three is enough, and 3.10 needs none.
    if bank.node.major_minor().unwrap() < (4, 0) {
        eventually("all may look", || async {
            progress_of(&client).await == TAKEN
        })
        .await;
    }
    let lookers = KINDS.iter().enumerate().map(|(kind, name)| {
        let mut grants = caller();
        grants.0[kind].push("pay");
        // The call may wait there instead.
        if always_in_batches() {
            grants.0[kind].push(LANES);
        }
        (format!("looker-{name}"), grants)
    });
    for (name, url) in KINDS.iter().zip(bank.users(lookers).await) {
        let client = connect(&url).await.unwrap();
        // A busy machine may be late with one.
        let allowed = format!("`{name}` allows to look");
        eventually(&allowed, || async { progress_of(&client).await == TAKEN }).await;
    }
}

const TAKEN: Progress = Progress::Taken { servers: 1 };

/// How far a call got that is taken and not answered.
async fn progress_of(client: &Rpc) -> Progress {
    let call = client.call("pay", amount(2));
    match call.timeout(Duration::from_millis(300)).await {
        Err(RpcError::Timeout { progress, .. }) => progress,
        other => panic!("no timeout: {other:?}"),
    }
}
