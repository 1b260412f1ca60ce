//! What a trait says of names and of arguments, on the wire and in the descriptor.

use rpc_core::{Rpc, rpc_service};
use serde_json::json;

#[rpc_service(
    prefix = "bank.",
    rename_all = "camelCase",
    rename_all_args = "kebab-case"
)]
trait Bank {
    /// Opens an account.
    async fn open_account(
        &self,
        /// Whose it is.
        owner_name: &str,
        /** How much is in it,
         * in cents. */
        first_deposit: Option<u64>,
        r#type: u8,
    ) -> String;
    #[rpc(name = "CLOSE")]
    async fn close_account(&self, account_id: u64) -> u64;
    /// serde has a say in the arguments.
    #[rpc(rename_all = "SCREAMING_SNAKE_CASE")]
    async fn move_money(
        &self,
        #[serde(rename = "from")] from_account: u64,
        #[doc = "The other one."] to_account: u64,
        #[serde(default)] in_cents: u64,
    ) -> u64;
}

struct Vault;

impl Bank for Vault {
    async fn open_account(
        &self,
        owner_name: &str,
        first_deposit: Option<u64>,
        r#type: u8,
    ) -> String {
        format!("{owner_name} {first_deposit:?} {type}")
    }
    async fn close_account(&self, account_id: u64) -> u64 {
        account_id
    }
    async fn move_money(&self, from_account: u64, to_account: u64, in_cents: u64) -> u64 {
        from_account * 100 + to_account * 10 + in_cents
    }
}

#[tokio::test]
async fn names_on_the_wire_have_the_case_that_is_asked_for() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    rpc.serve(BankServer::new(Vault)).await.unwrap();
    let bank = BankClient::new(&rpc);
    assert_eq!(
        bank.open_account("ann", None, 1).await.unwrap(),
        "ann None 1"
    );
    assert_eq!(bank.close_account(7).await, Ok(7));
    assert_eq!(bank.move_money(1, 2, 3).await, Ok(123));
    for (method, args, result) in [
        (
            "bank.openAccount",
            json!({"owner-name": "bob", "first-deposit": 5, "type": 2}),
            json!("bob Some(5) 2"),
        ),
        ("bank.CLOSE", json!({"account-id": 8}), json!(8)),
        (
            "bank.moveMoney",
            json!({"from": 4, "TO_ACCOUNT": 5}),
            json!(450),
        ),
    ] {
        assert_eq!(rpc.call(method, args).await, Ok(result), "{method}");
    }
    let names = BankClient::DESCRIPTOR.methods.iter().map(|method| {
        let args = method.arguments.iter().map(|arg| arg.name);
        (method.name, args.collect::<Vec<_>>())
    });
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            (
                "bank.openAccount",
                vec!["owner-name", "first-deposit", "type"]
            ),
            ("bank.CLOSE", vec!["account-id"]),
            ("bank.moveMoney", vec!["from", "TO_ACCOUNT", "IN_CENTS"]),
        ]
    );
}

#[test]
fn arguments_have_documentation() {
    let docs = BankClient::DESCRIPTOR.methods.iter().map(|method| {
        let docs = method.arguments.iter().map(|argument| argument.docs);
        docs.collect::<Vec<_>>()
    });
    assert_eq!(
        docs.collect::<Vec<_>>(),
        [
            vec!["Whose it is.", "How much is in it,\nin cents.", ""],
            vec![""],
            vec!["", "The other one.", ""],
        ]
    );
}
