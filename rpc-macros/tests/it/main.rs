//! What users may write in a trait, and what they are told of what they may not.

mod arguments;
mod declared;
mod generic;
// Public, for the lints of what a crate exports.
pub mod hygiene;
mod implementations;
mod names;
mod options;
mod own_types;
mod pointers;
mod returns;
mod sync_methods;
mod ui;
