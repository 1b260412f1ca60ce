//! The trait itself: as it was written, but with futures that can be sent between threads.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{FnArg, ItemTrait, ReturnType, TraitItem, TraitItemFn, parse_quote, parse_quote_spanned};

use crate::model::{is_async_trait, is_hidden, is_text};

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
    // It finds types in the signatures of futures that it does not see in those of an `async fn`.
    quote!(#[allow(clippy::type_complexity)] #item)
}

/// Takes out the attributes that are meant for this crate.
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
        // Where the compiler speaks of the whole body; as code of the macro, which clippy does not judge.
        let span = Span::mixed_site().located_at(body.brace_token.span.join());
        *body = parse_quote_spanned!(span=> { async move #body });
    }
}
