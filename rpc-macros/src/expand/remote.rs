//! The client as an implementation of the trait, where each method has an error that a failed call can
//! become.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Ident, ItemTrait, TypeParamBound};

use super::{client, generics, place_of};
use crate::model::{Arg, Method, Returns, Service, allowances, conditions, is_conditional};

/// Nothing, if a method has no error at all.
pub(super) fn expand(service: &Service<'_>) -> Option<TokenStream> {
    let all_fail = (service.methods.iter())
        .all(|method| matches!(method.returns, Returns::Result { .. } | Returns::Alias(_)));
    if !all_fail {
        return None;
    }
    let krate = &service.options.krate;
    let ItemTrait { ident, .. } = service.item;
    let client = client::ident_of(ident);
    let names = generics::names(service.item);
    let bounds = generics::travelling(service.item, krate);
    let (params, _, where_clause) = bounds.split_for_impl();
    let predicates = where_clause
        .map(|clause| &clause.predicates)
        .into_iter()
        .flatten();

    let mut aliases = Vec::new();
    let mut distinct = BTreeMap::new();
    for (index, method) in service.methods.iter().enumerate() {
        let (ty, bound) = match method.returns {
            Returns::Result { err, .. } if !is_conditional(method.attrs) => {
                (quote!(#err), quote!(__rpc::Failure))
            }
            _ => {
                let mut ty = method.returns.ty().to_token_stream();
                if is_conditional(method.attrs) {
                    // A bound cannot have a condition, a type alias can.
                    let alias = format_ident!("__Result{index}");
                    aliases.push(expand_alias(service, method, &alias));
                    ty = quote!(#alias<#(#names),*>);
                }
                let parts = quote!(<#ty as __rpc::ResultParts>);
                let bound = quote!(__rpc::Fallible<#parts::Ok, #parts::Err>);
                (ty, bound)
            }
        };
        distinct.insert(ty.to_string(), (ty, bound));
    }
    let bounds = distinct.values().map(|(ty, bound)| {
        quote_spanned! {Span::mixed_site()=>
            for<'__a> <#ty as __rpc::Same<'__a>>::Type: #bound
        }
    });
    let supertraits = expand_supertraits(service);
    let methods = service.methods.iter().map(|method| expand_method(method));
    Some(quote_spanned! {Span::mixed_site()=>
        #(#aliases)*

        impl #params #ident<#(#names),*> for #client<#(#names),*>
        where
            #(#predicates,)*
            #supertraits
            #(#bounds,)*
        {
            #(#methods)*
        }
    })
}

/// What a method returns that may be absent; then it is something that is always fine.
fn expand_alias(service: &Service<'_>, method: &Method<'_>, alias: &Ident) -> TokenStream {
    let ty = method.returns.ty();
    let fine = quote!(::core::result::Result<(), __rpc::RpcError>);
    let cfgs: Vec<_> = conditions(method.attrs).collect();
    let conditions = cfgs.iter().filter_map(|cfg| cfg.meta.require_list().ok());
    let conditions = conditions.map(|list| &list.tokens);
    let allows: Vec<_> = allowances(method.attrs).collect();
    if service.item.generics.params.is_empty() {
        return quote! {
            #(#cfgs)*
            #(#allows)*
            type #alias = #ty;
            #[cfg(not(all(#(#conditions),*)))]
            type #alias = #fine;
        };
    }
    // An alias has to name each of its parameters, which a result seldom does.
    let params = generics::unbound(service.item);
    let phantom = generics::phantom(service.item);
    quote! {
        #(#cfgs)*
        #(#allows)*
        type #alias<#params> = <#ty as __rpc::Beside<#phantom>>::Type;
        #[cfg(not(all(#(#conditions),*)))]
        type #alias<#params> = <#fine as __rpc::Beside<#phantom>>::Type;
    }
}

/// The client has what the trait builds on only if somebody implements it for the client.
fn expand_supertraits(service: &Service<'_>) -> Option<TokenStream> {
    let is_trait = |bound: &&TypeParamBound| matches!(bound, TypeParamBound::Trait(_));
    let mut traits = service.item.supertraits.iter().filter(is_trait).peekable();
    traits.peek()?;
    Some(quote!(for<'__a> <Self as __rpc::Same<'__a>>::Type: #(#traits)+*,))
}

fn expand_method(method: &Method<'_>) -> TokenStream {
    let Method { ident, args, .. } = method;
    let cfgs = conditions(method.attrs);
    let allows = allowances(method.attrs);
    let inputs = args.iter().map(|Arg { ident, ty, .. }| quote!(#ident: #ty));
    let names = args.iter().map(|arg| arg.ident);
    let output = method.returns.ty();
    let place = output.map_or_else(Span::mixed_site, place_of);
    let flatten = quote_spanned!(place=> __rpc::flatten);
    // What is called has the same name, and goes before that of the trait.
    let call = quote_spanned!(Span::mixed_site()=> self.#ident(#(#names),*));
    let body = match method.future {
        Some(future) => {
            quote_spanned!(Span::mixed_site()=> fn #ident(&self, #(#inputs),*) -> #future { #flatten(#call) })
        }
        None => {
            quote_spanned!(Span::mixed_site()=> async fn #ident(&self, #(#inputs),*) -> #output { #flatten(#call).await })
        }
    };
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #(#allows)*
        #body
    }
}
