//! What travels as a value: as an argument, as a result, and as an error.

use std::collections::BTreeMap;
use std::fmt;

use rpc_core::{CallError, RpcError, rpc_service};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::probe::ProbeClient;
use crate::site::{Site, on_both};

/// Returns what it gets, one way and the other.
#[rpc_service]
trait Mirror<T> {
    async fn result(&self, value: T) -> T;
    async fn error(&self, value: T) -> Result<(), Carried<T>>;
}

struct Glass;

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Mirror<T> for Glass {
    async fn result(&self, value: T) -> T {
        value
    }

    async fn error(&self, value: T) -> Result<(), Carried<T>> {
        Err(Carried(value))
    }
}

/// An error that is a value of this type and nothing else.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Carried<T>(T);

impl<T> fmt::Display for Carried<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error")
    }
}

/// Sends each value both ways, and gets it back.
async fn mirror<T>(site: &Site, values: impl IntoIterator<Item = T>)
where
    T: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    site.uses(&["result", "error"]).await;
    let rpc = site.rpc().await;
    let server = rpc.serve(MirrorServer::<_, T>::new(Glass)).await.unwrap();
    let mirror = MirrorClient::<T>::new(&rpc);
    for value in values {
        assert_eq!(mirror.result(value.clone()).await, Ok(value.clone()));
        let error = mirror.error(value.clone()).await.unwrap_err();
        assert_eq!(error, CallError::Service(Carried(value.clone())));
    }
    server.shutdown().await.unwrap();
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum External {
    Unit,
    New(u128),
    Tuple(i128, Option<Nested>),
    Struct { map: BTreeMap<i64, f32> },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind")]
enum Internal {
    Unit,
    New(Nested),
    Struct { number: i64 },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", content = "value")]
enum Adjacent {
    Unit,
    New(u128),
    Struct { map: BTreeMap<u8, Unit> },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Text(String),
    Struct { inner: Nested },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Unit;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Nested {
    maybe: Option<Box<Self>>,
    unit: Unit,
    text: String,
}

#[rpc_service]
trait Flat<T> {
    async fn closed(
        &self,
        a: T,
        #[serde(flatten)] page: Page,
        #[serde(flatten)] next: Option<Page>,
    ) -> u8;
    async fn choice(&self, a: T, #[serde(flatten)] choice: Choice) -> u8;
    async fn open(&self, a: T, #[serde(flatten)] rest: BTreeMap<String, u8>) -> u8;
    async fn named(&self, #[serde(alias = "other")] a: T, #[serde(flatten)] page: Page) -> u8;
}

struct Floor;

impl Flat<u8> for Floor {
    async fn closed(&self, a: u8, page: Page, _: Option<Page>) -> u8 {
        a + page.from
    }

    async fn choice(&self, a: u8, Choice::Some(page): Choice) -> u8 {
        a + page.from
    }

    async fn open(&self, a: u8, rest: BTreeMap<String, u8>) -> u8 {
        a + rest["x"]
    }

    async fn named(&self, a: u8, page: Page) -> u8 {
        a + page.from
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Page {
    from: u8,
    to: Option<u8>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Choice {
    Some(Page),
}

fn nested() -> Nested {
    let inner = Nested {
        maybe: None,
        unit: Unit,
        text: "\u{1F980} \" \\ \u{0}".into(),
    };
    Nested {
        maybe: Some(Box::new(inner.clone())),
        ..inner
    }
}

on_both! {
    /// BODY-5, ERR-3
    async fn integers_of_128_bits_travel_as_results_and_as_errors(site) {
        mirror(site, [0, u128::from(u64::MAX) + 1, u128::MAX]).await;
        mirror(site, [i128::MIN, -1, i128::MAX]).await;
    }

    /// BODY-6, ERR-3
    async fn floats_travel_as_results_and_as_errors_to_the_last_bit(site) {
        mirror(site, [0.1_f32, f32::MIN_POSITIVE, f32::MAX, -0.0, 16_777_217.0]).await;
        mirror(site, [0.1_f64, 5e-324, f64::MAX, 1.0 / 3.0, 9_007_199_254_740_993.0]).await;
    }

    /// ERR-3
    async fn maps_with_integer_keys_travel_as_results_and_as_errors(site) {
        mirror(site, [BTreeMap::from([(i64::MIN, 'a'), (7, 'b')])]).await;
        mirror(site, [BTreeMap::from([(u128::MAX, Some(u128::MAX)), (0, None)])]).await;
        mirror(site, [BTreeMap::from([(true, [1, 2]), (false, [3, 4])])]).await;
    }

    /// ERR-3
    async fn enums_of_all_taggings_travel_as_results_and_as_errors(site) {
        let map = BTreeMap::from([(-1, 0.1)]);
        let external = [External::Unit, External::New(u128::MAX), External::Tuple(i128::MIN, Some(nested()))];
        mirror(site, external.into_iter().chain([External::Struct { map }])).await;
        mirror(site, [Internal::Unit, Internal::New(nested()), Internal::Struct { number: i64::MIN }]).await;
        let map = BTreeMap::from([(7, Unit)]);
        mirror(site, [Adjacent::Unit, Adjacent::New(u128::MAX), Adjacent::Struct { map }]).await;
        let text = Untagged::Text("x".into());
        mirror(site, [Untagged::Number(u64::MAX), text, Untagged::Struct { inner: nested() }]).await;
    }

    /// ERR-3
    async fn nothing_and_what_may_be_nothing_travel_as_results_and_as_errors(site) {
        mirror(site, [()]).await;
        mirror(site, [Unit]).await;
        mirror(site, [None, Some(u128::MAX)]).await;
        mirror(site, [nested()]).await;
        mirror(site, [vec![None, Some((Unit, 'x'))]]).await;
    }

    /// What a flattened struct does not know is unknown; a map takes the rest.
    /// BODY-8, KIND-3
    async fn unknown_arguments_beside_what_is_flattened_are_refused(site) {
        site.uses(&["closed", "choice", "open", "named"]).await;
        let rpc = site.rpc().await;
        rpc.serve(FlatServer::<_, u8>::new(Floor)).await.unwrap();
        let flat = FlatClient::<u8>::new(&rpc);
        let page = Page { from: 1, to: Some(2) };
        assert_eq!(flat.closed(7, page.clone(), None).await, Ok(8));
        assert_eq!(flat.choice(7, Choice::Some(page.clone())).await, Ok(8));
        assert_eq!(flat.open(7, BTreeMap::from([("x".into(), 1)])).await, Ok(8));
        assert_eq!(flat.named(7, page).await, Ok(8));
        assert_eq!(rpc.call("named", json!({"other": 7, "from": 1, "x": 1})).await, Ok(json!(8)));
        for (method, arguments, words) in [
            ("closed", json!({"a": 7, "from": 1, "form": 2}), "unknown argument `form`, the method takes `a`, `from`, `to`"),
            ("closed", json!({"a": 7, "from": "1"}), "invalid type: string"),
            ("closed", json!({"a": 7}), "missing field `from`"),
            ("choice", json!({"a": 7, "Some": {"from": 1}, "x": 2}), "unknown argument `x`"),
            ("open", json!({"a": 7, "x": "1"}), "invalid type: string"),
        ] {
            let RpcError::Remote(error) = rpc.call(method, arguments).await.unwrap_err() else {
                panic!("not remote");
            };
            assert_eq!(error.kind, "rpc.InvalidArguments");
            assert!(error.message.contains(words), "{words}: {error}");
        }
    }

    /// An untyped caller decodes the error when it knows the type.
    async fn an_untyped_caller_gets_the_whole_error_as_it_came(site) {
        site.uses(&["pay"]).await;
        let rpc = site.rpc().await;
        rpc.register("pay", |_: Value| async { Err::<(), _>(Carried(u128::MAX)) }).await.unwrap();
        let RpcError::Remote(error) = rpc.call("pay", ()).await.unwrap_err() else {
            panic!("not remote");
        };
        let data = error.data().unwrap();
        assert_eq!(data.get(), u128::MAX.to_string());
        assert_eq!(data.decode::<Carried<u128>>().unwrap(), Carried(u128::MAX));
        assert_eq!(error.args().decode::<[String; 1]>().unwrap(), ["an error"]);
        assert_eq!(error.mismatch(), None);
    }

    /// The error says what the server said, and why it is not the value that it should be.
    /// ERR-3
    async fn an_error_of_another_type_says_so(site) {
        site.uses(&["pay"]).await;
        let rpc = site.rpc().await;
        // A newer server, with a variant that this caller does not know.
        let later = |_: Value| async { Err::<(), _>(Carried("Later".to_owned())) };
        rpc.register("pay", later).await.unwrap();
        let error = ProbeClient::new(&rpc).pay(1).await.unwrap_err();
        assert_eq!(error.kind(), "Carried");
        let text = error.to_string();
        let Some(RpcError::Remote(error)) = error.rpc() else {
            panic!("not remote");
        };
        assert_eq!(error.data().unwrap().get(), "\"Later\"");
        let mismatch = error.mismatch().unwrap();
        assert!(mismatch.contains("PayError`: unknown variant `Later`"), "{mismatch}");
        assert_eq!(text, format!("`pay` failed on the server: Carried: an error ({mismatch})"));
    }

    /// BODY-2
    async fn a_handler_of_nothing_takes_calls_without_arguments(site) {
        #[derive(Deserialize)]
        struct Nothing;

        #[derive(Deserialize)]
        struct Empty {}

        site.uses(&["unit", "struct", "empty"]).await;
        let rpc = site.rpc().await;
        rpc.register("unit", |(): ()| async { Ok::<_, String>(1) }).await.unwrap();
        rpc.register("struct", |Nothing| async { Ok::<_, String>(1) }).await.unwrap();
        rpc.register("empty", |Empty {}| async { Ok::<_, String>(1) }).await.unwrap();
        for method in ["unit", "struct", "empty"] {
            assert_eq!(rpc.call(method, ()).await, Ok(json!(1)));
            assert_eq!(rpc.call(method, json!({})).await, Ok(json!(1)));
            assert_eq!(rpc.call(method, BTreeMap::<String, u8>::new()).await, Ok(json!(1)));
        }
        for method in ["unit", "struct"] {
            let RpcError::Remote(error) = rpc.call(method, json!({"a": 1})).await.unwrap_err() else {
                panic!("not remote");
            };
            assert_eq!(error.kind, "rpc.InvalidArguments");
            assert_eq!(error.message, "the method takes no arguments");
        }
    }

    /// ERR-2
    async fn an_error_of_many_mebibytes_is_whole_and_printed_short(site) {
        site.uses(&["loud"]).await;
        let rpc = site.rpc().await;
        let text = "x".repeat(5 << 20);
        let said = text.clone();
        let loud = move |_: Value| {
            let said = said.clone();
            async { Err::<(), _>(said) }
        };
        rpc.register("loud", loud).await.unwrap();
        let error = rpc.call("loud", ()).await.unwrap_err();
        assert!(error.to_string().len() < 600, "{}", error.to_string().len());
        assert!(format!("{error:?}").len() < 2500, "{}", format!("{error:?}").len());
        let RpcError::Remote(error) = error else {
            panic!("not remote");
        };
        assert_eq!(error.message, text);
        assert_eq!(error.data().unwrap().decode::<String>().unwrap(), text);
    }
}

/// Not in a program that gives such keys a meaning.
#[cfg(not(feature = "raw-value"))]
mod keys {
    use serde_json::{Value, json};

    use super::{ProbeClient, on_both};

    on_both! {
        /// serde_json uses such keys between its own types.
        /// BODY-9
        async fn no_key_of_a_value_has_a_meaning(site) {
            let (client, _server) = site.client_and_server().await;
            site.uses(&["same"]).await;
            let same = |arguments: Value| async { Ok::<_, String>(arguments) };
            client.register("same", same).await.unwrap();
            // A dependency such as axum turns on `raw_value` for the whole program. serde_json itself
            // then gives the key a meaning in every `Value`.
            let raw = r#"{"$serde_json::private::RawValue":"[1]"}"#;
            let has_raw = serde_json::from_str::<Value>(raw).unwrap().is_array();
            let names = if has_raw { &["Number"][..] } else { &["RawValue", "Number"] };
            for key in names.iter().map(|name| format!("$serde_json::private::{name}")) {
                for value in [
                    json!({ &*key: "[1]" }),
                    json!({ &*key: "1" }),
                    json!({ &*key: 5 }),
                    json!({ &*key: "[" }),
                    json!({ &*key: { &*key: [null] } }),
                    json!([{ &*key: "1", "z": 2 }]),
                ] {
                    assert_eq!(client.call("echo", json!({ "value": value })).await, Ok(value.clone()));
                    assert_eq!(ProbeClient::new(&client).echo(value.clone()).await, Ok(value.clone()));
                    if value.is_object() {
                        assert_eq!(client.call("same", &value).await, Ok(value.clone()));
                    }
                    let call = client.call("context", ()).header("odd", value.clone());
                    assert_eq!(call.await.unwrap()["headers"]["odd"], value);
                }
            }
        }
    }
}

/// The services of a program that turns on the feature `raw_value` of serde_json.
#[cfg(feature = "raw-value")]
mod raw_values {
    use rpc_core::{CallError, rpc_service};
    use serde::{Deserialize, Serialize};
    use serde_json::value::RawValue;

    use super::{Carried, on_both};

    #[rpc_service]
    trait Raw {
        async fn result(&self, value: Box<RawValue>) -> Box<RawValue>;
        async fn error(&self, value: Box<RawValue>) -> Result<(), Carried<Report>>;
    }

    struct Glass;

    impl Raw for Glass {
        async fn result(&self, value: Box<RawValue>) -> Box<RawValue> {
            value
        }

        async fn error(&self, value: Box<RawValue>) -> Result<(), Carried<Report>> {
            Err(Carried(Report { value }))
        }
    }

    #[derive(Debug, Deserialize, Serialize)]
    struct Report {
        value: Box<RawValue>,
    }

    on_both! {
        /// ERR-3
        async fn json_text_travels_as_an_argument_a_result_and_an_error(site) {
            site.uses(&["result", "error"]).await;
            let rpc = site.rpc().await;
            rpc.serve(RawServer::new(Glass)).await.unwrap();
            let raw = RawClient::new(&rpc);
            let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
            for text in ["1e400", "{ \"a\" : 1.50 }", r#""\ud800""#, &deep, "null"] {
                let value = || RawValue::from_string(text.to_owned()).unwrap();
                assert_eq!(raw.result(value()).await.unwrap().get(), text);
                let CallError::Service(Carried(report)) = raw.error(value()).await.unwrap_err() else {
                    panic!("not the service's");
                };
                assert_eq!(report.value.get(), text);
            }
        }
    }
}
