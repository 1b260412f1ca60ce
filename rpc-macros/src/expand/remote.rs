//! The client as an implementation of the trait, where each method has an error that a failed call can
//! become.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{ItemTrait, TypeParamBound};

use super::{client, error_type, generics};
use crate::model::{Arg, Method, Service, allowances, conditions, is_conditional};

/// Nothing, if a method has no error at all.
pub(super) fn expand(service: &Service<'_>) -> Option<TokenStream> {
    let errors: Option<Vec<_>> = service
        .methods
        .iter()
        .map(|method| error_type(&method.returns))
        .collect();
    let errors = errors?;
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
    for (index, (method, error)) in service.methods.iter().zip(errors).enumerate() {
        if is_conditional(method.attrs) {
            // A bound cannot have a condition, a type alias can.
            let alias = format_ident!("__Error{index}");
            aliases.push(expand_alias(method, &alias, &error));
            distinct.insert(alias.to_string(), alias.into_token_stream());
        } else {
            distinct.insert(error.to_string(), error);
        }
    }
    let errors = distinct.values();
    let supertraits = expand_supertraits(service);
    let methods = service.methods.iter().map(|method| expand_method(method));
    Some(quote_spanned! {Span::mixed_site()=>
        #(#aliases)*

        impl #params #ident<#(#names),*> for #client<#(#names),*>
        where
            #(#predicates,)*
            #supertraits
            #(for<'__a> <#errors as __rpc::Same<'__a>>::Type:
                ::core::convert::From<__rpc::RpcError>,)*
        {
            #(#methods)*
        }
    })
}

/// The error of a method that may be absent; then it is one that is always fine.
fn expand_alias(method: &Method<'_>, alias: &syn::Ident, error: &TokenStream) -> TokenStream {
    let cfgs: Vec<_> = conditions(method.attrs).collect();
    let conditions = cfgs.iter().filter_map(|cfg| cfg.meta.require_list().ok());
    let conditions = conditions.map(|list| &list.tokens);
    quote! {
        #(#cfgs)*
        type #alias = #error;
        #[cfg(not(all(#(#conditions),*)))]
        type #alias = __rpc::RpcError;
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
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #(#allows)*
        async fn #ident(&self, #(#inputs),*) -> #output {
            __rpc::flatten(Self::#ident(self, #(#names),*)).await
        }
    }
}
