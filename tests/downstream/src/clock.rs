//! A clock: methods that are written with their futures.

use core::future::{Future, ready};

use wire::rpc_service;

/// Tells the time.
#[rpc_service(crate = crate::wire, prefix = "clock.")]
pub trait Clock {
    /// What time it is in a town.
    fn time(&self, town: &str) -> impl Future<Output = Option<u64>> + Send;

    /// Sets the clock of a town, if it has one.
    fn set(&self, town: &str, time: u64) -> impl Future<Output = Result<(), String>> + Send;

    /// Strikes the hour.
    fn strike(&self) -> impl Future<Output = ()> + Send;

    /// How many towns there are on the dial, which is one unless an implementation says otherwise.
    fn towns(&self) -> impl Future<Output = usize> + Send {
        ready(1)
    }
}
