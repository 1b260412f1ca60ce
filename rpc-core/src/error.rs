//! How calls, connecting and serving end.

pub(crate) mod call;
pub(crate) mod connect;
pub(crate) mod progress;
pub(crate) mod serve;
