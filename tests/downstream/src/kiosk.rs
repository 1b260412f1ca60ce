//! A kiosk: methods that do not wait, trait objects, and names of another language's taste.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use wire::{RpcError, rpc_service};

/// Sells papers. See [`Self::sell_paper`].
///
/// ```
/// // Once, and not again for all that is made of the trait.
/// static RUNS: std::sync::Once = std::sync::Once::new();
/// assert!(!RUNS.is_completed());
/// ```
#[rpc_service(
    crate = wire, prefix = "kiosk.", rename_all = "camelCase", rename_all_args = "camelCase", dyn_trait = DynKiosk
)]
pub trait Kiosk: Debug {
    /// Sells a paper, and returns what is left of each.
    ///
    /// ```
    /// assert_eq!(1 + 1, 2);
    /// ```
    async fn sell_paper(
        &self,
        /// The title, as it is printed.
        paper_title: &str,
        how_many: Option<u32>,
    ) -> Result<BTreeMap<String, Vec<Option<(u32, Result<String, u8>)>>>, SoldOut>;

    /// Whether it has the title, found without [`sell_paper`](Self::sell_paper).
    async fn has_title(&self, paper_title: &str) -> Result<bool, SoldOut> {
        let sold = self.sell_paper(paper_title, Some(0)).await;
        Ok(sold.is_ok())
    }
}

/// What a [`Kiosk`] has no more.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("there is no {0} left")]
pub struct SoldOut(pub String);

impl From<RpcError> for SoldOut {
    fn from(error: RpcError) -> Self {
        Self(error.to_string())
    }
}

/// A slot machine, whose methods do not wait.
#[rpc_service(crate = wire, rename_all = "kebab-case", dyn_trait = DynMachine)]
pub trait Machine {
    /// Which model it is.
    #[rpc(name = "machine.model")]
    fn model(&self) -> String;

    /// Takes a coin. It has no more to say.
    #[rpc(one_way)]
    fn take_coin(&self, _cents: u32) {}
}
