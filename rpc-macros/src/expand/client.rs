//! The client: a handle with a method for each method of the trait.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, ItemTrait};

use super::types::{call_type, returns};
use super::{args, descriptor, generics};
use crate::model::{Arg, Method, Service, shared, summary_of};

/// The type.
pub(super) fn expand_struct(service: &Service<'_>) -> TokenStream {
    let ItemTrait { vis, ident, .. } = service.item;
    let krate = &service.options.krate;
    let client = ident_of(ident);
    let docs =
        format!(" Calls the methods of [`{ident}`](trait@{ident}) on a server. A cheap clone.");
    let attrs = shared(&service.item.attrs);
    let params = generics::declared(service.item);
    let phantom = generics::phantom(service.item);
    quote_spanned! {Span::mixed_site()=>
        #[doc = #docs]
        #(#attrs)*
        #[allow(dead_code)]
        #vis struct #client<#params> {
            rpc: #krate::Rpc,
            types: #phantom,
        }
    }
}

/// Its implementations.
pub(super) fn expand(service: &Service<'_>) -> TokenStream {
    let ItemTrait { vis, ident, .. } = service.item;
    let krate = &service.options.krate;
    let client = ident_of(ident);
    let name = client.to_string();
    let unbound = generics::unbound(service.item);
    let names = generics::names(service.item);
    let bounds = generics::bounded(service.item, krate);
    let (params, _, where_clause) = bounds.split_for_impl();
    let descriptor = descriptor::expand_service(service);
    let docs = format!(" What [`{ident}`](trait@{ident}) declares, as data.");
    // A method of the trait takes precedence over the constant or function with the same name.
    let constant = service.unless_method("DESCRIPTOR").map(|cfgs| {
        quote! {
            #[doc = #docs]
            #cfgs
            #vis const DESCRIPTOR: __rpc::ServiceDescriptor = #descriptor;
        }
    });
    let new = service.unless_method("new").map(|cfgs| {
        quote_spanned! {Span::mixed_site()=>
            #[doc = " A client that calls through `rpc`."]
            #cfgs
            #[must_use]
            #vis fn new(rpc: &__rpc::Rpc) -> Self {
                ::core::convert::From::from(rpc)
            }
        }
    });
    let methods = service
        .methods
        .iter()
        .map(|method| expand_method(service, method));
    quote_spanned! {Span::mixed_site()=>
        // Without the bounds. With them, the compiler would report that a client whose types cannot
        // travel has no `new`.
        impl<#unbound> #client<#(#names),*> {
            #constant
            #new
        }

        impl #params #client<#(#names),*> #where_clause {
            #(#methods)*
        }

        impl<#unbound> ::core::convert::From<&__rpc::Rpc> for #client<#(#names),*> {
            fn from(rpc: &__rpc::Rpc) -> Self {
                Self { rpc: ::core::clone::Clone::clone(rpc), types: ::core::marker::PhantomData }
            }
        }

        impl<#unbound> ::core::clone::Clone for #client<#(#names),*> {
            fn clone(&self) -> Self {
                ::core::convert::From::from(&self.rpc)
            }
        }

        impl<#unbound> ::core::fmt::Debug for #client<#(#names),*> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#name).field("rpc", &self.rpc).finish_non_exhaustive()
            }
        }
    }
}

/// The name of the client of this trait.
pub(super) fn ident_of(service: &Ident) -> Ident {
    format_ident!("{service}Client")
}

fn expand_method(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let vis = &service.item.vis;
    let Method { ident, args, .. } = method;
    let attrs = shared(method.attrs);
    let docs = expand_docs(service, method);
    let constant = descriptor::path_of(method);
    let call = call_type(&method.returns);
    let returns = returns(&method.returns);
    let inputs = args.iter().map(|Arg { ident, ty, .. }| quote!(#ident: #ty));
    let args = args::expand_call(service, method);
    quote_spanned! {Span::mixed_site()=>
        #docs
        #(#attrs)*
        #vis fn #ident(&self, #(#inputs),*) -> #call {
            __rpc::call(&self.rpc, &#constant, #returns)#args
        }
    }
}

/// A summary of the method, and a link to its documentation.
fn expand_docs(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let contract = &service.item.ident;
    let Method { ident, name, .. } = method;
    let ident = ident.unraw();
    let summary = summary_of(method.attrs).map(|summary| {
        let docs = format!(" {}", summary.replace('\n', "\n "));
        quote!(#[doc = #docs] #[doc = ""])
    });
    let docs = format!(" Calls `{name}`: see [`{contract}::{ident}`](method@{contract}::{ident}).");
    quote!(#summary #[doc = #docs])
}
