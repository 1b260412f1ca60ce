//! The client: a handle with a method for each method of the trait.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, Ident, ItemTrait, Meta, Visibility};

use super::types_of;
use crate::model::{Arg, Method, Returns, Service};

pub(super) fn expand(service: &Service<'_>) -> TokenStream {
    let ItemTrait { vis, ident, .. } = service.item;
    let client = ident_of(ident);
    let docs =
        format!(" Calls the methods of [`{ident}`](trait@{ident}) on a server. A cheap clone.");
    let methods = service
        .methods
        .iter()
        .map(|method| expand_method(vis, method));
    quote_spanned! {Span::mixed_site()=>
        #[doc = #docs]
        #[allow(dead_code)]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #client {
            rpc: ::rpc_core::Rpc,
        }

        #[allow(dead_code, clippy::too_many_arguments)]
        impl #client {
            #[doc = " A client that calls through `rpc`."]
            #[must_use]
            #vis fn new(rpc: &::rpc_core::Rpc) -> Self {
                Self { rpc: ::core::clone::Clone::clone(rpc) }
            }

            #(#methods)*
        }
    }
}

/// The name of the client of this trait.
pub(super) fn ident_of(service: &Ident) -> Ident {
    format_ident!("{service}Client")
}

fn expand_method(vis: &Visibility, method: &Method<'_>) -> TokenStream {
    let Method {
        ident, name, args, ..
    } = method;
    let allows = method.attrs_named(&["allow"]);
    let attrs = method.attrs_named(&["cfg", "cfg_attr", "doc", "deprecated", "allow"]);
    let docs = (!method.attrs.iter().any(is_text)).then(|| {
        let docs = format!(" Calls `{name}`.");
        quote!(#[doc = #docs])
    });
    let (call, send) = expand_call(&method.returns);
    let names: Vec<_> = args.iter().map(|Arg { ident, .. }| ident).collect();
    let types: Vec<_> = args.iter().map(|Arg { ty, .. }| ty).collect();
    quote_spanned! {Span::mixed_site()=>
        #docs
        #(#attrs)*
        #vis fn #ident(&self, #(#names: #types),*) -> #call {
            #[derive(::rpc_core::private::serde::Serialize)]
            #[serde(crate = "::rpc_core::private::serde")]
            #(#allows)*
            struct __Args {
                #(#names: #types,)*
            }
            #send(&self.rpc, #name, &__Args { #(#names),* })
        }
    }
}

/// The type of the call, and the function that makes it.
fn expand_call(returns: &Returns<'_>) -> (TokenStream, TokenStream) {
    match types_of(returns) {
        (ok, None) => (
            quote!(::rpc_core::Call<#ok>),
            quote!(::rpc_core::private::call::<_, #ok>),
        ),
        (ok, Some(err)) => (
            quote!(::rpc_core::Call<#ok, ::rpc_core::CallError<#err>>),
            quote!(::rpc_core::private::call_fallible::<_, #ok, #err>),
        ),
    }
}

/// Whether the attribute is documentation in words, not one such as `#[doc(hidden)]`.
fn is_text(attr: &Attribute) -> bool {
    attr.path().is_ident("doc") && matches!(attr.meta, Meta::NameValue(_))
}
