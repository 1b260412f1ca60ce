//! The server: what makes a set of methods of an implementation of the trait.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, ItemTrait};

use super::types_of;
use crate::model::{Arg, Method, Service};

pub(super) fn expand(service: &Service<'_>) -> TokenStream {
    let ItemTrait { vis, ident, .. } = service.item;
    let server = ident_of(ident);
    let name = server.to_string();
    let docs = format!(" Serves an implementation of [`{ident}`](trait@{ident}).");
    let methods = service
        .methods
        .iter()
        .map(|method| expand_method(ident, method));
    let allow = service
        .is_deprecated()
        .then(|| quote!(#[allow(deprecated)]));
    quote_spanned! {Span::mixed_site()=>
        #[doc = #docs]
        #[allow(dead_code)]
        #vis struct #server<S> {
            service: ::std::sync::Arc<S>,
        }

        #[allow(dead_code)]
        impl<S> #server<S> {
            #[doc = " A server of `service`, to be passed to [`Rpc::serve`](::rpc_core::Rpc::serve)."]
            #[must_use]
            #vis fn new(service: S) -> Self {
                Self { service: ::std::sync::Arc::new(service) }
            }
        }

        impl<S> ::core::fmt::Debug for #server<S> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#name).finish_non_exhaustive()
            }
        }

        #allow
        impl<__S: #ident> ::rpc_core::Service for #server<__S> {
            fn into_methods(self) -> ::std::vec::Vec<::rpc_core::Method> {
                ::core::convert::From::from([#(#methods),*])
            }
        }
    }
}

/// The name of the server of this trait.
pub(super) fn ident_of(service: &Ident) -> Ident {
    format_ident!("{service}Server")
}

fn expand_method(service: &Ident, method: &Method<'_>) -> TokenStream {
    let Method {
        ident, name, args, ..
    } = method;
    let cfgs = method.attrs_named(&["cfg"]);
    let allows = method.attrs_named(&["allow"]);
    let names: Vec<_> = args.iter().map(|Arg { ident, .. }| ident).collect();
    let types = args.iter().map(|Arg { ty, .. }| ty);
    let serve = match types_of(&method.returns) {
        (ok, None) => quote!(::rpc_core::private::method::<_, #ok, _, _>),
        (ok, Some(err)) => quote!(::rpc_core::private::method_fallible::<_, #ok, #err, _, _>),
    };
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        {
            #[derive(::rpc_core::private::serde::Deserialize)]
            #[serde(crate = "::rpc_core::private::serde", deny_unknown_fields)]
            #(#allows)*
            struct __Args {
                #(#names: #types,)*
            }
            let service = ::core::clone::Clone::clone(&self.service);
            #serve(#name, move |args: __Args| {
                let service = ::core::clone::Clone::clone(&service);
                async move { <__S as #service>::#ident(&service, #(args.#names),*).await }
            })
        }
    }
}
