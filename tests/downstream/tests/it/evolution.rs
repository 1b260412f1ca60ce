//! Callers and servers of different ages.

use rpc_downstream::wire::{self, Rpc, RpcError, rpc_service};
use serde_json::json;

use crate::site::{Site, on_both};

mod old {
    use super::wire::rpc_service;

    #[rpc_service(crate = super::wire)]
    pub(crate) trait Kiosk {
        async fn buy(&self, paper: &str) -> String;
    }
}

/// The same service, later.
#[rpc_service(crate = wire)]
trait Kiosk {
    async fn buy(
        &self,
        paper: &str,
        #[serde(default)] copies: Option<u32>,
        #[serde(default)] gift: bool,
    ) -> String;

    /// There was no such thing.
    async fn sell(&self, paper: &str) -> u32;
}

struct Today;

impl Kiosk for Today {
    async fn buy(&self, paper: &str, copies: Option<u32>, gift: bool) -> String {
        format!("{paper} {copies:?} {gift}")
    }

    async fn sell(&self, _paper: &str) -> u32 {
        1
    }
}

struct Yesterday;

impl old::Kiosk for Yesterday {
    async fn buy(&self, paper: &str) -> String {
        paper.to_owned()
    }
}

async fn handles(site: &Site) -> (Rpc, Rpc) {
    site.client_and_server(&KioskClient::DESCRIPTOR).await
}

on_both! {
    async fn an_old_caller_calls_a_new_server(site) {
        let (client, server) = handles(site).await;
        server.serve(KioskServer::new(Today)).await.unwrap();
        let kiosk = old::KioskClient::new(&client);
        assert_eq!(kiosk.buy("news").await.unwrap(), "news None false");
        let kiosk = KioskClient::new(&client);
        assert_eq!(kiosk.buy("news", Some(2), true).await.unwrap(), "news Some(2) true");
    }

    /// What is new must be left out then: a server takes no argument that it does not know.
    async fn a_new_caller_calls_an_old_server(site) {
        let (client, server) = handles(site).await;
        server.serve(old::KioskServer::new(Yesterday)).await.unwrap();
        let kiosk = KioskClient::new(&client);
        let error = kiosk.buy("news", None, false).await.unwrap_err();
        assert!(error.to_string().contains("`gift`"), "{error}");
        let error = kiosk.sell("news").await.unwrap_err();
        assert_eq!(error, RpcError::no_such_method("sell"));
        assert_eq!(client.call("buy", json!({"paper": "news"})).await.unwrap(), "news");
    }

    async fn servers_of_both_ages_share_a_queue(site) {
        let (client, server) = handles(site).await;
        server.serve(KioskServer::new(Today)).await.unwrap();
        let other = site.rpc().await;
        other.serve(old::KioskServer::new(Yesterday)).await.unwrap();
        let kiosk = old::KioskClient::new(&client);
        let (mut today, mut yesterday) = (false, false);
        for _ in 0..20 {
            match &*kiosk.buy("news").await.unwrap() {
                "news" => yesterday = true,
                "news None false" => today = true,
                bought => panic!("{bought}"),
            }
        }
        assert!(today && yesterday, "each has its turn");
    }
}
