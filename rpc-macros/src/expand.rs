//! Turns the tokens of a trait into those of the trait, its client and its server.

mod args;
mod client;
mod client_impl;
mod client_refusal;
mod contract;
mod descriptor;
mod dyn_trait;
mod fallback;
mod generics;
mod pointer_impls;
mod server;
mod types;

#[cfg(test)]
mod golden;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Item, ItemTrait};

use crate::model::{Service, allowances, conditions, dyn_trait_of};

/// Expands `#[rpc_service(attr)] item`.
pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> TokenStream {
    match syn::parse2(item.clone()) {
        Ok(Item::Trait(item)) => expand_trait(&attr, item),
        Ok(other) => fallback::not_a_trait(&other),
        Err(error) => fallback::unreadable(&item, &error),
    }
}

fn expand_trait(attr: &TokenStream, item: ItemTrait) -> TokenStream {
    match Service::parse(attr, &item) {
        Ok(service) => expand_service(&service),
        Err(mistakes) => {
            let dyn_trait = dyn_trait_of(attr);
            fallback::expand(item, dyn_trait.as_ref(), &mistakes)
        }
    }
}

fn expand_service(service: &Service<'_>) -> TokenStream {
    let contract = contract::expand(service.item);
    let client = client::expand_struct(service);
    let server = server::expand_struct(service);
    let descriptors = descriptor::expand_methods(service);
    let calls = client::expand(service);
    let serves = server::expand(service);
    let client_impl = client_impl::expand(service).or_else(|| client_refusal::expand(service));
    let pointer_impls = pointer_impls::expand(service);
    let dyn_trait = dyn_trait::expand_trait(service);
    let dyn_impls = dyn_trait::expand_impls(service);
    let cfgs = conditions(&service.item.attrs);
    let allows = allowances(&service.item.attrs);
    let krate = &service.options.krate;
    // Inside a constant, so that none of these names can clash with the user's.
    quote! {
        #contract
        #client
        #server
        #dyn_trait
        #(#cfgs)*
        #[allow(dead_code, deprecated, non_camel_case_types, non_upper_case_globals)]
        #[allow(clippy::too_many_arguments, clippy::used_underscore_binding)]
        #(#allows)*
        const _: () = {
            use #krate::__private as __rpc;

            #descriptors
            #calls
            #serves
            #client_impl
            #pointer_impls
            #dyn_impls
        };
    }
}
