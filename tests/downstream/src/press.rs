//! A printing press: the options that a method can have.

use wire::{QueueOptions, rpc_service};

/// Prints what it is given.
#[rpc_service(crate = wire, prefix = "press.", name = "Printing press")]
pub trait Press {
    /// Prints a sheet; one at a time, and urgent ones first.
    #[rpc(name = "print.v2", concurrency = 1, queue = QueueOptions::default().argument("x-max-priority", 9))]
    async fn print(&self, sheet: &str) -> usize;

    /// The same call for those who cannot wait: it has another name here and the same queue nowhere.
    #[rpc(priority = 9, concurrency = 1, queue = QueueOptions::default().argument("x-max-priority", 9))]
    async fn rush(&self, sheet: &str) -> usize;

    /// What was printed so far. It may be asked twice.
    #[rpc(idempotent, timeout = "1m 30s")]
    async fn sheets(&self) -> Vec<String>;

    /// Cleans the press, which takes longer than anybody waits.
    #[rpc(timeout = "150ms")]
    async fn clean(&self);
}
