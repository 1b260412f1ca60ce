//! Implementations of the trait for pointers to an implementation: for `Arc<S>`, and for `Box<S>`
//! if there may be trait objects.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::{generics, types};
use crate::model::{Arg, Asyncness, Method, Service, allowances, conditions};

pub(super) fn expand(service: &Service<'_>) -> TokenStream {
    let arc = expand_impl(service, &quote!(::std::sync::Arc));
    let has_objects = service.options.dyn_trait.is_some();
    let boxed = has_objects.then(|| expand_impl(service, &quote!(::std::boxed::Box)));
    quote!(#arc #boxed)
}

fn expand_impl(service: &Service<'_>, pointer: &TokenStream) -> TokenStream {
    let contract = &service.item.ident;
    let names = generics::names(service.item);
    let generics = generics::plain(service.item);
    let params = &generics.params;
    let predicates = generics
        .where_clause
        .iter()
        .flat_map(|clause| &clause.predicates);
    // A pointer has the supertraits only if they are implemented for it.
    let supertraits = generics::supertraits(service.item, &quote!(Self));
    let methods = (service.methods.iter()).map(|method| expand_method(service, method));
    quote_spanned! {Span::mixed_site()=>
        impl<__S: #contract<#(#names),*> + ?::core::marker::Sized, #params> #contract<#(#names),*>
            for #pointer<__S>
        where
            #(#predicates,)*
            #supertraits
        {
            #(#methods)*
        }
    }
}

fn expand_method(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let contract = &service.item.ident;
    let names = generics::names(service.item);
    let Method { ident, args, .. } = method;
    let cfgs = conditions(method.attrs);
    let allows = allowances(method.attrs);
    let inputs = args.iter().map(|Arg { ident, ty, .. }| quote!(#ident: #ty));
    let values = args.iter().map(|arg| arg.ident);
    let output = types::output(method);
    let returned = match method.asyncness {
        Asyncness::Async => {
            quote!(impl ::core::future::Future<Output = #output> + ::core::marker::Send)
        }
        Asyncness::Future { ty, .. } => quote!(#ty),
        Asyncness::Sync => output,
    };
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #(#allows)*
        fn #ident(&self, #(#inputs),*) -> #returned {
            <__S as #contract<#(#names),*>>::#ident(&**self, #(#values),*)
        }
    }
}
