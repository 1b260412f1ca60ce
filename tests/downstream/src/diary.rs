//! A diary: methods whose callers wait until the broker has the call, and no longer.

use wire::{QueueOptions, rpc_service};

/// Takes down what happens.
#[rpc_service(crate = wire, prefix = "diary.")]
pub trait Diary {
    /// Writes a line, some time.
    #[rpc(one_way)]
    async fn write(&self, line: &str);

    /// The same, in few words.
    #[rpc(one_way, name = "jot.down", timeout = "10s", priority = 1)]
    async fn jot(&self, #[serde(rename = "text")] line: Option<&str>);

    /// Writes a line at the margin, where there is room for one that waits.
    #[rpc(one_way, concurrency = 1, queue = narrow())]
    async fn squeeze(&self, line: String) -> ();

    /// All lines so far.
    async fn lines(&self) -> Vec<String>;
}

/// A queue that refuses a second call while one waits.
fn narrow() -> QueueOptions {
    QueueOptions::default()
        .argument("x-max-length", 1)
        .argument("x-overflow", "reject-publish")
}
