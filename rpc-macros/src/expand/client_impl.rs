//! The client as an implementation of the trait, if each method's error can be made from a failed
//! call.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, ItemTrait};

use super::types::place_of;
use super::{client, generics};
use crate::model::{
    Arg, Asyncness, Method, Returns, Service, allowances, conditions, is_conditional,
};

/// `None` if a method returns no error or is not async.
pub(super) fn expand(service: &Service<'_>) -> Option<TokenStream> {
    let failures: Option<Vec<_>> = (service.methods.iter())
        .map(|method| Failure::of(service, method))
        .collect();
    let failures = failures?;
    let krate = &service.options.krate;
    let ItemTrait { ident, .. } = service.item;
    let client = client::ident_of(ident);
    let names = generics::names(service.item);
    let bounds = generics::bounded(service.item, krate);
    let (params, _, where_clause) = bounds.split_for_impl();
    let predicates = where_clause
        .map(|clause| &clause.predicates)
        .into_iter()
        .flatten();

    let mut aliases = Vec::new();
    let mut distinct = BTreeMap::new();
    for (index, (method, mut failure)) in service.methods.iter().zip(failures).enumerate() {
        if is_conditional(method.attrs) {
            // A bound cannot have a `cfg`, but a type alias can.
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
    // The client has the supertraits only if the user implements them for the client.
    let supertraits = generics::supertraits(
        service.item,
        &quote!(for<'__a> <Self as __rpc::Same<'__a>>::Type),
    );
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

/// The type that has to be able to say that a call failed.
struct Failure {
    ty: TokenStream,
    bound: TokenStream,
    /// A type that always satisfies the bound.
    fine: TokenStream,
}

impl Failure {
    /// The error of a method, or the whole type if that does not show the error. `None` if the
    /// method returns no error or is not async.
    fn of(service: &Service<'_>, method: &Method<'_>) -> Option<Self> {
        if matches!(method.asyncness, Asyncness::Sync) {
            return None;
        }
        match &method.returns {
            Returns::Nothing | Returns::Value(_) => None,
            Returns::Result { err, .. } => Some(Self {
                ty: quote!(#err),
                bound: quote!(__rpc::Failure),
                fine: quote!(__rpc::RpcError),
            }),
            // A bound on the whole type would hide which types the `Result` has.
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

/// An alias of the error of a conditional method. If the method is absent, it is a type that always
/// satisfies the bound.
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
    // An alias has to use each of its parameters, but an error type seldom does.
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
    // The client's inherent method, which takes precedence over the trait's.
    let call = quote_spanned!(Span::mixed_site()=> Self::#ident(self, #(#names),*));
    let body = match method.asyncness {
        Asyncness::Future { ty: future, .. } => {
            quote_spanned!(Span::mixed_site()=> fn #ident(&self, #(#inputs),*) -> #future { #flatten(#call) })
        }
        _ => {
            quote_spanned!(Span::mixed_site()=> async fn #ident(&self, #(#inputs),*) -> #output { #flatten(#call).await })
        }
    };
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        #(#allows)*
        #body
    }
}
