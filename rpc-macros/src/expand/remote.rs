//! The client as an implementation of the trait, where each method has an error that a failed call can
//! become.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, ItemTrait, TypeParamBound};

use super::{client, generics, place_of};
use crate::model::{Arg, Method, Returns, Service, allowances, conditions, is_conditional};

/// Nothing, if a method has no error at all.
pub(super) fn expand(service: &Service<'_>) -> Option<TokenStream> {
    let failures: Option<Vec<_>> = (service.methods.iter())
        .map(|method| Failure::of(service, &method.returns))
        .collect();
    let failures = failures?;
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
    for (index, (method, mut failure)) in service.methods.iter().zip(failures).enumerate() {
        if is_conditional(method.attrs) {
            // A bound cannot have a condition, a type alias can.
            let alias = format_ident!("__Error{index}");
            aliases.push(expand_alias(service, method, &alias, &failure));
            failure.ty = quote!(#alias<#(#names),*>);
        }
        distinct.insert(failure.ty.to_string(), failure);
    }
    let bounds = distinct.values().map(|Failure { ty, bound, .. }| {
        quote_spanned! {Span::mixed_site()=>
            for<'__a> <#ty as __rpc::Same<'__a>>::Type: #bound
        }
    });
    let supertraits = expand_supertraits(service);
    let methods = service
        .methods
        .iter()
        .map(|method| expand_method(service, method));
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

/// What has to be able to say that a call failed.
struct Failure {
    ty: TokenStream,
    bound: TokenStream,
    /// A type that is always able to.
    fine: TokenStream,
}

impl Failure {
    /// The error of a method, or the whole type if it does not show the error; none if there is no error.
    fn of(service: &Service<'_>, returns: &Returns<'_>) -> Option<Self> {
        match returns {
            Returns::Nothing | Returns::Value(_) => None,
            Returns::Result { err, .. } => Some(Self {
                ty: quote!(#err),
                bound: quote!(__rpc::Failure),
                fine: quote!(__rpc::RpcError),
            }),
            // A bound on the whole would hide of which types it is the `Result`.
            Returns::Alias(ty) if generics::has_params_of(service.item, ty) => Some(Self {
                ty: quote!(<#ty as __rpc::ResultParts>::Err),
                bound: quote!(__rpc::Failure),
                fine: quote!(__rpc::RpcError),
            }),
            Returns::Alias(ty) => Some(Self {
                ty: quote!(#ty),
                bound: quote!(__rpc::Fallible),
                fine: quote!(::core::result::Result<(), __rpc::RpcError>),
            }),
        }
    }
}

/// The error of a method that may be absent; then it is one that is always fine.
fn expand_alias(
    service: &Service<'_>,
    method: &Method<'_>,
    alias: &Ident,
    failure: &Failure,
) -> TokenStream {
    let Failure { ty, fine, .. } = failure;
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
    // An alias has to name each of its parameters, which an error seldom does.
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

fn expand_method(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let Method { ident, args, .. } = method;
    let cfgs = conditions(method.attrs);
    let allows = allowances(method.attrs);
    let inputs = args.iter().map(|Arg { ident, ty, .. }| quote!(#ident: #ty));
    let names = args.iter().map(|arg| arg.ident);
    let output = method.returns.ty();
    let place = output.map_or_else(Span::mixed_site, place_of);
    let flatten = match &method.returns {
        Returns::Alias(ty) if !generics::has_params_of(service.item, ty) => {
            quote_spanned!(place=> __rpc::flatten_alias::<#ty>)
        }
        _ => quote_spanned!(place=> __rpc::flatten),
    };
    // The client's own, which goes before that of the trait.
    let call = quote_spanned!(Span::mixed_site()=> Self::#ident(self, #(#names),*));
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
