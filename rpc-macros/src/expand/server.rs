//! The server, which turns an implementation of the trait into a set of methods.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, ItemTrait};

use super::types::{place_of, returns};
use super::{args, descriptor, generics};
use crate::model::{Asyncness, Method, Service, allowances, conditions, of_type, shared};

/// The type.
pub(super) fn expand_struct(service: &Service<'_>) -> TokenStream {
    let ItemTrait { vis, ident, .. } = service.item;
    let server = ident_of(ident);
    let docs = format!(" Serves an implementation of [`{ident}`](trait@{ident}). A cheap clone.");
    let attrs = shared(&service.item.attrs);
    let implementation = implementation(service);
    let params = generics::declared(service.item);
    let phantom = generics::phantom(service.item);
    quote_spanned! {Span::mixed_site()=>
        #[doc = #docs]
        #(#attrs)*
        #[allow(dead_code)]
        #vis struct #server<#implementation: ?::core::marker::Sized, #params> {
            service: ::std::sync::Arc<#implementation>,
            types: #phantom,
        }
    }
}

/// Its implementations.
pub(super) fn expand(service: &Service<'_>) -> TokenStream {
    let ItemTrait { vis, ident, .. } = service.item;
    let krate = &service.options.krate;
    let server = ident_of(ident);
    let name = server.to_string();
    let implementation = implementation(service);
    let sized = quote!(#implementation: ?::core::marker::Sized);
    let unbound = generics::unbound(service.item);
    let names = generics::names(service.item);
    let bounds = generics::bounded(service.item, krate);
    let (bounded, where_clause) = (&bounds.params, &bounds.where_clause);
    let methods = (service.methods.iter()).map(|method| expand_method(service, method));
    let new_docs = format!(
        " A server of `service`, to be passed to [`Rpc::serve`]({}::Rpc::serve).",
        of_type(krate)
    );
    quote_spanned! {Span::mixed_site()=>
        impl<#implementation, #unbound> #server<#implementation, #(#names),*> {
            #[doc = #new_docs]
            #[must_use]
            #vis fn new(service: #implementation) -> Self {
                ::core::convert::From::from(::std::sync::Arc::new(service))
            }
        }

        impl<#sized, #unbound> ::core::convert::From<::std::sync::Arc<#implementation>>
            for #server<#implementation, #(#names),*>
        {
            fn from(service: ::std::sync::Arc<#implementation>) -> Self {
                Self { service, types: ::core::marker::PhantomData }
            }
        }

        impl<#sized, #unbound> ::core::clone::Clone for #server<#implementation, #(#names),*> {
            fn clone(&self) -> Self {
                ::core::convert::From::from(::core::clone::Clone::clone(&self.service))
            }
        }

        impl<#sized, #unbound> ::core::fmt::Debug for #server<#implementation, #(#names),*> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#name).finish_non_exhaustive()
            }
        }

        impl<__S: #ident<#(#names),*> + ?::core::marker::Sized, #bounded> __rpc::Service for #server<__S, #(#names),*>
        #where_clause
        {
            fn into_methods(self) -> ::std::vec::Vec<__rpc::Method> {
                let s = &self.service;
                ::core::convert::From::from([#(#methods),*])
            }
        }
    }
}

/// The name of the server of this trait.
pub(super) fn ident_of(service: &Ident) -> Ident {
    format_ident!("{service}Server")
}

/// The name of the type parameter for the implementation. The trait's parameters must not mention
/// it, not even in a default.
fn implementation(service: &Service<'_>) -> Ident {
    let params = &service.item.generics.params;
    let mut ident = format_ident!("S");
    while generics::mentions(quote!(#params), &ident) {
        ident = format_ident!("_{ident}");
    }
    ident
}

fn expand_method(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let contract = &service.item.ident;
    let names = generics::names(service.item);
    let params = (!names.is_empty()).then(|| quote!(::<#(#names),*>));
    let Method { ident, .. } = method;
    let cfgs = conditions(method.attrs);
    // The arguments' names appear here as well, and a lint may object to them.
    let allows = allowances(method.attrs);
    let constant = descriptor::path_of(method);
    let returns = returns(&method.returns);
    let decode = args::expand_decode(service, method);
    let (pattern, values) = args::expand_values(method);
    let call = quote_spanned! {Span::mixed_site()=>
        #contract #params::#ident(&*s, #(#values),*)
    };
    let wait = match method.asyncness {
        Asyncness::Async | Asyncness::Future { .. } => Some(quote!(.await)),
        Asyncness::Sync => None,
    };
    // The user's type is the place of the error if the method returns no future, or a future of
    // another type.
    let place = (method.returns.ty()).map_or_else(Span::mixed_site, place_of);
    let respond = quote_spanned!(place=> __rpc::respond);
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #(#allows)*
        __rpc::method(s, &#constant, #returns)
            #decode
            .run(|s, #pattern, encode| #respond(encode, async move { #call #wait }))
    }
}
