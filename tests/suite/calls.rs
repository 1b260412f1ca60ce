//! One call, and many: values, errors, options, limits.

use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{Call, CallError, Rpc, RpcError};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::probe::{Nap, PayError, ProbeClient, Real, Tally};
use crate::site::{Site, builder, eventually, on_both, serve};

/// A handle that takes and sends little at a time.
async fn small(site: &Site) -> Rpc {
    let builder = builder(site.url()).max_message_size(1000);
    builder.connect().await.unwrap()
}

async fn serve_long(site: &Site, server: &Rpc) {
    site.uses(&["long"]).await;
    let long = |_: Value| async { Ok::<_, String>("x".repeat(2000)) };
    server.register("long", long).await.unwrap();
}

on_both! {
    /// Typed and untyped calls of the same methods.
    /// BODY-2, BODY-3
    async fn a_value_comes_back(site) {
        let (client, _server) = site.client_and_server().await;
        let probe = ProbeClient::new(&client);
        assert_eq!(probe.add(1, 2).await.unwrap(), 3);
        probe.nothing().await.unwrap();
        assert_eq!(client.call("add", json!({"a": 1, "b": 2})).await.unwrap(), json!(3));
        assert_eq!(client.call("nothing", ()).await.unwrap(), Value::Null);
        let sum: i8 = client.call("add", json!({"a": 1, "b": 2})).returning().await.unwrap();
        assert_eq!(sum, 3);
    }

    /// BODY-6
    async fn values_of_every_json_type_come_back_unchanged(site) {
        let (client, _server) = site.client_and_server().await;
        let probe = ProbeClient::new(&client);
        for value in [
            json!(null), json!(true), json!(0), json!(-1), json!(u64::MAX), json!(i64::MIN), json!(0.1), json!(1e300),
            json!(""), json!("héllo \u{1F980} \u{0} \" \\ \n"), json!([]), json!({}),
            json!([1, [2, [3, {"a": [null]}]]]), json!({"ключ": {"nested": {"深": [1.5, "x", false]}}}),
        ] {
            assert_eq!(probe.echo(value.clone()).await.unwrap(), value);
            assert_eq!(client.call("echo", json!({"value": value})).await.unwrap(), value);
        }
    }

    async fn ten_thousand_calls_at_once_each_get_their_own(site) {
        let (client, _server) = site.client_and_server().await;
        let probe = ProbeClient::new(&client);
        let calls = (0..10_000).map(|n| probe.add(n, 1));
        for (n, sum) in (0..).zip(join_all(calls).await) {
            assert_eq!(sum.unwrap(), n + 1);
        }
        assert_eq!(client.in_flight(), 0);
    }

    /// ERR-1, ERR-3, END-2
    async fn a_service_error_comes_back_as_the_equal_value(site) {
        let (client, _server) = site.client_and_server().await;
        let probe = ProbeClient::new(&client);
        assert_eq!(probe.pay(40).await.unwrap(), 60);
        let error = PayError::InsufficientFunds { needed: 101, available: 100 };
        assert_eq!(probe.pay(101).await.unwrap_err(), CallError::Service(error.clone()));
        assert_eq!(probe.pay(0).await.unwrap_err(), CallError::Service(PayError::Closed));
        let RpcError::Remote(remote) = client.call("pay", json!({"amount": 101})).await.unwrap_err() else {
            panic!("not remote");
        };
        assert_eq!(remote.method(), "pay");
        assert_eq!(remote.kind, "PayError");
        assert_eq!(remote.message, "101 needed, 100 available");
        assert_eq!(remote.args().decode::<Value>().unwrap(), json!(["101 needed, 100 available"]));
        assert_eq!(remote.data().unwrap().decode::<PayError>().unwrap(), error);
    }

    /// KIND-8, SERVE-5
    async fn a_panic_is_the_callers_error_and_the_server_goes_on(site) {
        let (client, _server) = site.client_and_server().await;
        let probe = ProbeClient::new(&client);
        for _ in 0..3 {
            let RpcError::Remote(remote) = probe.explode("secret".into()).await.unwrap_err() else {
                panic!("not remote");
            };
            assert_eq!(remote.kind, "rpc.Panicked");
            assert!(!remote.to_string().contains("secret"), "{remote}");
        }
        assert_eq!(probe.add(1, 2).await.unwrap(), 3);
    }

    /// KIND-3, BODY-8
    async fn wrong_arguments_are_named(site) {
        let (client, _server) = site.client_and_server().await;
        for (arguments, words) in [
            (json!({"a": 1, "b": 2, "c": 3}), "unknown argument `c`"),
            (json!({"a": 1}), "the argument `b` is missing"),
            (json!({"a": 1, "b": "2"}), "expected i64"),
            (json!({}), "the argument `a` is missing"),
        ] {
            let RpcError::Remote(remote) = client.call("add", arguments).await.unwrap_err() else {
                panic!("not remote");
            };
            assert_eq!(remote.kind, "rpc.InvalidArguments");
            assert!(remote.message.contains(words), "{remote}");
        }
        let RpcError::Remote(remote) = client.call("nothing", json!({"x": 1})).await.unwrap_err() else {
            panic!("not remote");
        };
        assert!(remote.message.contains("unknown argument `x`"), "{remote}");
        assert_eq!(client.call("add", json!({"a": 1, "b": 2})).await.unwrap(), json!(3));
    }

    async fn arguments_that_cannot_be_encoded_are_a_local_error(site) {
        let client = site.rpc().await;
        for call in [
            client.call("add", [1, 2]),
            client.call("add", "text"),
            client.call("add", 7),
            client.call("add", Unencodable),
        ] {
            let error = call.await.unwrap_err();
            assert!(matches!(&error, RpcError::Encode { method, .. } if method == "add"), "{error:?}");
        }
    }

    /// END-1
    async fn a_result_of_another_type_is_a_decode_error(site) {
        let (client, _server) = site.client_and_server().await;
        let call: Call<String> = client.call("add", json!({"a": 1, "b": 2})).returning();
        let error = call.await.unwrap_err();
        assert!(matches!(&error, RpcError::Decode { method, .. } if method == "add"), "{error:?}");
        assert!(error.to_string().contains("String"), "{error}");
    }

    /// END-10
    async fn a_method_that_nobody_registered_is_no_such_method(site) {
        let client = site.rpc().await;
        let error = client.call("nobody", ()).await.unwrap_err();
        assert_eq!(error, RpcError::no_such_method("nobody"));
        let errors = join_all((0..500).map(|n| client.call(format!("nobody{n}"), ()))).await;
        for (n, error) in errors.into_iter().enumerate() {
            assert_eq!(error.unwrap_err(), RpcError::no_such_method(format!("nobody{n}")));
        }
        assert_eq!(client.in_flight(), 0);
    }

    /// END-12, END-15
    async fn a_late_answer_is_a_timeout_and_dropped_quietly(site) {
        let (client, _server) = site.client_and_server().await;
        let probe = ProbeClient::new(&client);
        let limit = Duration::from_millis(100);
        let start = Instant::now();
        let error = probe.nap(400).timeout(limit).await.unwrap_err();
        let took = start.elapsed();
        let RpcError::Timeout { method, after, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!((method.as_str(), *after), ("nap", limit));
        assert!(took >= limit, "{took:?}");
        assert_eq!(client.in_flight(), 0);
        assert_eq!(probe.nap(1).await.unwrap(), 1);
    }

    async fn a_dropped_call_leaves_at_once(site) {
        let (client, _server) = site.client_and_server().await;
        let probe = ProbeClient::new(&client);
        let call = tokio::spawn(probe.nap(10_000));
        eventually("the call is in flight", || async { client.in_flight() == 1 }).await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        assert_eq!(client.in_flight(), 0);
        drop(probe.nap(1));
        assert_eq!(client.in_flight(), 0);
    }

    async fn bodies_from_one_byte_to_ten_mebibytes(site) {
        let (client, _server) = site.client_and_server().await;
        let probe = ProbeClient::new(&client);
        for size in [1, 1 << 10, 131_072, (1 << 20) + 1, 10 << 20] {
            let text = json!("x".repeat(size));
            assert_eq!(probe.echo(text.clone()).await.unwrap(), text, "{size}");
        }
    }

    /// HEAD-1, LIMIT-1, LIMIT-2, LIMIT-3, LIMIT-4, LIMIT-5, LIMIT-8
    async fn what_is_too_large_is_a_clear_local_error(site) {
        let client = builder(site.url()).max_message_size(1000).connect().await.unwrap();
        let too_large = |error: RpcError| match error {
            RpcError::TooLarge { what, size, limit, .. } => (what, size, limit),
            other => panic!("{other:?}"),
        };
        let error = client.call("echo", json!({"value": "x".repeat(1000)})).await.unwrap_err();
        assert_eq!(too_large(error), ("body".into(), 1012, 1000));
        let error = client.call("m".repeat(256), ()).await.unwrap_err();
        assert_eq!(too_large(error), ("method name".into(), 256, 255));
        let error = client.call("echo", ()).header("h".repeat(256), 1).await.unwrap_err();
        assert!(error.to_string().contains("header"), "{error}");
        assert_eq!(too_large(error).1, 256);
        let error = client.call("echo", ()).header("big", "x".repeat(200_000)).await.unwrap_err();
        assert_eq!(too_large(error).0, "headers");
        let error = client.call("", ()).await.unwrap_err();
        assert!(matches!(error, RpcError::Encode { .. }), "{error:?}");
        let error = client.call("echo", ()).header("big", vec![1; 60_000]).await.unwrap_err();
        assert_eq!(too_large(error).0, "headers", "an integer takes more bytes on the wire than in JSON");
        let error = client.call("echo", ()).header("nested", json!([{"h".repeat(256): 1}])).await.unwrap_err();
        assert_eq!(too_large(error).1, 256);
        for name in ["From", "CC", "BCC", "x-death", "rpc-deadline"] {
            let error = client.call("echo", ()).header(name, 1).await.unwrap_err();
            assert!(matches!(error, RpcError::Encode { .. }), "{error:?}");
        }
        let nested = |depth| (0..depth).fold(json!(1), |value, _| json!([value]));
        let error = client.call("echo", ()).header("deep", nested(127)).await.unwrap_err();
        assert!(error.to_string().contains("nested more than 126 deep"), "{error}");
        // A name as long as AMQP allows is fine, and the connection has survived all of the above.
        let name = "m".repeat(255);
        site.uses(&[&name]).await;
        client.register(name.clone(), |_: Value| async { Ok::<_, String>(1) }).await.unwrap();
        let call = client.call(name, ()).header("h".repeat(255), "x".repeat(10_000));
        assert_eq!(call.header("deep", nested(126)).await.unwrap(), json!(1));
    }

    /// KIND-10, LIMIT-8
    async fn a_reply_larger_than_the_limit_is_the_callers_error(site) {
        let client = site.rpc().await;
        let server = small(site).await;
        serve_long(site, &server).await;
        let server = serve(&server, Real).await;
        let RpcError::Remote(remote) = client.call("long", ()).await.unwrap_err() else {
            panic!("not remote");
        };
        assert_eq!(remote.kind, "rpc.TooLarge");
        assert_eq!(ProbeClient::new(&client).add(1, 2).await.unwrap(), 3);
        server.shutdown().await.unwrap();
    }

    /// KIND-2, LIMIT-9
    async fn what_others_send_is_held_to_the_limit(site) {
        let (client, server) = (site.rpc().await, small(site).await);
        serve(&server, Real).await;
        let echo = |size| client.call("echo", json!({"value": "x".repeat(size)}));
        let RpcError::Remote(error) = echo(2000).await.unwrap_err() else {
            panic!("not remote");
        };
        assert_eq!(error.kind, "rpc.CallTooLarge");
        assert!(error.message.contains("did not run: the call is 2012 bytes"), "{error}");
        assert_eq!(echo(10).await.unwrap(), json!("x".repeat(10)));

        let (client, server) = (small(site).await, site.rpc().await);
        serve_long(site, &server).await;
        let error = client.call("long", ()).await.unwrap_err().to_string();
        assert!(error.contains("it is 2002 bytes and the limit is 1000"), "{error}");
    }

    /// HEAD-2
    async fn handlers_see_the_call_and_its_deadline(site) {
        let (client, _server) = site.client_and_server().await;
        let context = client
            .call("context", ())
            .header("tenant", "acme")
            .header("attempt", 2)
            .timeout(Duration::from_secs(5))
            .await
            .unwrap();
        assert_eq!(context["method"], "context");
        assert_eq!(context["headers"]["tenant"], "acme");
        assert_eq!(context["headers"]["attempt"], 2);
        assert_eq!(context["redelivered"], false);
        assert!(context["id"].is_string());
        let left = context["left"].as_u64().unwrap();
        assert!((1..=5000).contains(&left), "{left}");
    }

    async fn calls_inside_a_handler_end_by_its_deadline(site) {
        let (client, server) = site.client_and_server().await;
        let inner = server.clone();
        site.uses(&["outer"]).await;
        server
            .register("outer", move |_: Value| {
                let call = inner.call("nap", json!({"millis": 60_000})).timeout(Duration::from_secs(60));
                async { call.await.map_err(|error| error.to_string()) }
            })
            .await
            .unwrap();
        // The handler is dropped at its deadline, as its nested call is; what it would say is lost.
        let start = Instant::now();
        let error = client.call("outer", ()).timeout(Duration::from_millis(600)).await.unwrap_err();
        assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
        assert!(start.elapsed() < Duration::from_secs(10));
        eventually("the nested call has ended", || async { server.in_flight() == 0 }).await;
    }

    /// TIME-5
    async fn a_handler_is_dropped_at_the_deadline(site) {
        let client = site.rpc().await;
        let tally = Tally::default();
        let handler = tally.clone();
        client.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap();
        site.lanes("nap", 1).await;
        // Long enough to start it on a busy machine.
        let limit = Duration::from_millis(500);
        client.call("nap", json!({"millis": 800})).timeout(limit).await.unwrap_err();
        // The first would be done before this one.
        assert_eq!(client.call("nap", json!({"millis": 900})).await.unwrap(), 900);
        assert_eq!((tally.started(), tally.finished()), (2, 1));
    }

    /// TIME-2
    async fn a_limit_below_a_millisecond_fails_without_sending(site) {
        let (client, _server) = site.client_and_server().await;
        let error = client.call("add", json!({"a": 1, "b": 2})).timeout(Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
    }
}

struct Unencodable;

impl Serialize for Unencodable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}
