//! The guide: what to know beyond the API, page by page.
//!
//! - [`guarantees`]: what a call promises, and what each error means for the next step
//! - [`three_crates`]: a contract that a server and its clients share
//! - [`testing`]: tests without a broker, with faults, with the clock stopped, and with doubles
//! - [`operations`]: logs, Kubernetes, shutdown, TLS, and what to watch
//! - [`permissions`]: what a program may do on the broker, and how it logs in there
//! - [`rollout`]: which changes of a trait are compatible, and what to deploy first
//! - [`other_languages`]: aio-pika and others at the other end
//! - [`runtimes`]: blocking handlers, single-threaded runtimes, panics
//! - [`binary_data`]: bytes in JSON, and their sizes
//! - [`limits`]: what is bounded, and what is not possible
//!
//! Their examples are tests, which run on `memory://`.

#[doc = include_str!("../docs/guide/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("../docs/guide/three_crates.md")]
pub mod three_crates {}

#[doc = include_str!("../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/guide/operations.md")]
pub mod operations {}

#[doc = include_str!("../docs/guide/permissions.md")]
pub mod permissions {}

#[doc = include_str!("../docs/guide/rollout.md")]
pub mod rollout {}

#[doc = include_str!("../docs/guide/other_languages.md")]
pub mod other_languages {}

#[doc = include_str!("../docs/guide/runtimes.md")]
pub mod runtimes {}

#[doc = include_str!("../docs/guide/binary_data.md")]
pub mod binary_data {}

#[doc = include_str!("../docs/guide/limits.md")]
pub mod limits {}
