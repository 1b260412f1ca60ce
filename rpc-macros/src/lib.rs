//! The `#[rpc_service]` attribute of [rpc-core].
//!
//! The way of a trait through this crate: `model` reads and checks it, so that `expand` cannot
//! fail; what is generated calls only `rpc_core::__private` and the public types of rpc-core.
//!
//! [rpc-core]: https://docs.rs/rpc-core

mod expand;
mod mistakes;
mod model;

use proc_macro::TokenStream;

/// Makes a client and a server of a trait.
///
/// Use it as `rpc_core::rpc_service`, which is where it is documented: the examples there run on
/// rpc-core, which this crate cannot depend on.
#[proc_macro_attribute]
pub fn rpc_service(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attr.into(), item.into()).into()
}
