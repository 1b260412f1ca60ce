//! The wire itself, held against a peer driven by hand: what we send, and what we do with anything.

mod batches;
mod calling;
mod errors;
mod gate;
mod headers;
mod leaving;
mod one_way;
mod serving;
mod topology;
