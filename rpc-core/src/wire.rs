//! What travels, as plain data: no I/O, no AMQP library. Specified in `PROTOCOL.md`.

pub(crate) mod batch;
pub(crate) mod batch_route;
pub(crate) mod batching;
pub(crate) mod codec;
pub(crate) mod content;
pub(crate) mod correlation_id;
pub(crate) mod extras;
pub(crate) mod fault;
pub(crate) mod flaw;
pub(crate) mod header_table;
pub(crate) mod headers;
pub(crate) mod inbound;
pub(crate) mod json_fields;
pub(crate) mod malformed;
pub(crate) mod message;
pub(crate) mod method_name;
pub(crate) mod outbound;
pub(crate) mod queue_options;
pub(crate) mod random_uuid;
pub(crate) mod size_limit;
#[cfg(test)]
pub(crate) mod strategies;
