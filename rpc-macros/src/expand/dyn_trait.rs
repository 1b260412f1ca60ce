//! The trait that stands for the service behind `dyn`: `DynBank` for `dyn_trait = DynBank`.
//!
//! A trait with unboxed futures cannot be used as `dyn Bank`. The generated trait has boxed
//! futures. Its methods have other names, so that if both traits are in scope, a call still means a
//! method of the service's trait.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, Lifetime, parse_quote};

use super::{generics, types};
use crate::model::{Arg, Asyncness, Method, Service, allowances, conditions, shared};

/// The trait; `None` if it was not asked for.
pub(super) fn expand_trait(service: &Service<'_>) -> Option<TokenStream> {
    let dyn_trait = service.options.dyn_trait.as_ref()?;
    let item = service.item;
    let (vis, contract) = (&item.vis, &item.ident);
    let docs = format!(
        " [`{contract}`](trait@{contract}) as a trait object: `dyn {dyn_trait}` implements it, and whatever implements \
         it can be one.\n\n A `dyn {contract}` cannot be, because of its futures. The futures of this one are boxed. It \
         needs no implementations and no calls of its own: import `{contract}`, whose methods a `dyn {dyn_trait}` has."
    );
    let attrs = shared(&item.attrs);
    let params = &item.generics.params;
    let where_clause = &item.generics.where_clause;
    let supertraits = item.supertraits.iter();
    let methods = service.methods.iter().map(|method| {
        let cfgs = conditions(method.attrs);
        let signature = expand_signature(service, method);
        quote!(#(#cfgs)* #[doc(hidden)] #signature;)
    });
    Some(quote_spanned! {Span::mixed_site()=>
        #[doc = #docs]
        #(#attrs)*
        #[allow(dead_code)]
        #vis trait #dyn_trait<#params>:
            #(#supertraits +)* ::core::marker::Send + ::core::marker::Sync + 'static
        #where_clause
        {
            #(#methods)*
        }
    })
}

/// Implements the generated trait for every implementation of the service's trait, and the
/// service's trait for the trait object.
pub(super) fn expand_impls(service: &Service<'_>) -> Option<TokenStream> {
    let dyn_trait = service.options.dyn_trait.as_ref()?;
    let contract = &service.item.ident;
    let names = generics::names(service.item);
    let bounds = generics::bounded(service.item, &service.options.krate);
    let (params, where_clause) = (&bounds.params, &bounds.where_clause);
    let erased = service.methods.iter().map(|method| {
        let (cfgs, allows) = (conditions(method.attrs), allowances(method.attrs));
        let signature = expand_signature(service, method);
        let ident = method.ident;
        let values = method.args.iter().map(|arg| arg.ident);
        let call = quote_spanned! {Span::mixed_site()=>
            <Self as #contract<#(#names),*>>::#ident(self, #(#values),*)
        };
        let body = match method.asyncness {
            Asyncness::Sync => call,
            _ => quote!(::std::boxed::Box::pin(#call)),
        };
        quote_spanned!(Span::mixed_site()=> #(#cfgs)* #(#allows)* #signature { #body })
    });
    let restored = (service.methods.iter()).map(|method| expand_restored(service, method));
    Some(quote_spanned! {Span::mixed_site()=>
        impl<__S: #contract<#(#names),*>, #params> #dyn_trait<#(#names),*> for __S #where_clause {
            #(#erased)*
        }

        impl<#params> #contract<#(#names),*> for dyn #dyn_trait<#(#names),*> #where_clause {
            #(#restored)*
        }
    })
}

/// The name of a method in the generated trait.
fn ident_of(method: &Method<'_>) -> Ident {
    format_ident!("__{}", method.ident.unraw())
}

/// The signature of a method in the generated trait. One lifetime is enough, because all borrows
/// can be shortened to it.
fn expand_signature(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let krate = &service.options.krate;
    let ident = ident_of(method);
    let output = types::output(method);
    let lifetime: Lifetime = parse_quote!('__a);
    let inputs = method.args.iter().map(|arg| {
        let ident = arg.ident;
        let ty = arg.with_lifetime(&quote!(#lifetime));
        quote!(#ident: #ty)
    });
    let returned = match method.asyncness {
        Asyncness::Future {
            is_static: true, ..
        } => {
            quote!(#krate::__private::BoxFuture<'static, #output>)
        }
        Asyncness::Async | Asyncness::Future { .. } => {
            quote!(#krate::__private::BoxFuture<#lifetime, #output>)
        }
        Asyncness::Sync => {
            let inputs = method
                .args
                .iter()
                .map(|Arg { ident, ty, .. }| quote!(#ident: #ty));
            return quote_spanned!(Span::mixed_site()=> fn #ident(&self, #(#inputs),*) -> #output);
        }
    };
    quote_spanned! {Span::mixed_site()=>
        fn #ident<#lifetime>(&#lifetime self, #(#inputs),*) -> #returned
    }
}

/// A method of the service's trait, implemented for the trait object.
fn expand_restored(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let dyn_trait = &service.options.dyn_trait;
    let names = generics::names(service.item);
    let Method { ident, args, .. } = method;
    let (cfgs, allows) = (conditions(method.attrs), allowances(method.attrs));
    let inputs = args.iter().map(|Arg { ident, ty, .. }| quote!(#ident: #ty));
    let values = args.iter().map(|arg| arg.ident);
    let erased = ident_of(method);
    let call = quote_spanned! {Span::mixed_site()=>
        <Self as #dyn_trait<#(#names),*>>::#erased(self, #(#values),*)
    };
    let output = types::output(method);
    let signature = quote_spanned!(Span::mixed_site()=> fn #ident(&self, #(#inputs),*));
    let method = match method.asyncness {
        Asyncness::Future {
            is_static: true,
            ty,
        } => quote!(#signature -> #ty { #call }),
        Asyncness::Async | Asyncness::Future { .. } => {
            quote!(async #signature -> #output { #call.await })
        }
        Asyncness::Sync => quote!(#signature -> #output { #call }),
    };
    quote!(#(#cfgs)* #(#allows)* #method)
}
