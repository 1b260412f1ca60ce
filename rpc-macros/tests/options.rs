//! The options of services and methods, and what the descriptor says of them.

use std::sync::{Mutex, MutexGuard};

use rpc_core::{QueueOptions, Rpc, RpcError, rpc_service};
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
        (write.name, write.docs, write.one_way),
        ("write_line", "Writes a line.", true)
    );
    assert_eq!(
        (write.arguments[0].name, write.arguments[0].ty),
        ("line", "&str")
    );
    assert_eq!(
        (lines.priority, lines.concurrency, lines.idempotent),
        (Some(3), Some(1), true)
    );
    assert_eq!((lines.returns, write.returns), ("Vec<String>", "()"));
}
