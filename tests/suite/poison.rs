//! Calls that kill the processes of their servers.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use rpc_core::{Call, RpcError};
use rpc_tests::RawPeer;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::site::{Site, eventually};

/// A server process.
pub(crate) struct Doomed {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Doomed {
    async fn start(site: &Site, queue: &str) -> Self {
        Self::start_with(site.url(), queue, &[]).await
    }

    /// With some environment.
    pub(crate) async fn start_with(url: &str, queue: &str, environment: &[(&str, &Path)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_doomed"))
            .args([url, queue])
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).await.unwrap();
        assert_eq!(line, "ready\n");
        Self { child, output }
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    fn is_dead(&mut self) -> bool {
        match self.child.try_wait().unwrap() {
            Some(status) => {
                assert_eq!(status.signal(), Some(9), "{status}");
                true
            }
            None => false,
        }
    }

    /// Ends it, and returns how many calls it began that were to kill it.
    async fn began(mut self) -> usize {
        // The end of its input asks it to end; one that was killed has none any more.
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).await.unwrap();
        rest.lines().filter(|line| *line == "doomed").count()
    }
}

/// Three servers, of which a call kills two, and what the third says of it.
async fn kill_two_of_three(queue: &str, end: impl AsyncFnOnce(&Site)) {
    let site = Site::rabbitmq().await;
    site.uses(&["doom", "doom.lost"]).await;
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(Doomed::start(&site, queue).await);
    }
    // A quorum queue has no lane.
    if queue == "classic" {
        site.lanes("doom", 3).await;
    }
    end(&site).await;

    // The third goes on.
    let client = site.rpc().await;
    let survivor = client.call("doom", json!({"kill": false})).await.unwrap();
    let (mut dead, mut begun) = (0, 0);
    for mut server in servers {
        match server.is_dead() {
            true => dead += 1,
            false => assert_eq!(survivor, json!(server.id().unwrap())),
        }
        begun += server.began().await;
    }
    assert_eq!((dead, begun), (2, 2));
    assert_eq!(site.depth("doom").await, 0);

    let peer = RawPeer::connect(site.url()).await.unwrap();
    assert_eq!(peer.counts("doom.lost").await.unwrap(), (1, 0));
    let mut letters = peer.consume("doom.lost").await.unwrap();
    let letter = letters.next().await.unwrap();
    assert_eq!(letter.json().unwrap(), json!({"kill": true}));
    let method = letter.header("rpc-method").unwrap();
    assert_eq!(method.as_long_string().unwrap().as_bytes(), b"doom");
}

/// The caller is told why its call is given up.
async fn poison(queue: &str, with: impl Fn(Call<Value>) -> Call<Value>) {
    kill_two_of_three(queue, async |site| {
        let client = site.rpc().await;
        let call = with(client.call("doom", json!({"kill": true})));
        let error = match call.await.unwrap_err() {
            RpcError::Remote(error) => error,
            other => panic!("no error of the server, but {other}"),
        };
        assert_eq!(error.kind, "rpc.Poisoned", "{error}");
        assert!(error.message.contains("2 servers were lost"), "{error}");
        assert_eq!(client.in_flight(), 0);
    })
    .await;
}

/// LOST-1, LOST-3, KIND-7
#[tokio::test]
async fn a_call_in_a_classic_queue_kills_two_processes() {
    poison("classic", |call| call).await;
}

/// LOST-1, LOST-3, QUORUM-3
#[tokio::test]
async fn a_call_in_a_quorum_queue_kills_two_processes() {
    poison("quorum", |call| call).await;
}

/// Its caller keeps the count.
/// LOST-1, LOST-2
#[tokio::test]
async fn an_idempotent_call_in_a_classic_queue_kills_two_processes() {
    poison("classic", |call| call.idempotent(true)).await;
}

/// LOST-1, LOST-2
#[tokio::test]
async fn an_idempotent_call_in_a_quorum_queue_kills_two_processes() {
    poison("quorum", |call| call.idempotent(true).confirmed(true)).await;
}

/// Nobody is there to be told, or to count.
/// LOST-1, LOST-3, LOST-6
#[tokio::test]
async fn a_one_way_call_kills_two_processes() {
    for queue in ["classic", "quorum"] {
        kill_two_of_three(queue, async |site| {
            let client = site.rpc().await;
            let call = client.call("doom", json!({"kill": true})).one_way();
            call.await.unwrap();
            let peer = RawPeer::connect(site.url()).await.unwrap();
            eventually("it is given up", || async {
                peer.counts("doom.lost").await.unwrap().0 == 1
            })
            .await;
        })
        .await;
    }
}

/// Each server is alone, so that the one that counts for the caller is the one that is killed next.
/// LOST-1, LOST-3
#[tokio::test]
async fn a_call_kills_two_processes_one_after_the_other() {
    for queue in ["classic", "quorum"] {
        let site = Site::rabbitmq().await;
        site.uses(&["doom", "doom.lost"]).await;
        let client = site.rpc().await;
        let mut server = Doomed::start(&site, queue).await;
        if queue == "classic" {
            site.lanes("doom", 1).await;
        }
        let call = tokio::spawn(client.call("doom", json!({"kill": true})));
        let mut begun = 0;
        for _ in 0..2 {
            eventually("it is dead", || std::future::ready(server.is_dead())).await;
            begun += server.began().await;
            server = Doomed::start(&site, queue).await;
        }
        let error = match call.await.unwrap().unwrap_err() {
            RpcError::Remote(error) => error,
            other => panic!("no error of the server, but {other}"),
        };
        assert_eq!(error.kind, "rpc.Poisoned", "{error}");
        assert!(!server.is_dead(), "it began a third time");
        let survivor = client.call("doom", json!({"kill": false})).await.unwrap();
        assert_eq!(survivor, json!(server.id().unwrap()));
        begun += server.began().await;
        assert_eq!(begun, 2);
        assert_eq!(site.depth("doom").await, 0);
        assert_eq!(site.depth("doom.lost").await, 1);
    }
}
