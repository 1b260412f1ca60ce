//! Code that is written against a trait, and its tests with a double in the place of the remote service.
//!
//! `cargo run --example mocks` runs it against a real service over `memory://`, or over the broker that
//! `RABBITMQ_URL` names; `cargo test -p examples --example mocks` runs the tests, which need no `Rpc` at all.

use std::env;

use anyhow::Result;
use rpc_core::{Rpc, RpcError, rpc_service};
use serde::{Deserialize, Serialize};

/// Rates of exchange.
#[rpc_service(prefix = "rates.")]
trait Rates {
    /// How much one euro is in that currency, in thousandths.
    #[rpc(idempotent)]
    async fn euro_in(&self, currency: &str) -> Result<u64, RatesError>;
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, thiserror::Error)]
enum RatesError {
    #[error("there is no rate for {0}")]
    Unknown(String),
    #[error("the rates cannot be reached: {0}")]
    Unreachable(String),
}

/// With it `RatesClient` is a `Rates`, too.
impl From<RpcError> for RatesError {
    fn from(error: RpcError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// What is tested: it takes the service, its client or a double.
async fn price_tag(rates: &impl Rates, cents: u64, currency: &str) -> String {
    match rates.euro_in(currency).await {
        Ok(rate) => format!("{} {currency}", cents.saturating_mul(rate) / 100_000),
        Err(RatesError::Unknown(_)) => format!("{} EUR", cents / 100),
        // A shop that cannot reach the rates goes on to sell.
        Err(RatesError::Unreachable(_)) => format!("{} EUR (no rates today)", cents / 100),
    }
}

/// The real service.
struct Bourse;

impl Rates for Bourse {
    async fn euro_in(&self, currency: &str) -> Result<u64, RatesError> {
        match currency {
            "SEK" => Ok(11_250),
            "JPY" => Ok(162_000),
            other => Err(RatesError::Unknown(other.into())),
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://".into());
    let rpc = Rpc::connect(broker).await?;
    let server = rpc.serve(RatesServer::new(Bourse)).await?;
    let rates = RatesClient::new(&rpc);
    println!("here:  {}", price_tag(&Bourse, 2000, "SEK").await);
    println!("there: {}", price_tag(&rates, 2000, "SEK").await);
    println!("there: {}", price_tag(&rates, 2000, "XYZ").await);
    server.shutdown().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every call alike.
    struct Always(Result<u64, RatesError>);

    impl Rates for Always {
        async fn euro_in(&self, _: &str) -> Result<u64, RatesError> {
            self.0.clone()
        }
    }

    #[tokio::test]
    async fn a_price_is_converted() {
        assert_eq!(price_tag(&Always(Ok(1500)), 2000, "ABC").await, "30 ABC");
    }

    #[tokio::test]
    async fn a_price_stays_in_euro_where_there_is_no_rate() {
        let unknown = Always(Err(RatesError::Unknown("ABC".into())));
        assert_eq!(price_tag(&unknown, 2000, "ABC").await, "20 EUR");
    }

    #[tokio::test]
    async fn a_price_is_shown_though_the_rates_cannot_be_reached() {
        let down = Always(Err(RatesError::Unreachable("no connection".into())));
        assert_eq!(
            price_tag(&down, 2000, "ABC").await,
            "20 EUR (no rates today)"
        );
    }
}
