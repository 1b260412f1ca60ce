//! The tests that run on real brokers, and on `memory://` where they apply.

mod bounces;
mod calls;
mod harness;
mod lifecycle;
mod losses;
mod probe;
mod refusals;
mod site;
mod wire;
