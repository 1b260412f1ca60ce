//! Services that nobody outside of this crate can name: private ones, also inside of a function.

use wire::{Rpc, rpc_service};

/// What a visit found.
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Visit {
    /// How many barrels there are.
    pub barrels: u32,
    /// What the rats said.
    pub rats: String,
    /// How the wine is.
    pub wine: u8,
}

/// Barrels, for this crate.
#[rpc_service(crate = wire, prefix = "cellar.")]
pub(crate) trait Barrels {
    /// How many there are.
    async fn count(&self) -> u32;
}

/// Rats, for this module.
#[rpc_service(crate = wire, prefix = "cellar.")]
trait Rats {
    /// What they say.
    async fn squeak(&self, times: usize) -> String;
}

/// What is in the cellar.
struct Contents;

impl Barrels for Contents {
    async fn count(&self) -> u32 {
        7
    }
}

impl Rats for Contents {
    async fn squeak(&self, times: usize) -> String {
        "squeak".repeat(times)
    }
}

/// Serves all that is in the cellar over one connection, calls it, and leaves.
///
/// # Errors
///
/// If that fails.
pub async fn visit(rpc: &Rpc) -> Result<Visit, Box<dyn core::error::Error>> {
    /// Wine, for this function.
    #[rpc_service(crate = wire, prefix = "cellar.")]
    trait Wine {
        /// How it is, of ten.
        async fn taste(&self) -> u8;
    }

    impl Wine for Contents {
        async fn taste(&self) -> u8 {
            9
        }
    }

    let servers = [
        rpc.serve(BarrelsServer::new(Contents)).await?,
        rpc.serve(RatsServer::new(Contents)).await?,
        rpc.serve(WineServer::new(Contents)).await?,
    ];
    let visit = Visit {
        barrels: BarrelsClient::new(rpc).count().await?,
        rats: RatsClient::new(rpc).squeak(2).await?,
        wine: WineClient::new(rpc).taste().await?,
    };
    for server in servers {
        server.shutdown().await?;
    }
    Ok(visit)
}
