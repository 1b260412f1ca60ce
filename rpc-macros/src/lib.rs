//! The `#[rpc_service]` attribute of [rpc-core].
//!
//! A trait passes through this crate in two steps: `model` parses and checks it, so that `expand`
//! cannot fail. Generated code calls only `rpc_core::__private` and the public types of rpc-core.
//!
//! [rpc-core]: https://docs.rs/rpc-core

mod expand;
mod mistakes;
mod model;

use proc_macro::TokenStream;

/// Generates a client and a server from a trait.
///
/// Use it as `rpc_core::rpc_service`, where it is documented: the examples there need rpc-core, on
/// which this crate cannot depend.
#[proc_macro_attribute]
pub fn rpc_service(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attr.into(), item.into()).into()
}
