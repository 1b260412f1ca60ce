//! A museum: what has attributes of its own.

#[cfg(feature = "annex")]
use serde::{Deserialize, Serialize};
use wire::rpc_service;

/// Shows old things.
///
/// The documentation of a service and its methods is that of its client as well, with what it links to, such as
/// [`Self::open`] or the [`Desk`](crate::Desk).
#[rpc_service(crate = wire, prefix = "museum.")]
pub trait Museum {
    /// Whether it is open.
    async fn open(&self) -> bool;

    /// When it closes, which is the same every day.
    async fn closes(&self, _day: &str) -> u8 {
        18
    }

    /// What it cost to get in, once.
    #[deprecated = "it costs nothing now"]
    async fn fee(&self) -> u32 {
        0
    }

    #[doc = concat!("Shows a thing", " by its number.")]
    #[expect(non_snake_case, reason = "it is what the label says")]
    async fn Show(&self, Number: u32) -> String;

    /// Finds a place from many hints.
    #[allow(clippy::too_many_arguments, reason = "visitors say all that they know")]
    async fn find(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u64;

    /// What is in the annex, if there is one.
    #[cfg(feature = "annex")]
    async fn annex(&self) -> [Relic; 1] {
        [Relic { year: 1066 }]
    }

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
#[allow(non_snake_case, reason = "it is carved in stone")]
#[rpc_service(crate = wire, prefix = "museum.annex.")]
pub trait Annex {
    /// The last thing that it shows.
    async fn Last(&self, #[serde(default)] Thing: u8) -> String;
}

/// What is only in the annex.
#[cfg(feature = "annex")]
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Relic {
    /// When it was made.
    pub year: u16,
}

/// A service that is there only with the annex, of whose type it tells.
#[cfg(feature = "annex")]
#[rpc_service(crate = wire, prefix = "museum.guide.")]
pub trait Guide {
    /// How old it is.
    async fn age(&self, relic: Relic, #[serde(default = "this_year")] year: u16) -> u16 {
        year - relic.year
    }
}

/// When nobody says which year it is.
#[cfg(feature = "annex")]
const fn this_year() -> u16 {
    2026
}
