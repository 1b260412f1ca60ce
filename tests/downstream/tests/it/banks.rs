//! Code that is written for any bank takes one that is here, one that is elsewhere, and one that is made up.

use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use rpc_downstream::wire::{CallError, Rpc, RpcError};
use rpc_downstream::{Bank, BankClient, BankError, BankResult, BankServer, Entry, Vault, settle};
use serde_json::json;

use crate::site::{Site, on_both};

const BILLS: &[(&str, u64)] = &[("gas", 30), ("rent", 60), ("tax", 900)];

/// A bank that says what it is told to say, and remembers what it was asked.
#[derive(Debug, Default)]
struct Double {
    pays: Mutex<Vec<(String, u64)>>,
}

impl Bank for Double {
    async fn pay(&self, to: &str, cents: u64) -> BankResult<u64> {
        self.pays.lock().unwrap().push((to.to_owned(), cents));
        Ok(0)
    }

    async fn balance(&self) -> BankResult<u64> {
        Ok(100)
    }

    async fn entries(&self) -> BankResult<Vec<Entry>> {
        pending().await
    }
}

async fn open(site: &Site) -> (Rpc, Rpc) {
    let (client, server) = site.client_and_server(&BankClient::DESCRIPTOR).await;
    server
        .serve(BankServer::new(Vault::new(100)))
        .await
        .unwrap();
    (client, server)
}

#[tokio::test]
async fn a_service_is_a_bank() {
    assert_eq!(settle(&Vault::new(100), BILLS).await, Ok(90));
}

#[tokio::test]
async fn a_double_is_a_bank() {
    let double = Double::default();
    assert_eq!(settle(&double, BILLS).await, Ok(0));
    let pays = double.pays.into_inner().unwrap();
    assert!(
        pays.iter()
            .map(|(to, cents)| (&**to, *cents))
            .eq(BILLS.iter().copied())
    );
}

on_both! {
    async fn a_client_is_a_bank(site) {
        let (client, _server) = open(site).await;
        let bank = BankClient::new(&client);
        assert_eq!(settle(&bank, BILLS).await, Ok(90));
        let paid = BILLS.iter().take(2).map(|(to, cents)| Entry { to: (*to).to_owned(), cents: *cents });
        assert_eq!(Bank::entries(&bank).await, Ok(paid.collect()));
        let names = ["ann".to_owned(), "bob".to_owned()];
        assert_eq!(Bank::pay_all(&bank, &names, 4).await, Ok(2));
    }

    /// On the client itself a method is a call with options, and tells errors of the bank from others.
    async fn a_client_is_also_a_caller(site) {
        let (client, _server) = open(site).await;
        let bank = BankClient::new(&client);
        let pay = bank.pay("tax", 900).timeout(Duration::from_secs(9)).header("why", "tax");
        let short = BankError::Short { missing: 800 };
        assert_eq!(tokio::spawn(pay).await.unwrap(), Err(CallError::Service(short)));
        let nowhere = BankClient::new(&client.with_prefix("nowhere."));
        let error = nowhere.balance().await.unwrap_err();
        assert_eq!(error, CallError::Rpc(RpcError::no_such_method("nowhere.bank.balance")));
    }

    /// What fails on the way is an error of the bank, as its signature says.
    async fn a_client_without_a_server_is_a_bank_that_is_unreachable(site) {
        let bank = BankClient::new(&site.rpc().await);
        let unreachable = BankError::Unreachable("bank.balance".into());
        assert_eq!(settle(&bank, BILLS).await, Err(unreachable));
    }

    /// As where one broker is reached through another.
    async fn a_client_can_be_served(site) {
        let (client, _server) = open(site).await;
        let outer = client.with_prefix("outer.");
        site.uses("outer.", &BankClient::DESCRIPTOR).await;
        outer.serve(BankServer::new(BankClient::new(&client))).await.unwrap();
        let bank = BankClient::new(&outer);
        assert_eq!(settle(&bank, BILLS).await, Ok(90));
        let short = BankError::Short { missing: 890 };
        assert_eq!(bank.pay("tax", 900).await, Err(CallError::Service(short)));
        assert_eq!(client.call("outer.bank.balance", ()).await, Ok(json!(10)));
    }

    async fn a_double_can_be_served(site) {
        let (client, server) = site.client_and_server(&BankClient::DESCRIPTOR).await;
        server.serve(BankServer::new(Double::default())).await.unwrap();
        let bank = BankClient::new(&client);
        assert_eq!(settle(&bank, BILLS).await, Ok(0));
        let error = bank.entries().timeout(Duration::from_millis(100)).await.unwrap_err();
        assert!(matches!(error, CallError::Rpc(RpcError::Timeout { .. })), "{error:?}");
    }
}
