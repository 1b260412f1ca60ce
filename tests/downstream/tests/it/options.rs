//! The options of a method, as its trait declares them.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use rpc_downstream::wire::{QueueOptions, Rpc, RpcError};
use rpc_downstream::{Press, PressClient, PressServer};
use serde_json::{Value, json};
use tokio::task::yield_now;

use crate::site::{Site, eventually, on_both};

/// What it does is seen from outside; clones share it.
#[derive(Clone, Debug, Default)]
struct Gutenberg {
    sheets: Arc<Mutex<Vec<String>>>,
    /// How many sheets are in the press, and how many have been at most.
    busy: Arc<Mutex<(usize, usize)>>,
    /// Whether whoever asks for the sheets waits for ever, and how many do.
    stuck: Option<Arc<Mutex<usize>>>,
}

impl Gutenberg {
    async fn press(&self, sheet: &str) -> usize {
        {
            let mut busy = self.busy.lock().unwrap();
            busy.0 += 1;
            busy.1 = busy.1.max(busy.0);
        }
        // Others could come in here.
        for _ in 0..20 {
            yield_now().await;
        }
        self.busy.lock().unwrap().0 -= 1;
        let mut sheets = self.sheets.lock().unwrap();
        sheets.push(sheet.to_owned());
        sheets.len()
    }

    fn sheets(&self) -> Vec<String> {
        self.sheets.lock().unwrap().clone()
    }
}

impl Press for Gutenberg {
    async fn print(&self, sheet: &str) -> usize {
        self.press(sheet).await
    }

    async fn rush(&self, sheet: &str) -> usize {
        self.press(sheet).await
    }

    async fn sheets(&self) -> Vec<String> {
        if let Some(stuck) = &self.stuck {
            *stuck.lock().unwrap() += 1;
            pending::<()>().await;
        }
        self.sheets()
    }

    async fn clean(&self) {
        pending::<()>().await;
    }
}

async fn open(site: &Site) -> (PressClient, Rpc, Gutenberg) {
    let (client, server) = site.client_and_server(&PressClient::DESCRIPTOR).await;
    let press = Gutenberg::default();
    server.serve(PressServer::new(press.clone())).await.unwrap();
    (PressClient::new(&client), server, press)
}

on_both! {
    async fn a_method_may_have_another_name_on_the_wire(site) {
        let (press, server, _) = open(site).await;
        assert_eq!(press.print("a").await, Ok(1));
        assert_eq!(server.call("press.print.v2", json!({"sheet": "b"})).await, Ok(json!(2)));
        let error = server.call("press.print", json!({"sheet": "c"})).await.unwrap_err();
        assert_eq!(error, RpcError::no_such_method("press.print"));
    }

    async fn a_method_may_have_a_time_limit_of_its_own(site) {
        let (press, _server, _) = open(site).await;
        let RpcError::Timeout { method, after, .. } = press.clean().await.unwrap_err() else {
            panic!("another end");
        };
        assert_eq!((&*method, after), ("press.clean", Duration::from_millis(150)));
        // That of the one call goes before it.
        let error = press.clean().timeout(Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(error, RpcError::Timeout { after, .. } if after.as_millis() == 200), "{error:?}");
    }

    async fn a_method_may_run_one_call_at_a_time(site) {
        let (press, server, gutenberg) = open(site).await;
        let printing = (0..20).map(|sheet| press.print(&sheet.to_string()));
        assert!(join_all(printing).await.iter().all(Result::is_ok));
        assert_eq!(*gutenberg.busy.lock().unwrap(), (0, 1));
        // What the server is told goes before it.
        let all_at_once = server.with_prefix("fast.");
        site.uses("fast.", &PressClient::DESCRIPTOR).await;
        all_at_once.serve(PressServer::new(gutenberg.clone())).concurrency(20).await.unwrap();
        let press = PressClient::new(&all_at_once);
        eventually("two were in the press together", async || {
            let printing = (0..20).map(|sheet| press.print(&sheet.to_string()));
            assert!(join_all(printing).await.iter().all(Result::is_ok));
            gutenberg.busy.lock().unwrap().1 > 1
        })
        .await;
    }

    /// LIMIT-6
    async fn calls_of_a_method_may_go_before_others(site) {
        let (client, server) = site.client_and_server(&PressClient::DESCRIPTOR).await;
        let gutenberg = Gutenberg::default();
        let serve = async || server.serve(PressServer::new(gutenberg.clone())).await.unwrap();
        serve().await.shutdown().await.unwrap();
        let press = PressClient::new(&client);
        let mut calls = Vec::new();
        for (waiting, call) in [
            press.rush("last").priority(1),
            press.rush("first"),
            press.rush("middle").priority(5),
            press.rush("second"),
        ]
        .into_iter()
        .enumerate()
        {
            calls.push(tokio::spawn(call));
            eventually("it waits", async || site.depth("press.rush").await == waiting + 1).await;
        }
        serve().await;
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(gutenberg.sheets(), ["first", "second", "middle", "last"]);
    }

    /// Others have to declare it alike.
    async fn a_method_may_have_a_queue_of_its_own_kind(site) {
        let (press, server, _) = open(site).await;
        let other = site.rpc().await;
        let print = |_: Value| async { Ok::<_, String>(0) };
        let error = other.register("press.print.v2", print).await.unwrap_err();
        assert!(error.to_string().contains("x-max-priority"), "{error}");
        let same = QueueOptions::default().argument("x-max-priority", 9);
        other.register("press.print.v2", print).queue(same).await.unwrap();
        drop((press, server));
    }

    async fn a_call_of_a_lost_server_runs_again_only_if_its_method_may(site) {
        let (client, lost) = site.client_and_server(&PressClient::DESCRIPTOR).await;
        let asked = Arc::new(Mutex::new(0));
        let stuck = Gutenberg { stuck: Some(Arc::clone(&asked)), ..Gutenberg::default() };
        drop(lost.serve(PressServer::new(stuck)).await.unwrap());
        let press = PressClient::new(&client);
        let sheets = tokio::spawn(press.sheets());
        let clean = tokio::spawn(press.clean().timeout(Duration::from_secs(30)));
        eventually("both run", async || {
            let taken = site.depth("press.clean").await == 0;
            taken && client.in_flight() == 2 && *asked.lock().unwrap() == 1
        })
        .await;
        drop(lost);
        let next = site.rpc().await;
        let gutenberg = Gutenberg::default();
        next.serve(PressServer::new(gutenberg)).await.unwrap();
        assert_eq!(sheets.await.unwrap(), Ok(vec![]));
        let error = clean.await.unwrap().unwrap_err();
        assert_eq!(error, RpcError::interrupted("press.clean"));
    }
}
