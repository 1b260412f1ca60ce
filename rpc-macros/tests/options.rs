//! The options of services and methods, and what the descriptor says of them.

use std::sync::{Mutex, MutexGuard};

use rpc_core::{MethodDescriptor, QueueOptions, Rpc, RpcError, rpc_service};
use serde_json::json;

/// Notes.
#[rpc_service(name = "Notes")]
trait Log {
    /// Writes a line.
    #[rpc(one_way, name = "write_line", timeout = "2s")]
    async fn write(&self, line: &str);
    #[rpc(idempotent, priority = 3, concurrency = 1, queue = QueueOptions::default().argument("x-max-priority", 9))]
    async fn lines(&self) -> Vec<String>;
    #[rpc(timeout = "10ms")]
    async fn never(&self);
    #[allow(clippy::wrong_self_convention, reason = "a method may have any name")]
    async fn new(&self) -> u8;
    async fn clone(&self) -> u8;
    #[allow(clippy::wrong_self_convention, reason = "a method may have any name")]
    async fn from(&self) -> u8;
    #[allow(non_snake_case)]
    async fn From(&self) -> u8;
    async fn fmt(&self) -> u8;
}

#[derive(Default)]
struct Paper(Mutex<Vec<String>>);

impl Paper {
    fn locked(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().expect("nobody panics with it")
    }
}

impl Log for Paper {
    async fn write(&self, line: &str) {
        self.locked().push(line.to_owned());
    }
    async fn lines(&self) -> Vec<String> {
        self.locked().clone()
    }
    async fn never(&self) {
        std::future::pending::<()>().await;
    }
    async fn new(&self) -> u8 {
        1
    }
    async fn clone(&self) -> u8 {
        2
    }
    async fn from(&self) -> u8 {
        3
    }
    #[allow(non_snake_case)]
    async fn From(&self) -> u8 {
        5
    }
    async fn fmt(&self) -> u8 {
        4
    }
}

#[tokio::test]
async fn options_act() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    let log: LogClient = (&rpc).into();
    let error = log.write("early").await.unwrap_err();
    assert_eq!(
        error,
        RpcError::NoSuchMethod {
            method: "write_line".into()
        }
    );
    rpc.serve(LogServer::new(Paper::default())).await.unwrap();
    log.write("a").await.unwrap();
    let untyped = rpc.call("write_line", json!({"line": "b"}));
    assert_eq!(untyped.one_way().await, Ok(()));
    // The broker has them by now, and the server soon will.
    while log.lines().await.unwrap() != ["a", "b"] {
        tokio::task::yield_now().await;
    }
    let error = log.never().await.unwrap_err();
    assert!(
        matches!(error, RpcError::Timeout { after, .. } if after.as_millis() == 10),
        "{error}"
    );
    assert_eq!((log.new().await, log.clone().await), (Ok(1), Ok(2)));
    assert_eq!((log.from().await, log.fmt().await), (Ok(3), Ok(4)));
    assert_eq!(log.From().await, Ok(5));

    let descriptor = LogClient::DESCRIPTOR;
    assert_eq!((descriptor.name, descriptor.docs), ("Notes", "Notes."));
    let [write, lines, ..] = descriptor.methods else {
        panic!("{descriptor:?}");
    };
    assert_eq!(
        (write.name, write.docs, write.options.one_way),
        ("write_line", "Writes a line.", true)
    );
    assert_eq!(
        (write.arguments[0].name, write.arguments[0].ty),
        ("line", "&str")
    );
    assert_eq!(
        (
            lines.options.priority,
            lines.concurrency,
            lines.options.idempotent
        ),
        (Some(3), Some(1), true)
    );
    assert_eq!((lines.returns, write.returns), ("Vec<String>", "()"));
}

/// What serde says of arguments, in every way that changes how callers see them.
#[rpc_service]
trait Form {
    #[allow(clippy::too_many_arguments)]
    async fn fill(
        &self,
        plain: u8,
        option: Option<u8>,
        #[serde(default)] default: u8,
        #[serde(with = "plus_one")] with: Option<u8>,
        #[serde(default, with = "plus_one")] both: Option<u8>,
        #[serde(deserialize_with = "plus_one::deserialize")] one_way: Option<u8>,
        #[serde(rename = "in")] renamed: u8,
        #[serde(flatten)] rest: Rest,
        #[serde(flatten)] maybe: Option<Rest>,
    ) -> u8;
    async fn list(&self, plain: u8, option: Option<u8>, lent: Option<&str>);
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Rest {
    a: u8,
}

mod plus_one {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(n: &Option<u8>, json: S) -> Result<S::Ok, S::Error> {
        n.map(|n| n + 1).serialize(json)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(json: D) -> Result<Option<u8>, D::Error> {
        Ok(Option::<u8>::deserialize(json)?.map(|n| n - 1))
    }
}

struct Clerk;

impl Form for Clerk {
    async fn fill(
        &self,
        plain: u8,
        option: Option<u8>,
        default: u8,
        with: Option<u8>,
        both: Option<u8>,
        one_way: Option<u8>,
        renamed: u8,
        rest: Rest,
        maybe: Option<Rest>,
    ) -> u8 {
        let options = [option, with, both, one_way, maybe.map(|rest| rest.a)];
        plain + default + renamed + rest.a + options.into_iter().flatten().sum::<u8>()
    }
    async fn list(&self, _: u8, _: Option<u8>, _: Option<&str>) {}
}

/// What the descriptor says may be left out may be, and nothing else.
#[tokio::test]
async fn the_descriptor_says_how_arguments_travel() {
    let [fill, list] = FormClient::DESCRIPTOR.methods else {
        panic!("not two methods");
    };
    let optional = |method: &MethodDescriptor| -> Vec<_> {
        let arguments = method.arguments.iter();
        (arguments
            .filter(|argument| argument.optional)
            .map(|argument| argument.name))
        .collect()
    };
    assert_eq!(optional(fill), ["option", "default", "both"]);
    assert_eq!(optional(list), ["option", "lent"]);
    let flattened = fill.arguments.iter().filter(|argument| argument.flattened);
    let flattened: Vec<_> = flattened.map(|argument| argument.name).collect();
    assert_eq!(flattened, ["rest", "maybe"]);

    let rpc = Rpc::connect("memory://").await.unwrap();
    rpc.serve(FormServer::new(Clerk)).await.unwrap();
    let all = json!({
        "plain": 1, "option": 1, "default": 1, "with": 2, "both": 2, "one_way": 2, "in": 1, "a": 1
    });
    assert_eq!(rpc.call("fill", &all).await, Ok(json!(8)));
    for argument in fill.arguments.iter().filter(|argument| !argument.flattened) {
        let mut others = all.clone();
        others
            .as_object_mut()
            .unwrap()
            .remove(argument.name)
            .unwrap();
        let ended = rpc.call("fill", others).await;
        assert_eq!(
            ended.is_ok(),
            argument.optional,
            "{}: {ended:?}",
            argument.name
        );
    }
}
