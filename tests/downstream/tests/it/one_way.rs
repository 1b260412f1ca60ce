//! Calls that end when the broker has them.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use rpc_downstream::wire::{Rpc, RpcError};
use rpc_downstream::{Diary, DiaryClient, DiaryServer};
use rpc_tests::RabbitNode;
use serde_json::json;

use crate::site::{Site, eventually, on_both};

/// Clones are the same diary.
#[derive(Clone, Debug, Default)]
struct Paper(Arc<Mutex<Vec<String>>>);

impl Paper {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    async fn serve(&self, rpc: &Rpc) {
        rpc.serve(DiaryServer::new(self.clone())).await.unwrap();
    }
}

impl Diary for Paper {
    async fn write(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }

    async fn jot(&self, line: Option<&str>) {
        self.0.lock().unwrap().push(format!("{line:?}"));
    }

    async fn squeeze(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    async fn lines(&self) -> Vec<String> {
        Self::lines(self)
    }
}

/// A client, and the queues of a server that has left.
async fn left(site: &Site) -> (Rpc, DiaryClient) {
    let (client, server) = site.client_and_server(&DiaryClient::DESCRIPTOR).await;
    let server = server.serve(DiaryServer::new(Paper::default())).await;
    server.unwrap().shutdown().await.unwrap();
    let diary = DiaryClient::new(&client);
    (client, diary)
}

on_both! {
    async fn a_line_is_written_some_time(site) {
        let (client, server) = site.client_and_server(&DiaryClient::DESCRIPTOR).await;
        let paper = Paper::default();
        paper.serve(&server).await;
        let diary = DiaryClient::new(&client);
        let nothing: () = diary.write("a").await.unwrap();
        assert_eq!(client.call("diary.jot.down", json!({"text": "b"})).one_way().await, Ok(nothing));
        diary.jot(None).await.unwrap();
        diary.squeeze("c".into()).await.unwrap();
        let mut lines = Vec::new();
        eventually("all are written", async || {
            lines = diary.lines().await.unwrap();
            lines.len() == 4
        })
        .await;
        lines.sort();
        assert_eq!(lines, ["None", "Some(\"b\")", "a", "c"]);
    }

    async fn a_line_is_kept_until_somebody_serves(site) {
        let (client, diary) = left(site).await;
        diary.write("a").await.unwrap();
        assert_eq!(site.depth("diary.write").await, 1);
        diary.write("b").await.unwrap();
        let paper = Paper::default();
        paper.serve(&client).await;
        eventually("both are written", async || paper.lines().len() == 2).await;
        assert_eq!(site.depth("diary.write").await, 0);
    }

    async fn a_line_that_nobody_ever_takes_is_told(site) {
        let diary = DiaryClient::new(&site.rpc().await);
        let no_such_method = |method: &str| Err(RpcError::no_such_method(method));
        assert_eq!(diary.write("a").await, no_such_method("diary.write"));
        assert_eq!(diary.jot(Some("a")).await, no_such_method("diary.jot.down"));
    }

    async fn a_line_for_which_there_is_no_room_is_told(site) {
        let (client, diary) = left(site).await;
        diary.squeeze("a".into()).await.unwrap();
        let error = diary.squeeze("b".into()).await.unwrap_err();
        assert!(matches!(&error, RpcError::Overloaded { method, .. } if method == "diary.squeeze"), "{error:?}");
        let paper = Paper::default();
        paper.serve(&client).await;
        eventually("the first is written", async || paper.lines() == ["a"]).await;
        diary.squeeze("c".into()).await.unwrap();
        eventually("there is room again", async || paper.lines() == ["a", "c"]).await;
    }

    /// The broker's word on each call reaches the caller of that call.
    async fn of_many_lines_each_is_told_its_own_truth(site) {
        let (client, server) = site.client_and_server(&DiaryClient::DESCRIPTOR).await;
        let paper = Paper::default();
        paper.serve(&server).await;
        let (here, nowhere) = (DiaryClient::new(&client), DiaryClient::new(&client.with_prefix("nowhere.")));
        let calls = (0..1000).map(|n| {
            let diary = if n % 2 == 0 { &here } else { &nowhere };
            tokio::spawn(diary.write(&n.to_string()))
        });
        let mut written = Vec::new();
        for (n, call) in join_all(calls).await.into_iter().enumerate() {
            match (n % 2, call.unwrap()) {
                (0, Ok(())) => written.push(n.to_string()),
                (1, Err(RpcError::NoSuchMethod { method, .. })) => assert_eq!(method, "nowhere.diary.write"),
                (_, end) => panic!("the call {n}: {end:?}"),
            }
        }
        let lines = || {
            let mut lines = paper.lines();
            lines.sort_by_key(|line| line.parse::<usize>().unwrap());
            lines
        };
        eventually("all are written", async || lines().len() == written.len()).await;
        assert_eq!(lines(), written);
    }
}

#[tokio::test]
async fn a_line_survives_its_broker() {
    let mut node = RabbitNode::start().await.unwrap();
    let client = Rpc::connect(node.url()).await.unwrap();
    let server = client.serve(DiaryServer::new(Paper::default())).await;
    server.unwrap().shutdown().await.unwrap();
    let diary = DiaryClient::new(&client);
    diary.write("before").await.unwrap();
    node.restart().await.unwrap();
    // The same handle, once it is connected again.
    diary.write("after").await.unwrap();
    let paper = Paper::default();
    paper.serve(&client).await;
    eventually("both are written", async || {
        paper.lines() == ["before", "after"]
    })
    .await;
}
