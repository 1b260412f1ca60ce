//! The desk at the entrance: every kind of thing that a method may return.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::rpc_service;

/// What the desk returns for those who may be refused.
type Result<T, E = Refusal> = core::result::Result<T, E>;

/// Who comes in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Visitor {
    /// Their name.
    pub name: String,
    /// How old they are.
    pub age: u8,
}

/// Why somebody does not come in. It cannot be a call that failed, so the client of a desk is none.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub enum Refusal {
    /// Too young.
    #[error("come back in {years} years")]
    Young {
        /// When they are old enough.
        years: u8,
    },
    /// Nobody comes in.
    #[error("it is closed")]
    Closed,
}

/// Lets people in.
#[rpc_service(crate = ::wire, prefix = "desk.")]
pub trait Desk {
    /// Rings the bell.
    async fn ring(&self);

    /// How often it rang.
    async fn rings(&self) -> u32;

    /// Somebody who is in.
    async fn find(&self, name: &str) -> Option<Visitor>;

    /// Lets somebody in, and returns how many are.
    async fn admit(&self, visitor: Visitor) -> core::result::Result<usize, Refusal>;

    /// Sees somebody out.
    async fn leave(&self, name: &str) -> Result<()>;

    /// The name of somebody of that age, or what to say instead.
    async fn greet(&self, age: u8) -> Result<Option<String>, String>;

    /// Everybody who is in, by the letter that their names begin with.
    async fn list(&self) -> Vec<(char, [Vec<Visitor>; 1])>;

    /// Lets several in, each as if alone, until one may not.
    async fn admit_all(&self, visitors: &[Visitor]) -> Result<usize> {
        let mut count = 0;
        for visitor in visitors {
            count = self.admit(visitor.clone()).await?;
        }
        Ok(count)
    }
}
