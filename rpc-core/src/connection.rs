//! Keeps connections up, for clients and for servers.

pub(crate) mod failover;
pub(crate) mod session;
pub(crate) mod supervisor;
