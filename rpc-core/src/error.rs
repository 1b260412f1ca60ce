//! How calls, connecting and serving end.

pub(crate) mod rpc_error;
pub(crate) mod call_error;
pub(crate) mod cause;
pub(crate) mod connect;
pub mod kind;
pub(crate) mod progress;
pub(crate) mod raw_json;
pub(crate) mod reason;
pub(crate) mod remote;
pub(crate) mod serve;
pub(crate) mod shorten;
