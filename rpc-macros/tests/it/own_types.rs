//! Types of the user that are named as those of the standard library: the type decides, not its name.

use rpc_core::{Rpc, rpc_service};
use serde_json::{Value, json};

mod own {
    use serde::{Deserialize, Serialize};

    /// It travels as `null`, as does the `None` of the other, and yet has to be there.
    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    pub(crate) struct Option<T>(pub(crate) std::marker::PhantomData<T>);

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    pub(crate) struct Cow<T>(pub(crate) T);

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    pub(crate) struct Vec<T>(pub(crate) T);

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    pub(crate) struct Box<T>(pub(crate) T);

    #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
    pub(crate) struct String(pub(crate) u8);

    /// Neither is a name that is not in the signature looked for.
    #[allow(dead_code)]
    pub(crate) trait Future {}
    #[allow(dead_code)]
    pub(crate) trait Send {}
}

mod typed {
    use super::own::{Box, Cow, Option, String, Vec};
    #[allow(unused_imports)]
    use super::own::{Future, Send};
    use super::*;

    #[rpc_service(prefix = "own.")]
    pub(crate) trait Own<T = u8> {
        async fn owned(&self, a: Option<u8>, b: Cow<u8>, c: Vec<u8>, d: Box<u8>) -> String;
        async fn lent(&self, a: &Option<u8>, b: &Cow<String>, c: &Vec<T>) -> Option<u8>;
        async fn fields(
            &self,
            a: Option<u8>,
            b: Vec<u8>,
            c: &Box<u8>,
            #[serde(default)] more: std::option::Option<T>,
        ) -> Vec<u8>;
        async fn parameter(&self, a: Option<T>) -> Option<T>;
    }
}

use own::{Box, Cow, Option, String, Vec};
use typed::{Own, OwnClient, OwnServer};

struct Real;

fn null<T>() -> Option<T> {
    Option(std::marker::PhantomData)
}

impl<T: Send + Sync + 'static> Own<T> for Real {
    async fn owned(&self, _: Option<u8>, b: Cow<u8>, c: Vec<u8>, d: Box<u8>) -> String {
        String(b.0 + c.0 + d.0)
    }
    async fn lent(&self, a: &Option<u8>, _: &Cow<String>, _: &Vec<T>) -> Option<u8> {
        a.clone()
    }
    async fn fields(
        &self,
        _: Option<u8>,
        b: Vec<u8>,
        _: &Box<u8>,
        _: std::option::Option<T>,
    ) -> Vec<u8> {
        b
    }
    async fn parameter(&self, a: Option<T>) -> Option<T> {
        a
    }
}

#[tokio::test]
async fn types_may_have_any_name() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    rpc.serve(OwnServer::<_, u8>::new(Real)).await.unwrap();
    let own: OwnClient = OwnClient::new(&rpc);
    let owned = own.owned(null(), Cow(1), Vec(2), Box(3));
    assert_eq!(owned.await, Ok(String(6)));
    let lent = own.lent(&null(), &Cow(String(1)), &Vec(2));
    assert_eq!(lent.await, Ok(null()));
    let fields = own.fields(null(), Vec(2), &Box(3), None);
    assert_eq!(fields.await, Ok(Vec(2)));
    assert_eq!(own.parameter(null()).await, Ok(null()));
}

#[tokio::test]
async fn only_a_real_option_is_left_out() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    for method in OwnClient::<u8>::DESCRIPTOR.methods {
        let optional = method.arguments.iter().filter(|argument| argument.optional);
        let names = optional
            .map(|argument| argument.name)
            .collect::<std::vec::Vec<_>>();
        let expected: &[&str] = match method.name {
            "own.fields" => &["more"],
            _ => &[],
        };
        assert_eq!(names, expected, "{}", method.name);
    }
    for name in ["own.owned", "own.fields"] {
        let echo = async |args: Value| Err::<(), _>(args.to_string());
        rpc.register(name, echo).await.unwrap();
    }
    let own: OwnClient = OwnClient::new(&rpc);
    let owned = own.owned(null(), Cow(1), Vec(2), Box(3)).await.unwrap_err();
    let fields = own.fields(null(), Vec(2), &Box(3), None).await.unwrap_err();
    for (error, args) in [
        (owned, json!({"a": null, "b": 1, "c": 2, "d": 3})),
        (fields, json!({"a": null, "b": 2, "c": 3})),
    ] {
        let error = error.to_string();
        assert!(error.contains(&args.to_string()), "{error}");
    }
}
