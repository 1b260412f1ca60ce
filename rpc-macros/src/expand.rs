//! From the tokens of a trait to those of the trait, its client and its server.

mod client;
mod contract;
mod fallback;
mod server;

#[cfg(test)]
mod golden;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Item, ItemTrait};

use crate::model::{Returns, Service};

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
        Ok(service) => {
            let contract = contract::expand(service.item);
            let client = client::expand(&service);
            let server = server::expand(&service);
            quote! { #contract #client #server }
        }
        Err(mistakes) => fallback::expand(item, &mistakes),
    }
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
            let parts = quote_spanned!(span=> <#ty as ::rpc_core::private::ResultParts>);
            (
                quote_spanned!(span=> #parts::Ok),
                Some(quote_spanned!(span=> #parts::Err)),
            )
        }
    }
}
