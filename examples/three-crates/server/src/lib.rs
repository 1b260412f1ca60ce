//! The server of the shop. Only its `main`, and tests of both ends, depend on it.

use std::sync::atomic::{AtomicU64, Ordering};

use rpc_core::{Rpc, ServeError, Server};
use shop_contract::{Receipt, Shop, ShopError, ShopServer};

const LEFT: u32 = 10;

/// The shop itself.
#[derive(Debug, Default)]
struct Corner {
    orders: AtomicU64,
}

impl Shop for Corner {
    async fn price(&self, article: &str) -> Result<u64, ShopError> {
        match article {
            "lamp" => Ok(1999),
            "desk" => Ok(24_900),
            other => Err(ShopError::NoSuchArticle(other.into())),
        }
    }

    async fn order(&self, article: &str, pieces: u32) -> Result<Receipt, ShopError> {
        let price = self.price(article).await?;
        if pieces > LEFT {
            return Err(ShopError::SoldOut { left: LEFT });
        }
        Ok(Receipt {
            number: self.orders.fetch_add(1, Ordering::Relaxed) + 1,
            cents: price * u64::from(pieces),
        })
    }
}

/// Starts to serve.
///
/// # Errors
///
/// If the broker refuses a queue.
pub async fn start(rpc: &Rpc) -> Result<Server, ServeError> {
    rpc.serve(ShopServer::new(Corner::default())).await
}
