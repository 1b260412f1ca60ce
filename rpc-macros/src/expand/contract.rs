//! The trait itself: as the user wrote it, but with futures that are `Send`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{FnArg, ItemTrait, ReturnType, TraitItem, TraitItemFn, parse_quote, parse_quote_spanned};

use crate::model::{is_async_trait, is_hidden, is_text};

pub(super) fn expand(item: &ItemTrait) -> TokenStream {
    let mut item = item.clone();
    item.attrs.retain(|attr| !attr.path().is_ident("rpc"));
    // If `async_trait` has yet to box the futures, it does so in the implementations too, so the
    // signatures stay.
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
    // clippy counts types in the signature of a future that it does not count in an `async fn`.
    quote!(#[allow(clippy::type_complexity)] #item)
}

/// Removes the attributes that are meant for this crate.
fn forget_options(method: &mut TraitItemFn) {
    method
        .attrs
        .retain(|attr| !attr.path().is_ident("rpc") && !is_hidden(attr, "rpc"));
    for input in &mut method.sig.inputs {
        if let FnArg::Typed(input) = input {
            let is_ours = |attr: &_| is_text(attr) || attr.path().is_ident("serde");
            input.attrs.retain(|attr| !is_ours(attr));
        }
    }
}

/// Turns an `async fn` into a `fn` whose future is declared `Send`. An `async fn` can implement it.
fn desugar(method: &mut TraitItemFn) {
    let sig = &mut method.sig;
    sig.asyncness = None;
    let (span, ty) = match &sig.output {
        ReturnType::Default => (sig.ident.span(), quote!(())),
        // If an implementation's future is not `Send`, the compiler reports it at this type.
        ReturnType::Type(_, ty) => (ty.span(), ty.to_token_stream()),
    };
    sig.output = parse_quote_spanned! {span=>
        -> impl ::core::future::Future<Output = #ty> + ::core::marker::Send
    };
    if let Some(body) = &mut method.default {
        // The span of the whole body, marked as code of a macro, which clippy does not lint.
        let span = Span::mixed_site().located_at(body.brace_token.span.join());
        *body = parse_quote_spanned!(span=> { async move #body });
    }
}
