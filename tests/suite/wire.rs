//! The wire itself, held against a peer driven by hand: what we send, and what we do with anything.

mod calling;
mod batches;
mod one_way;
mod serving;
