//! What keeps a connection up, for either side.

pub(crate) mod failover;
pub(crate) mod session;
pub(crate) mod supervisor;
