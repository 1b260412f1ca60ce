//! An implementation of the trait whose bound never holds. It exists for the compiler's message if
//! the client is used as an implementation.
//!
//! A `#[diagnostic::..]` attribute on the trait itself would be less code. But it would be a path
//! in the user's scope, which may have a `mod diagnostic`. So all custom messages are on traits of
//! rpc-core.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::{client, generics, types};
use crate::model::{Arg, Asyncness, Method, Returns, Service, allowances, conditions};

/// `None` if each method is async and returns an error, which can be made from a failed call.
pub(super) fn expand(service: &Service<'_>) -> Option<TokenStream> {
    let (culprit, bound) = service.methods.iter().find_map(|method| {
        let is_silent = matches!(method.returns, Returns::Nothing | Returns::Value(_));
        match method.asyncness {
            Asyncness::Sync => Some((method.ident, quote!(Waits))),
            _ if is_silent => Some((method.ident, quote!(Fails))),
            _ => None,
        }
    })?;
    let contract = &service.item.ident;
    let client = client::ident_of(contract);
    let names = generics::names(service.item);
    let bounds = generics::bounded(service.item, &service.options.krate);
    let (params, _, where_clause) = bounds.split_for_impl();
    let predicates = where_clause.iter().flat_map(|clause| &clause.predicates);
    let this = quote!(for<'__a> <Self as __rpc::Same<'__a>>::Type);
    let supertraits = generics::supertraits(service.item, &this);
    let methods = service.methods.iter().filter(|method| !method.has_body);
    // The compiler's message shows this name. It is inside a module, because a method and a type of
    // the user may share a name.
    let module = format_ident!("__culprit");
    let never = quote!(<#module::#culprit as __rpc::#bound<Self>>::never());
    let methods = methods.map(|method| expand_method(method, &never));
    Some(quote_spanned! {Span::mixed_site()=>
        mod #module {
            pub(super) enum #culprit {}
        }

        #[doc(hidden)]
        impl #params #contract<#(#names),*> for #client<#(#names),*>
        where
            #(#predicates,)*
            #supertraits
            for<'__a> <#module::#culprit as __rpc::Same<'__a>>::Type: __rpc::#bound<Self>,
        {
            #(#methods)*
        }
    })
}

fn expand_method(method: &Method<'_>, never: &TokenStream) -> TokenStream {
    let Method { ident, args, .. } = method;
    let (cfgs, allows) = (conditions(method.attrs), allowances(method.attrs));
    let inputs = args.iter().map(|Arg { ty, .. }| quote!(_: #ty));
    let output = types::output(method);
    let (returned, body) = match method.asyncness {
        Asyncness::Sync => (output, never.clone()),
        Asyncness::Future { ty, .. } => (quote!(#ty), quote!(::core::future::pending())),
        Asyncness::Async => (
            quote!(impl ::core::future::Future<Output = #output> + ::core::marker::Send),
            quote!(::core::future::pending()),
        ),
    };
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #(#allows)*
        fn #ident(&self, #(#inputs),*) -> #returned { #body }
    }
}
