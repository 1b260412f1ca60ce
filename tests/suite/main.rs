//! The tests that run on real brokers, and on `memory://` where they apply.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod answers;
mod batching;
mod book;
mod bounces;
mod calls;
mod cluster;
mod dead_letters;
mod deadlines;
mod faults;
mod harness;
mod interop;
mod late;
mod lifecycle;
mod log_lines;
mod losses;
mod one_way;
mod peers_page;
mod permissions;
mod poison;
mod probe;
mod progress;
mod protocol_rules;
mod readme;
mod redelivery;
mod refusals;
mod resends;
mod restarts;
mod site;
mod tls;
mod unreadable;
mod values;
mod wire;
