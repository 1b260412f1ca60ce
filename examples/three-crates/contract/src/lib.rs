//! The contract of the shop: all that its server and its clients have in common.
//!
//! It depends on neither, so each of them is built, released and deployed without the other.

use rpc_core::{RpcError, rpc_service};
use serde::{Deserialize, Serialize};

/// Sells things.
#[rpc_service(prefix = "shop.")]
pub trait Shop {
    /// What an article costs, in cents.
    #[rpc(idempotent, timeout = "2s")]
    async fn price(&self, article: &str) -> Result<u64, ShopError>;
    /// Orders some, and returns the receipt.
    async fn order(&self, article: &str, pieces: u32) -> Result<Receipt, ShopError>;
}

/// What was ordered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Receipt {
    /// Its number.
    pub number: u64,
    /// What it comes to, in cents.
    pub cents: u64,
}

/// Why the shop refuses.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, thiserror::Error)]
pub enum ShopError {
    /// It does not sell that.
    #[error("there is no article `{0}`")]
    NoSuchArticle(String),
    /// Fewer are left than were ordered.
    #[error("{left} left")]
    SoldOut {
        /// How many.
        left: u32,
    },
    /// The call failed; only clients make it.
    #[error("the shop cannot be reached: {0}")]
    Unreachable(String),
}

/// With it [`ShopClient`] is a [`Shop`], too.
impl From<RpcError> for ShopError {
    fn from(error: RpcError) -> Self {
        Self::Unreachable(error.to_string())
    }
}
