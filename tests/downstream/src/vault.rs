//! A bank that keeps its money here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bank::{Bank, BankError, Entry, Result};

/// An account in this process.
#[derive(Debug)]
pub struct Vault {
    /// What was there at first.
    cents: u64,
    /// What was paid since.
    paid: Mutex<Vec<Entry>>,
}

impl Vault {
    /// An account with so much on it.
    #[must_use]
    pub const fn new(cents: u64) -> Self {
        Self {
            cents,
            paid: Mutex::new(Vec::new()),
        }
    }

    /// What was paid.
    fn paid(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is left after these payments.
    fn left(&self, paid: &[Entry]) -> u64 {
        self.cents - paid.iter().map(|entry| entry.cents).sum::<u64>()
    }
}

impl Bank for Vault {
    async fn pay(&self, to: &str, cents: u64) -> Result<u64> {
        let to = to.to_owned();
        let mut paid = self.paid();
        let left = self.left(&paid);
        let missing = cents.saturating_sub(left);
        if missing == 0 {
            paid.push(Entry { to, cents });
        }
        drop(paid);
        if missing == 0 {
            Ok(left - cents)
        } else {
            Err(BankError::Short { missing })
        }
    }

    async fn balance(&self) -> Result<u64> {
        Ok(self.left(&self.paid()))
    }

    async fn entries(&self) -> Result<Vec<Entry>> {
        Ok(self.paid().clone())
    }
}
