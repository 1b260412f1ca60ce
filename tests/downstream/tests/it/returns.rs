//! Every kind of thing that a method may return.

use std::future::Future;
use std::sync::Mutex;

use rpc_downstream::wire::{CallError, Rpc};
use rpc_downstream::{
    Clock, ClockClient, ClockServer, Desk, DeskClient, DeskServer, Refusal, Visitor,
};
use serde_json::json;

use crate::site::{Site, on_both};

#[derive(Default)]
struct Hall {
    rings: Mutex<u32>,
    visitors: Mutex<Vec<Visitor>>,
}

impl Desk for Hall {
    async fn ring(&self) {
        *self.rings.lock().unwrap() += 1;
    }

    async fn rings(&self) -> u32 {
        *self.rings.lock().unwrap()
    }

    async fn find(&self, name: &str) -> Option<Visitor> {
        let visitors = self.visitors.lock().unwrap();
        visitors
            .iter()
            .find(|visitor| visitor.name == name)
            .cloned()
    }

    async fn admit(&self, visitor: Visitor) -> Result<usize, Refusal> {
        let mut visitors = self.visitors.lock().unwrap();
        match 18u8.saturating_sub(visitor.age) {
            0 => visitors.push(visitor),
            years => return Err(Refusal::Young { years }),
        }
        Ok(visitors.len())
    }

    async fn leave(&self, name: &str) -> Result<(), Refusal> {
        let mut visitors = self.visitors.lock().unwrap();
        let at = visitors.iter().position(|visitor| visitor.name == name);
        visitors.remove(at.ok_or(Refusal::Closed)?);
        Ok(())
    }

    async fn greet(&self, age: u8) -> Result<Option<String>, String> {
        let visitors = self.visitors.lock().unwrap();
        if visitors.is_empty() {
            return Err("hello?".into());
        }
        let found = visitors.iter().find(|visitor| visitor.age == age);
        Ok(found.map(|visitor| visitor.name.clone()))
    }

    async fn list(&self) -> Vec<(char, [Vec<Visitor>; 1])> {
        let visitors = self.visitors.lock().unwrap().clone();
        let first = visitors[0].name.chars().next().unwrap();
        vec![(first, [visitors])]
    }
}

/// Written once with futures and once without, as suits.
struct Tower;

impl Clock for Tower {
    fn time(&self, town: &str) -> impl Future<Output = Option<u64>> + Send {
        let known = town == "Ulm";
        async move { known.then_some(12) }
    }

    async fn set(&self, town: &str, time: u64) -> Result<(), String> {
        match time {
            0..24 => Ok(()),
            _ => Err(format!("{town} has no {time}")),
        }
    }

    async fn strike(&self) {}
}

async fn open(site: &Site) -> (DeskClient, Rpc) {
    let (client, server) = site.client_and_server(&DeskClient::DESCRIPTOR).await;
    server
        .serve(DeskServer::new(Hall::default()))
        .await
        .unwrap();
    (DeskClient::new(&client), server)
}

fn visitor(name: &str, age: u8) -> Visitor {
    let name = name.to_owned();
    Visitor { name, age }
}

on_both! {
    async fn a_method_may_return_nothing_or_a_value(site) {
        let (desk, server) = open(site).await;
        let nothing: () = desk.ring().await.unwrap();
        assert_eq!(server.call("desk.ring", ()).await, Ok(json!(nothing)));
        assert_eq!(desk.rings().await, Ok(2));
    }

    async fn a_method_may_return_an_option(site) {
        let (desk, server) = open(site).await;
        assert_eq!(desk.find("ann").await, Ok(None));
        assert_eq!(server.call("desk.find", json!({"name": "ann"})).await, Ok(json!(null)));
        desk.admit(visitor("ann", 18)).await.unwrap();
        assert_eq!(desk.find("ann").await, Ok(Some(visitor("ann", 18))));
        assert_eq!(desk.list().await, Ok(vec![('a', [vec![visitor("ann", 18)]])]));
    }

    async fn a_method_may_return_a_result(site) {
        let (desk, _server) = open(site).await;
        assert_eq!(desk.admit(visitor("ann", 40)).await, Ok(1));
        let young = Refusal::Young { years: 7 };
        assert_eq!(desk.admit(visitor("bob", 11)).await, Err(CallError::Service(young)));
        assert_eq!(desk.admit_all(&[visitor("cid", 30), visitor("dan", 17)]).await.unwrap_err(),
            CallError::Service(Refusal::Young { years: 1 }));
        assert_eq!(desk.admit_all(&[]).await, Ok(0));
        assert!(desk.find("cid").await.unwrap().is_some());
    }

    async fn a_method_may_return_an_alias_of_result(site) {
        let (desk, server) = open(site).await;
        assert_eq!(desk.leave("ann").await, Err(CallError::Service(Refusal::Closed)));
        assert_eq!(desk.greet(40).await, Err(CallError::Service("hello?".to_owned())));
        desk.admit(visitor("ann", 40)).await.unwrap();
        assert_eq!(desk.greet(40).await, Ok(Some("ann".to_owned())));
        assert_eq!(desk.greet(41).await, Ok(None));
        assert_eq!(desk.leave("ann").await, Ok(()));
        let error = server.call("desk.leave", json!({"name": "ann"})).await.unwrap_err();
        assert!(error.to_string().contains("it is closed"), "{error}");
    }

    async fn a_method_may_return_its_future(site) {
        let (client, server) = site.client_and_server(&ClockClient::DESCRIPTOR).await;
        server.serve(ClockServer::new(Tower)).await.unwrap();
        let clock = ClockClient::new(&client);
        assert_eq!((clock.time("Ulm").await, clock.time("Rom").await), (Ok(Some(12)), Ok(None)));
        assert_eq!(clock.set("Ulm", 23).await, Ok(()));
        assert_eq!(clock.set("Ulm", 25).await, Err(CallError::Service("Ulm has no 25".to_owned())));
        assert_eq!((clock.strike().await, clock.towns().await), (Ok(()), Ok(1)));
    }
}
