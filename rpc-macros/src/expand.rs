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

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Item, ItemTrait, Type};

use crate::model::{Returns, Service, allowances, conditions};

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
    let allows = allowances(&service.item.attrs);
    let krate = &service.options.krate;
    // Within a constant, so that none of its names can be in the way of the user's.
    quote! {
        #contract
        #client
        #server
        #(#cfgs)*
        #[allow(dead_code, deprecated, non_upper_case_globals)]
        #[allow(clippy::too_many_arguments, clippy::used_underscore_binding)]
        #(#allows)*
        const _: () = {
            use #krate::__private as __rpc;

            #descriptors
            #calls
            #serves
            #remote
        };
    }
}

/// The type of the call of a method.
fn call_type(returns: &Returns<'_>) -> TokenStream {
    match returns {
        Returns::Nothing => quote!(__rpc::Call<()>),
        Returns::Value(ty) => quote!(__rpc::Call<#ty>),
        Returns::Result { ok, err, .. } => quote!(__rpc::Call<#ok, __rpc::CallError<#err>>),
        Returns::Alias(ty) => {
            let parts = quote_spanned!(place_of(ty)=> <#ty as __rpc::ResultParts>);
            quote_spanned!(place_of(ty)=> __rpc::Call<#parts::Ok, __rpc::CallError<#parts::Err>>)
        }
    }
}

/// How what a method returns travels.
fn returns(returns: &Returns<'_>) -> TokenStream {
    match returns {
        Returns::Nothing => quote!(__rpc::value()),
        Returns::Value(ty) => travelling("value", ty),
        Returns::Result { whole, ok, err } => {
            quote_spanned!(place_of(whole)=> __rpc::result::<#ok, #err>())
        }
        Returns::Alias(ty) => quote_spanned!(place_of(ty)=> __rpc::alias::<#ty>()),
    }
}

/// How a type travels, by a function that asks of it all that it takes; in the same words on both sides, so that
/// one that cannot is one error, at the place where it was written.
fn travelling(function: &str, ty: &Type) -> TokenStream {
    let mut words = ty.to_token_stream().into_iter();
    match (words.next(), words.next()) {
        // The compiler knows the type, and its place is that of its only word.
        (Some(TokenTree::Ident(word)), None) => {
            let function = Ident::new(function, word.span());
            quote_spanned!(word.span()=> __rpc::#function())
        }
        _ => {
            let function = Ident::new(function, place_of(ty));
            quote_spanned!(place_of(ty)=> __rpc::#function::<#ty>())
        }
    }
}

/// The place of a type, for generated code that the compiler may find fault with because of the type.
fn place_of(ty: &Type) -> Span {
    Span::mixed_site().located_at(ty.span())
}
