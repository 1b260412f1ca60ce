//! A museum: what has attributes of its own.

use wire::rpc_service;

/// Shows old things.
///
/// The documentation of a service and its methods is that of its client as well, with what it links to, such as
/// [`Self::open`] or the [`Desk`](crate::Desk).
#[rpc_service(crate = wire, prefix = "museum.")]
pub trait Museum {
    /// Whether it is open.
    async fn open(&self) -> bool;

    /// What it cost to get in, once.
    #[deprecated = "it costs nothing now"]
    async fn fee(&self) -> u32 {
        0
    }

    #[doc = concat!("Shows a thing", " by its number.")]
    #[allow(non_snake_case, reason = "it is what the label says")]
    async fn Show(&self, Number: u32) -> String;

    /// Finds a place from many hints.
    #[allow(clippy::too_many_arguments, reason = "visitors say all that they know")]
    async fn find(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u64;

    /// What is in the annex, if there is one.
    #[cfg(feature = "annex")]
    async fn annex(&self) -> Absent;

    /// What is in the annex, if there is none: nothing.
    #[cfg(not(feature = "annex"))]
    async fn annex(&self) -> [String; 0] {
        []
    }

    /// A method for those who know of it.
    #[doc(hidden)]
    async fn cellar(&self) -> u8 {
        1
    }
}

/// What is left of the annex.
#[deprecated = "it was torn down"]
#[rpc_service(crate = wire, prefix = "museum.annex.")]
pub trait Annex {
    /// The last thing that it shows.
    async fn last(&self) -> String;
}

/// A service that is not there, which names a type that is not there.
#[cfg(feature = "annex")]
#[rpc_service(crate = wire)]
pub trait Unbuilt {
    /// Nobody can call it.
    async fn call(&self, absent: Absent);
}
