//! Types of the user as generated code names them, at the places where they were written.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Type};

use crate::model::{Method, Returns};

/// The type of the call of a method.
pub(super) fn call_type(returns: &Returns<'_>) -> TokenStream {
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
pub(super) fn returns(returns: &Returns<'_>) -> TokenStream {
    match returns {
        Returns::Nothing => quote!(__rpc::value()),
        Returns::Value(ty) => codec("value", ty),
        Returns::Result { whole, ok, err } => {
            quote_spanned!(place_of(whole)=> __rpc::result::<#ok, #err>())
        }
        Returns::Alias(ty) => quote_spanned!(place_of(ty)=> __rpc::alias::<#ty>()),
    }
}

/// How a type travels, by a function that asks of it all that it takes; in the same words on both sides, so that
/// one that cannot is one error, at the place where it was written.
pub(super) fn codec(function: &str, ty: &Type) -> TokenStream {
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
pub(super) fn place_of(ty: &Type) -> Span {
    Span::mixed_site().located_at(ty.span())
}

/// What knows whether a type is an `Option` or a `Result`.
pub(super) fn probe(ty: &Type) -> TokenStream {
    quote_spanned!(place_of(ty)=> __rpc::TypeOf::<#ty>)
}

/// What a method returns, or its future resolves to.
pub(super) fn output(method: &Method<'_>) -> TokenStream {
    method
        .returns
        .ty()
        .map_or_else(|| quote!(()), ToTokens::to_token_stream)
}
