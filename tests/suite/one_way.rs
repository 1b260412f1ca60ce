//! Calls that end when the broker has them, whatever becomes of them then.

mod brokers;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{Call, Context, QueueOptions, Rpc, RpcError, Serve};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::probe::{Nap, ProbeClient, Tally};
use crate::site::{Line, Site, connect, eventually, on_both};

/// All numbers that a server of `note` was given.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<u64>>>);

impl Notes {
    fn serve(&self, rpc: &Rpc) -> Serve {
        let notes = self.clone();
        rpc.register("note", move |args: Value| {
            let notes = notes.clone();
            async move {
                let number = args["n"].as_u64().ok_or("there is no `n`")?;
                notes.0.lock().unwrap().push(number);
                Ok::<_, &str>(number)
            }
        })
    }

    fn sorted(&self) -> Vec<u64> {
        let mut notes = self.0.lock().unwrap().clone();
        notes.sort_unstable();
        notes
    }

    async fn are(&self, expected: &[u64]) {
        eventually(&format!("{expected:?} are noted"), || async {
            self.sorted().len() >= expected.len()
        })
        .await;
        assert_eq!(self.sorted(), expected);
    }
}

fn note(rpc: &Rpc, n: u64) -> Call<()> {
    rpc.call("note", json!({ "n": n })).one_way()
}

/// A queue in which one call may wait, and no server.
async fn one_place(site: &Site, rpc: &Rpc, overflow: &str) -> QueueOptions {
    site.uses(&["note"]).await;
    let options = QueueOptions::default()
        .argument("x-max-length", 1)
        .argument("x-overflow", overflow);
    let serve = Notes::default().serve(rpc).queue(options.clone());
    serve.await.unwrap().shutdown().await.unwrap();
    options
}

on_both! {
    async fn a_one_way_call_does_not_wait_for_its_handler(site) {
        let (client, server) = (site.rpc().await, site.rpc().await);
        let tally = Tally::default();
        let handler = tally.clone();
        server.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap();
        client.call("nap", json!({"millis": 600_000})).one_way().await.unwrap();
        eventually("it runs", || async { tally.started() == 1 }).await;
        assert_eq!((tally.finished(), client.in_flight()), (0, 0));
    }

    async fn a_one_way_call_waits_for_a_server_longer_than_its_caller(site) {
        site.uses(&["note"]).await;
        let (client, notes) = (site.rpc().await, Notes::default());
        notes.serve(&client).await.unwrap().shutdown().await.unwrap();
        let limit = Duration::from_secs(1);
        client.call("note", json!({"n": 1})).timeout(limit).one_way().await.unwrap();
        client.close().await;
        sleep(limit).await;
        assert_eq!(site.depth("note").await, 1);
        let server = site.rpc().await;
        notes.serve(&server).await.unwrap();
        notes.are(&[1]).await;
        assert_eq!(site.depth("note").await, 0);
    }

    /// ONEWAY-2
    async fn a_one_way_call_of_a_method_that_nobody_serves_is_told_so(site) {
        let no_such_method = RpcError::no_such_method("note");
        assert_eq!(note(&site.rpc().await, 1).await, Err(no_such_method));
    }

    /// ONEWAY-2
    async fn a_one_way_call_to_a_full_queue_is_told_so(site) {
        is_full(site, "reject-publish").await;
    }

    /// That queue sends what it refuses back to its caller, of which there is none.
    async fn a_one_way_call_to_a_full_queue_that_dead_letters_is_told_so(site) {
        is_full(site, "reject-publish-dlx").await;
    }

    /// The default of a queue with a limit: the oldest call makes room.
    async fn a_one_way_call_may_be_the_end_of_an_older_one(site) {
        let client = site.rpc().await;
        let options = one_place(site, &client, "drop-head").await;
        for n in 1..=3 {
            note(&client, n).await.unwrap();
        }
        let notes = Notes::default();
        notes.serve(&client).queue(options).await.unwrap();
        notes.are(&[3]).await;
    }

    /// SERVE-8
    async fn a_one_way_call_that_fails_is_told_to_nobody_and_harms_nobody(site) {
        let (client, server) = site.client_and_server().await;
        site.uses(&["note"]).await;
        let notes = Notes::default();
        notes.serve(&server).await.unwrap();
        for (method, args) in [
            ("explode", json!({"words": "boom"})),
            ("pay", json!({"amount": 1000})),
            ("add", json!({"a": "no number"})),
            ("note", json!({})),
        ] {
            client.call(method, args).one_way().await.unwrap();
        }
        note(&client, 1).await.unwrap();
        notes.are(&[1]).await;
        assert_eq!(ProbeClient::new(&client).add(1, 2).await, Ok(3));
        for queue in ["explode", "pay", "add", "note"] {
            assert_eq!(site.depth(queue).await, 0, "{queue}");
        }
    }

    async fn the_handler_of_a_one_way_call_has_a_context_and_no_deadline(site) {
        site.uses(&["look"]).await;
        let (client, server) = (site.rpc().await, site.rpc().await);
        let seen = Arc::new(Mutex::new(None));
        let see = Arc::clone(&seen);
        let look = move |_: Value| {
            let context = Context::current();
            let has = (context.deadline(), context.header("tenant").cloned(), context.correlation_id().is_some());
            *see.lock().unwrap() = Some(has);
            async { Ok::<_, String>(()) }
        };
        server.register("look", look).await.unwrap();
        client.call("look", ()).header("tenant", "acme").one_way().await.unwrap();
        eventually("it ran", || async { seen.lock().unwrap().is_some() }).await;
        assert_eq!(seen.lock().unwrap().take(), Some((None, Some(json!("acme")), true)));
    }

    /// Served, full and absent in turn, all at the same time.
    /// ONEWAY-2
    async fn of_many_one_way_calls_each_is_told_its_own_truth(site) {
        site.uses(&["full"]).await;
        let (client, server) = (site.rpc().await, site.rpc().await);
        drop(one_place(site, &client, "reject-publish").await);
        note(&client, 0).await.unwrap();
        let tally = Tally::default();
        let handler = tally.clone();
        server.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap();
        let calls = join_all((0..1200).map(|n| {
            let method = ["nap", "note", "absent"][n % 3];
            tokio::spawn(client.call(method, json!({"millis": 0})).one_way())
        }));
        for (n, call) in calls.await.into_iter().enumerate() {
            let end = call.unwrap();
            let right = match n % 3 {
                0 => matches!(end, Ok(())),
                1 => matches!(&end, Err(RpcError::Overloaded { method, .. }) if method == "note"),
                _ => matches!(&end, Err(RpcError::NoSuchMethod { method, .. }) if method == "absent"),
            };
            assert!(right, "{n}: {end:?}");
        }
        eventually("all that were taken ran", || async { tally.finished() == 400 }).await;
        assert_eq!((tally.started(), site.depth("note").await), (400, 1));
    }

    /// ONEWAY-3
    async fn a_one_way_call_of_a_lost_server_does_not_run_again(site) {
        let (client, tally) = (site.rpc().await, Tally::default());
        let first = site.rpc().await;
        let handler = tally.clone();
        drop(first.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap());
        client.call("nap", json!({"millis": 600_000})).one_way().await.unwrap();
        eventually("it runs", || async { tally.started() == 1 }).await;
        drop(first);
        eventually("the broker has it again", || async { site.depth("nap").await == 1 }).await;
        let second = site.rpc().await;
        let handler = tally.clone();
        second.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap();
        // It comes after the other, which is at the head of the queue.
        assert_eq!(client.call("nap", json!({"millis": 1})).await.unwrap(), json!(1));
        assert_eq!((tally.started(), tally.finished(), site.depth("nap").await), (2, 1, 0));
    }

    /// ONEWAY-3
    async fn a_one_way_call_of_a_lost_server_runs_again_if_it_may(site) {
        let (client, tally) = (site.rpc().await, Tally::default());
        let first = site.rpc().await;
        let handler = tally.clone();
        let nap = move |nap: Nap| handler.clone().nap(nap);
        drop(first.register("nap", nap).idempotent(true).await.unwrap());
        client.call("nap", json!({"millis": 500})).one_way().await.unwrap();
        eventually("it runs", || async { tally.started() == 1 }).await;
        drop(first);
        let second = site.rpc().await;
        let handler = tally.clone();
        let nap = move |nap: Nap| handler.clone().nap(nap);
        second.register("nap", nap).idempotent(true).await.unwrap();
        eventually("it has run", || async { tally.finished() == 1 }).await;
        assert_eq!(tally.started(), 2);
    }

    async fn a_one_way_call_is_made_on_the_next_connection_if_this_one_is_lost(site) {
        site.uses(&["note"]).await;
        let notes = Notes::default();
        let server = site.rpc().await;
        notes.serve(&server).await.unwrap();
        let line = Line::to(site).await;
        let client = connect(line.url(site)).await.unwrap();
        note(&client, 1).await.unwrap();
        notes.are(&[1]).await;
        line.cut().await;
        eventually("it is connected again", || async { note(&client, 2).await.is_ok() }).await;
        notes.are(&[1, 2]).await;
    }

    async fn a_one_way_call_of_a_closed_handle_is_told_so(site) {
        let client = site.rpc().await;
        client.close().await;
        let closed = RpcError::closed("note");
        assert_eq!(note(&client, 1).await, Err(closed));
    }
}

async fn is_full(site: &Site, overflow: &str) {
    let client = site.rpc().await;
    let options = one_place(site, &client, overflow).await;
    note(&client, 1).await.unwrap();
    let error = note(&client, 2).await.unwrap_err();
    assert!(
        matches!(&error, RpcError::Overloaded { method, .. } if method == "note"),
        "{error:?}"
    );
    let notes = Notes::default();
    notes.serve(&client).queue(options).await.unwrap();
    notes.are(&[1]).await;
    note(&client, 3).await.unwrap();
    notes.are(&[1, 3]).await;
}

/// With threads enough, confirmations are looked at while they come.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_very_many_one_way_calls_each_is_told_its_own_truth() {
    let site = Site::rabbitmq().await;
    let (client, server) = (site.rpc().await, site.rpc().await);
    let tally = Tally::default();
    let handler = tally.clone();
    let nap = move |nap: Nap| handler.clone().nap(nap);
    server.register("nap", nap).await.unwrap();
    for _ in 0..10 {
        let calls = join_all((0..1000).map(|n| {
            let method = if n % 2 == 0 { "nap" } else { "absent" };
            tokio::spawn(client.call(method, json!({"millis": 0})).one_way())
        }));
        for (n, call) in calls.await.into_iter().enumerate() {
            match call.unwrap() {
                Ok(()) if n % 2 == 0 => {}
                Err(RpcError::NoSuchMethod { .. }) if n % 2 == 1 => {}
                end => panic!("{n}: {end:?}"),
            }
        }
    }
    eventually("all that were taken ran", || async {
        tally.finished() == 5000
    })
    .await;
    assert_eq!(tally.started(), 5000);
}

/// A connection has 2,047 channels at most.
#[tokio::test]
async fn the_first_one_way_calls_share_a_channel() {
    let site = Site::rabbitmq().await;
    let client = site.rpc().await;
    for end in join_all((0..3000).map(|n| note(&client, n))).await {
        let error = end.unwrap_err();
        assert!(matches!(error, RpcError::NoSuchMethod { .. }), "{error:?}");
    }
}
