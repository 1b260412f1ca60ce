//! A bank. Each of its errors may be a call that failed, so that its client is a bank as well.

use core::fmt;
use core::future::Future;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::{RpcError, rpc_service};

/// What the methods of a bank return.
pub type Result<T> = core::result::Result<T, BankError>;

/// Why a bank does not do what it was asked to.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub enum BankError {
    /// There is not enough.
    #[error("{missing} cents are missing")]
    Short {
        /// How much is missing.
        missing: u64,
    },
    /// The bank was not reached, or has not answered.
    #[error("no bank behind `{0}`")]
    Unreachable(String),
}

impl From<RpcError> for BankError {
    fn from(error: RpcError) -> Self {
        Self::Unreachable(error.method().to_owned())
    }
}

/// A line of an account.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// Who was paid.
    pub to: String,
    /// How much.
    pub cents: u64,
}

/// Keeps an account, such as a [`Vault`](crate::Vault) does.
#[rpc_service(crate = wire, prefix = "bank.")]
pub trait Bank: fmt::Debug {
    /// Pays someone, and returns what is left; [`BankError::Short`] if that would be less than nothing.
    async fn pay(&self, to: &str, cents: u64) -> Result<u64>;

    /// What is there. It is less after each [`Self::pay`].
    #[rpc(idempotent)]
    async fn balance(&self) -> Result<u64>;

    /// Pays several people the same.
    async fn pay_all(&self, to: &[String], cents: u64) -> Result<u64> {
        let mut left = self.balance().await?;
        for to in to {
            left = self.pay(to, cents).await?;
        }
        Ok(left)
    }

    /// All that was paid.
    fn entries(&self) -> impl Future<Output = Result<Vec<Entry>>> + Send;
}

/// Pays bills for as long as there is money, at whatever bank, and returns how much was paid.
///
/// # Errors
///
/// Those of the bank, other than [`BankError::Short`].
pub async fn settle(bank: &impl Bank, bills: &[(&str, u64)]) -> Result<u64> {
    let before = bank.balance().await?;
    for (to, cents) in bills {
        match bank.pay(to, *cents).await {
            Ok(_) => {}
            Err(BankError::Short { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(before - bank.balance().await?)
}
