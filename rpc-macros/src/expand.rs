//! From the tokens of a trait to those of the trait, its client and its server.

mod args;
mod client;
mod contract;
mod descriptor;
mod fallback;
mod generics;
mod remote;
mod server;

#[cfg(test)]
mod golden;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Item, ItemTrait};

use crate::model::{Returns, Service, conditions};

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
        Err(mistakes) => fallback::expand(item, &mistakes),
    }
}

fn expand_service(service: &Service<'_>) -> TokenStream {
    let contract = contract::expand(service.item);
    let client = client::expand_struct(service);
    let server = server::expand_struct(service);
    let descriptors = descriptor::expand_methods(service);
    let calls = client::expand(service);
    let serves = server::expand(service);
    let remote = remote::expand(service);
    let cfgs = conditions(&service.item.attrs);
    let krate = &service.options.krate;
    // Within a constant, so that none of its names can be in the way of the user's.
    quote! {
        #contract
        #client
        #server
        #(#cfgs)*
        #[allow(deprecated)]
        const _: () = {
            use #krate::private as __rpc;

            #descriptors
            #calls
            #serves
            #remote
        };
    }
}

/// The type of the call of a method.
fn call_type(returns: &Returns<'_>) -> TokenStream {
    match types_of(returns) {
        (ok, None) => quote!(__rpc::Call<#ok>),
        (ok, Some(err)) => quote!(__rpc::Call<#ok, __rpc::CallError<#err>>),
    }
}

/// How what a method returns travels.
fn returns(returns: &Returns<'_>) -> TokenStream {
    match types_of(returns) {
        (ok, None) => quote!(__rpc::value::<#ok>()),
        (ok, Some(err)) => quote!(__rpc::result::<#ok, #err>()),
    }
}

/// The error of a method, if it has one.
fn error_type(returns: &Returns<'_>) -> Option<TokenStream> {
    types_of(returns).1
}

/// The types that travel back: that of the value, and that of the error if there can be one.
///
/// Generated code names them, rather than have them inferred, so that a type that cannot travel is
/// told so where it was written.
fn types_of(returns: &Returns<'_>) -> (TokenStream, Option<TokenStream>) {
    match returns {
        Returns::Nothing => (quote!(()), None),
        Returns::Value(ty) => (quote!(#ty), None),
        Returns::Result { ok, err, .. } => (quote!(#ok), Some(quote!(#err))),
        Returns::Alias(ty) => {
            let span = Span::mixed_site().located_at(ty.span());
            let parts = quote_spanned!(span=> <#ty as __rpc::ResultParts>);
            (
                quote_spanned!(span=> #parts::Ok),
                Some(quote_spanned!(span=> #parts::Err)),
            )
        }
    }
}
