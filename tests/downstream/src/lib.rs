//! Services as a user of rpc-core writes them, who has strict lints and depends on it by another name.
//!
//! Each module is a service that shows some of what a service can have; `tests` calls them all, on a real broker and
//! on one in the process.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]
#![deny(missing_debug_implementations, missing_copy_implementations)]
#![deny(elided_lifetimes_in_paths, single_use_lifetimes, unnameable_types)]
#![deny(unused_lifetimes, unused_import_braces, unused_macro_rules)]
#![deny(trivial_casts, trivial_numeric_casts, let_underscore_drop)]
#![deny(unused_results, unused_extern_crates, unit_bindings)]
#![deny(closure_returning_async_block, impl_trait_redundant_captures)]
#![deny(variant_size_differences, redundant_lifetimes, meta_variable_misuse)]
#![deny(explicit_outlives_requirements, non_ascii_idents, keyword_idents)]
#![deny(rustdoc::all, clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![deny(clippy::missing_docs_in_private_items)]
#![deny(clippy::allow_attributes_without_reason, clippy::str_to_string)]
#![allow(
    clippy::redundant_pub_crate,
    reason = "`unreachable_pub` asks for the contrary"
)]

mod bank;
mod cellar;
mod clock;
mod desk;
mod diary;
mod kiosk;
mod museum;
mod post;
mod press;
mod shelf;
mod switchboard;
mod vault;

pub use bank::Result as BankResult;
pub use bank::{Bank, BankClient, BankError, BankServer, Entry, settle};
pub use cellar::{Visit, visit};
pub use clock::{Clock, ClockClient, ClockServer};
pub use desk::{Desk, DeskClient, DeskServer, Refusal, Visitor};
pub use diary::{Diary, DiaryClient, DiaryServer};
pub use kiosk::{
    DynKiosk, DynMachine, Kiosk, KioskClient, KioskServer, Machine, MachineClient, MachineServer,
    SoldOut,
};
#[expect(deprecated, reason = "those who know it by this name still find it")]
pub use museum::{Annex, AnnexClient, AnnexServer};
#[cfg(feature = "annex")]
pub use museum::{Guide, GuideClient, GuideServer, Relic};
pub use museum::{Museum, MuseumClient, MuseumServer};
pub use post::{Parcel, Post, PostClient, PostServer};
pub use press::{Press, PressClient, PressServer};
pub use shelf::{Shelf, ShelfClient, ShelfServer};
pub use switchboard::{
    LINES, Silence, SilenceClient, SilenceServer, Switchboard, SwitchboardClient, SwitchboardServer,
};
pub use vault::Vault;
// So that those who use this crate have the same one.
pub use wire;
