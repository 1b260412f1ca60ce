//! Every way to pass an argument.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rpc_downstream::wire::{Rpc, RpcError};
use rpc_downstream::{Parcel, Post, PostClient, PostServer};
use serde_json::{Value, json};

use crate::site::{Site, on_both};

struct Office;

impl Post for Office {
    async fn read(&self, text: &str) -> String {
        text.to_owned()
    }

    async fn weigh(&self, letter: &[u8], parcels: &[Parcel]) -> u32 {
        let parcels: u32 = parcels.iter().map(|parcel| parcel.weight).sum();
        u32::try_from(letter.len()).unwrap() + parcels
    }

    async fn label(
        &self,
        parcel: &Parcel,
        marks: &BTreeMap<String, bool>,
        copies: &usize,
    ) -> String {
        format!("{} {marks:?} ", parcel.contents).repeat(*copies)
    }

    async fn stamp(
        &self,
        text: Cow<'_, str>,
        ink: Cow<'_, [u8]>,
        fixed: Cow<'static, str>,
    ) -> String {
        format!("{text} {ink:?} {fixed}")
    }

    async fn send(
        &self,
        parcel: Parcel,
        route: BTreeMap<String, Vec<Option<i64>>>,
    ) -> (Parcel, Vec<String>) {
        (parcel, route.into_keys().collect())
    }

    async fn trace(
        &self,
        number: Option<u64>,
        name: Option<&str>,
        bytes: Option<&[u8]>,
        parcel: Option<Parcel>,
    ) -> Value {
        json!([number, name, bytes, parcel])
    }

    async fn sort(&self, r#type: u8, r#in: &str, r#match: Option<bool>) -> String {
        format!("{type} {in} {match:?}")
    }

    async fn price(
        &self,
        weight: u32,
        express: bool,
        class: u8,
        sender: &str,
        code: u32,
        country: &str,
    ) -> String {
        format!("{weight} {express} {class} {sender} {code} {country:?}")
    }

    async fn declare(&self, kind: &str, rest: BTreeMap<String, Value>) -> Value {
        json!({ "kind": kind, "rest": rest })
    }
}

async fn open(site: &Site) -> (PostClient, Rpc) {
    let (client, server) = site.client_and_server(&PostClient::DESCRIPTOR).await;
    server.serve(PostServer::new(Office)).await.unwrap();
    (PostClient::new(&client), server)
}

fn parcel() -> Parcel {
    Parcel {
        contents: "tea ☕ \"\\\n".into(),
        weight: 250,
    }
}

on_both! {
    async fn arguments_may_be_lent(site) {
        let (post, _server) = open(site).await;
        assert_eq!(post.read("").await.unwrap(), "");
        assert_eq!(post.read("für \u{0} élise").await.unwrap(), "für \u{0} élise");
        assert_eq!(post.weigh(b"abc", &[parcel(), parcel()]).await, Ok(503));
        assert_eq!(post.weigh(&[], &[]).await, Ok(0));
        let marks = BTreeMap::from([("fragile".to_owned(), true)]);
        let label = post.label(&parcel(), &marks, &2).await.unwrap();
        assert_eq!(label, "tea ☕ \"\\\n {\"fragile\": true} ".repeat(2));
    }

    async fn arguments_may_be_lent_or_given(site) {
        let (post, _server) = open(site).await;
        let (text, ink) = (String::from("lent"), vec![1, 2]);
        let lent = post.stamp(Cow::Borrowed(&text), Cow::Borrowed(&ink), "fixed".into());
        assert_eq!(lent.await.unwrap(), "lent [1, 2] fixed");
        let given = post.stamp(text.into(), ink.into(), Cow::Owned("too".into()));
        assert_eq!(given.await.unwrap(), "lent [1, 2] too");
    }

    async fn a_call_outlives_what_it_was_lent(site) {
        let (post, _server) = open(site).await;
        let text = String::from("of this scope");
        let call = tokio::spawn(post.read(&text));
        drop((text, post));
        assert_eq!(call.await.unwrap().unwrap(), "of this scope");
    }

    async fn arguments_may_be_given(site) {
        let (post, _server) = open(site).await;
        let route = BTreeMap::from([("a".to_owned(), vec![None, Some(i64::MIN)]), ("b".to_owned(), vec![])]);
        let sent = post.send(parcel(), route).await.unwrap();
        assert_eq!(sent, (parcel(), vec!["a".to_owned(), "b".to_owned()]));
    }

    async fn arguments_may_be_left_out(site) {
        let (post, server) = open(site).await;
        let nothing = json!([null, null, null, null]);
        assert_eq!(post.trace(None, None, None, None).await.unwrap(), nothing);
        assert_eq!(server.call("post.trace", ()).await.unwrap(), nothing);
        assert_eq!(server.call("post.trace", json!({"name": null})).await.unwrap(), nothing);
        let all = post.trace(Some(u64::MAX), Some("x"), Some(&[7]), Some(parcel()));
        assert_eq!(all.await.unwrap(), json!([u64::MAX, "x", [7], parcel()]));
    }

    async fn arguments_may_be_words_of_rust(site) {
        let (post, server) = open(site).await;
        assert_eq!(post.sort(1, "box", Some(true)).await.unwrap(), "1 box Some(true)");
        let args = json!({"type": 2, "in": "bag"});
        assert_eq!(server.call("post.sort", args).await.unwrap(), "2 bag None");
    }

    async fn serde_has_a_say_in_arguments(site) {
        let (post, server) = open(site).await;
        let price = post.price(9, true, 1, "ann", 0xff, "fr").await.unwrap();
        assert_eq!(price, "9 true 1 ann 255 \"fr\"");
        let least = json!({"weight": 9, "from": "ann", "code": "ff"});
        assert_eq!(server.call("post.price", least).await.unwrap(), "9 false 2 ann 255 \"\"");
        let rest = BTreeMap::from([("value".to_owned(), json!([1])), ("origin".to_owned(), json!(null))]);
        let declared = post.declare("gift", rest.clone()).await.unwrap();
        assert_eq!(declared, json!({"kind": "gift", "rest": rest}));
        let twice = BTreeMap::from([("kind".to_owned(), json!(1))]);
        let error = post.declare("gift", twice).await.unwrap_err();
        assert!(error.to_string().contains("`kind`"), "{error}");
        let error = server.call("post.price", json!({"sender": "ann"})).await.unwrap_err();
        assert!(error.to_string().contains("`sender`"), "{error}");
    }

    async fn wrong_arguments_are_told_by_name(site) {
        let (_post, server) = open(site).await;
        for (method, args, argument) in [
            ("post.read", json!({}), "text"),
            ("post.read", json!({"text": 1}), "text"),
            ("post.read", json!({"text": "a", "loud": true}), "loud"),
            ("post.weigh", json!({"letter": [256], "parcels": []}), "letter"),
            ("post.price", json!({"weight": 1, "from": "a", "code": "xyz"}), "code"),
        ] {
            let error = server.call(method, args).await.unwrap_err();
            assert!(matches!(error, RpcError::Remote(_)), "{error:?}");
            assert!(error.to_string().contains(&format!("`{argument}`")), "{error}");
        }
    }
}
