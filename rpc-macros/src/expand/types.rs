//! The user's types as generated code names them, with the spans at which the user wrote them.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Type};

use crate::model::{Method, Returns};

/// The type that a client's method returns.
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

/// How a method's output travels.
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

/// How a type travels: a call of the function that has all bounds on it. Both sides generate the
/// same tokens, so that a type that cannot travel causes one error, at the place where it was
/// written.
pub(super) fn codec(function: &str, ty: &Type) -> TokenStream {
    let mut words = ty.to_token_stream().into_iter();
    match (words.next(), words.next()) {
        // The compiler infers the type, and the span is that of its only word.
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

/// The span of a type, for generated code that may fail to compile because of the type.
pub(super) fn place_of(ty: &Type) -> Span {
    Span::mixed_site().located_at(ty.span())
}

/// The probe that knows whether a type is an `Option` or a `Result`.
pub(super) fn probe(ty: &Type) -> TokenStream {
    quote_spanned!(place_of(ty)=> __rpc::TypeOf::<#ty>)
}

/// The type that a method returns, or that its future resolves to.
pub(super) fn output(method: &Method<'_>) -> TokenStream {
    method
        .returns
        .ty()
        .map_or_else(|| quote!(()), ToTokens::to_token_stream)
}
