use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use rpc_core::__internals::{End, Wire, dispatch};
use rpc_core::{CallError, Method, RpcError, Service, rpc_service};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::WORDS;

/// The body of a call.
///
/// It ends in a value or an error that says what is wrong with it, and no more. Here each handler sends its arguments
/// back by their names, which is again the body of the same call: it must have the same answer.
pub fn call(data: &[u8]) {
    for method in &*METHODS {
        let reply = answer(method, data);
        match reply.end::<Value, String>("call") {
            End::Answered(Ok(_)) => {
                // Never by their order: only an object has names.
                assert_eq!(data.trim_ascii_start().first(), Some(&b'{'));
                let again = answer(method, reply.body());
                assert!(again.is_result(), "{again:?}");
                assert_eq!(again.body(), reply.body());
            }
            End::Answered(Err(CallError::Rpc(RpcError::Remote(error)))) => {
                let of_the_body = ["rpc.Malformed", "rpc.InvalidArguments"];
                assert!(of_the_body.contains(&&*error.kind), "{error}");
                let words = error.message;
                assert!(words.len() <= WORDS, "{} bytes: {words}", words.len());
                let twice_and_names = 2 * WORDS + 128;
                assert!(reply.body().len() <= twice_and_names, "{reply:?}");
            }
            end => panic!("{end:?}"),
        }
    }
}

/// The handlers here wait for nothing.
fn answer(method: &Method, body: &[u8]) -> Wire {
    let mut answer = pin!(dispatch(method, body));
    match answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(reply) => reply.expect("a call that is not abandoned has an answer"),
        Poll::Pending => panic!("no handler waits"),
    }
}

#[rpc_service]
trait Echo {
    async fn nothing(&self) -> BTreeMap<String, Value>;
    async fn plain(
        &self,
        flag: bool,
        number: i64,
        ratio: f64,
        text: &str,
        maybe: Option<u8>,
        items: Vec<Item>,
    ) -> Plain;
    // An attribute of serde: the arguments become the fields of a struct.
    async fn struct_(
        &self,
        #[serde(default)] number: u64,
        #[serde(flatten)] rest: BTreeMap<String, Value>,
    ) -> BTreeMap<String, Value>;
    async fn all(&self, #[serde(flatten)] all: BTreeMap<String, Value>) -> BTreeMap<String, Value>;
    async fn strict(&self, #[serde(rename = "in")] place: char, kind: Kind) -> Strict;
}

struct Desk;

impl Echo for Desk {
    async fn nothing(&self) -> BTreeMap<String, Value> {
        BTreeMap::new()
    }

    async fn plain(
        &self,
        flag: bool,
        number: i64,
        ratio: f64,
        text: &str,
        maybe: Option<u8>,
        items: Vec<Item>,
    ) -> Plain {
        Plain {
            flag,
            number,
            ratio,
            text: text.to_owned(),
            maybe,
            items,
        }
    }

    async fn struct_(
        &self,
        number: u64,
        mut rest: BTreeMap<String, Value>,
    ) -> BTreeMap<String, Value> {
        rest.insert("number".into(), number.into());
        rest
    }

    async fn all(&self, all: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        all
    }

    async fn strict(&self, place: char, kind: Kind) -> Strict {
        Strict { place, kind }
    }
}

#[derive(Deserialize, Serialize)]
struct Plain {
    flag: bool,
    number: i64,
    ratio: f64,
    text: String,
    maybe: Option<u8>,
    items: Vec<Item>,
}

#[derive(Deserialize, Serialize)]
struct Strict {
    #[serde(rename = "in")]
    place: char,
    kind: Kind,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Item {
    name: String,
    tags: BTreeMap<String, Kind>,
}

#[derive(Deserialize, Serialize)]
enum Kind {
    None,
    Number(i128),
    Pair(bool, Option<Box<Self>>),
    Named { text: String },
}

static METHODS: LazyLock<Vec<Method>> = LazyLock::new(|| EchoServer::new(Desk).into_methods());
