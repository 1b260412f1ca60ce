//! Services of all sizes, several on one handle, and one in several places.

use futures_util::future::join_all;
use rpc_downstream::wire::{RpcError, ServeError};
use rpc_downstream::{
    Bank, BankClient, BankServer, Clock, ClockClient, ClockServer, LINES, Silence, SilenceClient,
    SilenceServer, Switchboard, SwitchboardClient, SwitchboardServer, Vault, visit,
};
use serde_json::json;

use crate::site::on_both;

struct Exchange(&'static str);

impl Switchboard for Exchange {
    async fn operator(&self, line: &str) -> String {
        format!("{} {line}", self.0)
    }

    async fn line_199(&self, caller: &str) -> String {
        format!("{caller} is on hold")
    }
}

impl Silence for Exchange {}

impl Clock for Exchange {
    async fn time(&self, _: &str) -> Option<u64> {
        None
    }

    async fn set(&self, _: &str, _: u64) -> Result<(), String> {
        Ok(())
    }

    async fn strike(&self) {}

    async fn towns(&self) -> usize {
        2
    }
}

on_both! {
    async fn a_service_may_have_two_hundred_methods(site) {
        let descriptor = SwitchboardClient::DESCRIPTOR;
        assert_eq!(descriptor.methods.len(), LINES);
        let (client, server) = site.client_and_server(&descriptor).await;
        let server = server.serve(SwitchboardServer::new(Exchange("Ann"))).await.unwrap();
        let board = SwitchboardClient::new(&client);
        assert_eq!(board.operator("x").await.unwrap(), "Ann x");
        assert_eq!(board.line_001("Bob").await.unwrap(), "Ann line_001: Bob");
        assert_eq!(board.line_199("Bob").await.unwrap(), "Bob is on hold");
        let lines = descriptor.methods.iter().filter(|method| method.arguments[0].name == "caller");
        let lines: Vec<_> = lines.map(|line| line.name).collect();
        assert_eq!(lines.len(), LINES - 1);
        let answers = join_all(lines.iter().map(|line| client.call(*line, json!({"caller": "Bob"}))));
        for (line, answer) in lines.iter().zip(answers.await) {
            let line = line.strip_prefix("switchboard.").unwrap();
            let expected = if line == "line_199" { "Bob is on hold".into() } else { format!("Ann {line}: Bob") };
            assert_eq!(answer, Ok(json!(expected)));
        }
        server.shutdown().await.unwrap();
    }

    async fn a_service_may_have_no_method(site) {
        let rpc = site.rpc().await;
        let server = rpc.serve(SilenceServer::new(Exchange("Ann"))).await.unwrap();
        let client = SilenceClient::new(&rpc);
        assert!(SilenceClient::DESCRIPTOR.methods.is_empty());
        // The client has all that is asked for, so it can stand for the service.
        let relay = rpc.serve(SilenceServer::new(client)).await.unwrap();
        for server in [server, relay] {
            server.shutdown().await.unwrap();
        }
    }

    async fn one_handle_serves_and_calls_several_services(site) {
        let rpc = site.rpc().await;
        for service in [&BankClient::DESCRIPTOR, &ClockClient::DESCRIPTOR, &SwitchboardClient::DESCRIPTOR] {
            site.uses("", service).await;
        }
        rpc.serve(BankServer::new(Vault::new(100))).await.unwrap();
        let clock = rpc.serve(ClockServer::new(Exchange("Ann"))).await.unwrap();
        rpc.serve(SwitchboardServer::new(Exchange("Ann"))).await.unwrap();
        let (bank, board) = (BankClient::new(&rpc), SwitchboardClient::new(&rpc));
        let calls = join_all((0..50).map(async |_| {
            assert_eq!(bank.balance().await, Ok(100));
            assert_eq!(ClockClient::new(&rpc).towns().await, Ok(2));
            assert_eq!(board.operator("x").await.unwrap(), "Ann x");
        }));
        calls.await;
        // One of them leaves, the others stay.
        clock.shutdown().await.unwrap();
        assert_eq!(bank.pay("ann", 1).await, Ok(99));
        let error = rpc.serve(BankServer::new(Vault::new(1))).await.unwrap_err();
        assert!(matches!(&error, ServeError::AlreadyRegistered { method, .. } if method == "bank.pay"), "{error:?}");
    }

    async fn one_service_is_served_in_several_places(site) {
        let rpc = site.rpc().await;
        let (left, right) = (rpc.with_prefix("left."), rpc.with_prefix("right."));
        for (place, prefix, cents) in [(&left, "left.", 1), (&right, "right.", 2), (&left.with_prefix("far."), "far.left.", 3)] {
            site.uses(prefix, &BankClient::DESCRIPTOR).await;
            place.serve(BankServer::new(Vault::new(cents))).await.unwrap();
        }
        assert_eq!(BankClient::new(&left).balance().await, Ok(1));
        assert_eq!(Bank::balance(&BankClient::new(&right)).await, Ok(2));
        assert_eq!(rpc.call("far.left.bank.balance", ()).await, Ok(json!(3)));
        let error = rpc.call("bank.balance", ()).await.unwrap_err();
        assert_eq!(error, RpcError::no_such_method("bank.balance"));
    }

    async fn a_service_may_be_private_or_inside_of_a_function(site) {
        let rpc = site.rpc().await;
        let found = visit(&rpc).await.unwrap();
        assert_eq!((found.barrels, &*found.rats, found.wine), (7, "squeaksqueak", 9));
    }
}
