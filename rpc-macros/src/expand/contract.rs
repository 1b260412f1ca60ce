//! The trait itself: as it was written, but with futures that can be sent between threads.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{FnArg, ItemTrait, ReturnType, TraitItem, TraitItemFn, parse_quote, parse_quote_spanned};

use crate::model::{is_async_trait, is_hidden};

pub(super) fn expand(item: &ItemTrait) -> TokenStream {
    let mut item = item.clone();
    item.attrs.retain(|attr| !attr.path().is_ident("rpc"));
    // Futures that `async_trait` is still to box are those of the implementations too.
    let boxed = item.attrs.iter().any(is_async_trait);
    item.colon_token.get_or_insert_default();
    item.supertraits.push(parse_quote!(::core::marker::Send));
    item.supertraits.push(parse_quote!(::core::marker::Sync));
    item.supertraits.push(parse_quote!('static));
    for item in &mut item.items {
        if let TraitItem::Fn(method) = item {
            forget_options(method);
            if method.sig.asyncness.is_some() && !boxed {
                desugar(method);
            }
        }
    }
    item.into_token_stream()
}

/// Takes out the attributes that are meant for this crate.
fn forget_options(method: &mut TraitItemFn) {
    method
        .attrs
        .retain(|attr| !attr.path().is_ident("rpc") && !is_hidden(attr, "rpc"));
    for input in &mut method.sig.inputs {
        if let FnArg::Typed(input) = input {
            input.attrs.retain(|attr| !attr.path().is_ident("serde"));
        }
    }
}

/// Makes of an `async fn` one that says that its future is `Send`; an `async fn` implements it.
fn desugar(method: &mut TraitItemFn) {
    let sig = &mut method.sig;
    sig.asyncness = None;
    let (span, ty) = match &sig.output {
        ReturnType::Default => (sig.ident.span(), quote!(())),
        // An implementation whose future is not `Send` is told so at this type.
        ReturnType::Type(_, ty) => (ty.span(), ty.to_token_stream()),
    };
    sig.output = parse_quote_spanned! {span=>
        -> impl ::core::future::Future<Output = #ty> + ::core::marker::Send
    };
    if let Some(body) = &mut method.default {
        let statements = &body.stmts;
        *body = parse_quote!({ async move { #(#statements)* } });
    }
}
