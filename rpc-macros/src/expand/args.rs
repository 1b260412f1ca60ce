//! The arguments of a method: one by one, or as the fields of a struct if one has a serde
//! attribute.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::generics;
use super::types::{codec, place_of, probe};
use crate::model::{Arg, Method, Passing, Service, allowances};

/// The arguments of a call, taken from variables with the same names.
pub(super) fn expand_call(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let args = &method.args;
    if has_fields(method) {
        let fields = expand_fields(service, method, true);
        let names = args.iter().map(|arg| arg.ident);
        let params = generics::names(service.item);
        let params = (!params.is_empty()).then(|| quote!(::<#(#params),*>));
        let types = has_types(service).then(|| quote!(__types: ::core::marker::PhantomData,));
        return quote!(.fields({
            #fields
            __Args #params { #types #(#names),* }
        }));
    }
    let values = args.iter().map(|arg| {
        let (codec, ident) = (expand_codec(arg), arg.ident);
        quote_spanned!(place_of(arg.ty)=> #codec.of(&#ident))
    });
    quote!(.args([#(#values),*]))
}

/// How the server decodes the arguments; `None` if there are none.
pub(super) fn expand_decode(service: &Service<'_>, method: &Method<'_>) -> Option<TokenStream> {
    if has_fields(method) {
        let fields = expand_fields(service, method, false);
        let params = generics::names(service.item);
        let params = (!params.is_empty()).then(|| quote!(<#(#params),*>));
        let flattening = expand_flattened(method);
        return Some(quote!(.args({
            #fields
            __rpc::fields::<__Args #params>() #flattening
        })));
    }
    if method.args.is_empty() {
        return None;
    }
    let list = method.args.iter().rev();
    let list = list.fold(quote!(()), |rest, arg| {
        let codec = expand_codec(arg);
        quote!((#codec, #rest))
    });
    Some(quote!(.args(#list)))
}

/// The names that flattened arguments take, unless a name of the others is not known here.
fn expand_flattened(method: &Method<'_>) -> Option<TokenStream> {
    let flattened: Vec<_> = (method.args.iter())
        .filter(|arg| arg.has_serde("flatten"))
        .collect();
    let is_unknown = |arg: &Arg<'_>| arg.has_serde("alias");
    if flattened.is_empty() || method.args.iter().any(is_unknown) {
        return None;
    }
    let names = flattened.iter().map(|arg| {
        // What a function of the user's takes is not to be seen from the type.
        if arg.has_serde("with") || arg.has_serde("deserialize_with") {
            return quote!(::core::option::Option::None);
        }
        let ty = arg.owned();
        quote_spanned!(place_of(arg.ty)=> __rpc::names_of::<#ty>())
    });
    Some(quote!(.flattening([#(#names),*])))
}

/// How an argument travels.
fn expand_codec(arg: &Arg<'_>) -> TokenStream {
    match arg.passing {
        Passing::Owned | Passing::Cow(_) => codec("owned", arg.ty),
        // The type is named, because the compiler cannot infer the borrowed type from the owned
        // one.
        Passing::Lent(ty) => quote_spanned!(place_of(ty)=> __rpc::lent::<#ty>()),
        Passing::LentOption(ty) => quote_spanned!(place_of(ty)=> __rpc::lent_option::<#ty>()),
    }
}

/// The pattern that the decoded arguments are bound to, and the expressions that the method is
/// passed.
pub(super) fn expand_values(method: &Method<'_>) -> (TokenStream, Vec<TokenStream>) {
    let fields = quote_spanned!(Span::mixed_site()=> args);
    let has_fields = has_fields(method);
    let values = method.args.iter().map(|arg| {
        let ident = arg.ident;
        let place = has_fields.then(|| quote!(#fields.));
        arg.pass(quote!(#place #ident))
    });
    let values = values.collect();
    if has_fields {
        return (fields, values);
    }
    let pattern = method.args.iter().rev().fold(quote!(()), |rest, arg| {
        let ident = arg.ident;
        quote!((#ident, #rest))
    });
    (pattern, values)
}

/// Whether an argument has a serde attribute, so that the arguments travel as the fields of a
/// struct.
fn has_fields(method: &Method<'_>) -> bool {
    method.args.iter().any(|arg| !arg.serde.is_empty())
}

fn has_types(service: &Service<'_>) -> bool {
    service.item.generics.type_params().next().is_some()
}

/// The struct of the arguments that the caller encodes or the server decodes.
fn expand_fields(service: &Service<'_>, method: &Method<'_>, encode: bool) -> TokenStream {
    let krate = &service.options.krate;
    let bounds = generics::bounded(service.item, krate);
    let (params, where_clause) = (&bounds.params, &bounds.where_clause);
    let lifetime = (encode && method.args.iter().any(Arg::has_lifetime)).then(|| quote!('__lent,));
    let derive = if encode {
        quote!(Serialize)
    } else {
        quote!(Deserialize)
    };
    // All unknown fields belong to the flattened argument.
    let flattens = method.args.iter().any(|arg| arg.has_serde("flatten"));
    let strict = (!encode && !flattens).then(|| quote!(, deny_unknown_fields));
    // serde would infer bounds, but the parameters already have all that are needed.
    let bound = has_types(service).then(|| quote!(, bound = ""));
    let types = has_types(service).then(|| {
        let phantom = generics::phantom(service.item);
        quote!(#[serde(skip)] __types: #phantom,)
    });
    let case = method.case.map(|case| {
        let case = case.name();
        quote!(, rename_all = #case)
    });
    let allows = allowances(method.attrs);
    let fields = method.args.iter().map(|arg| {
        let Arg { ident, serde, .. } = arg;
        let ty = if encode {
            arg.with_lifetime(&quote!('__lent))
        } else {
            arg.owned()
        };
        let skip = (encode && arg.leaves_out_none()).then(|| {
            let path = probe(arg.ty).to_string() + "::left_out";
            quote!(#[serde(skip_serializing_if = #path)])
        });
        quote!(#(#serde)* #skip #ident: #ty)
    });
    quote_spanned! {Span::mixed_site()=>
        #[derive(__rpc::serde::#derive)]
        #[serde(crate = "__rpc::serde" #strict #bound #case)]
        #[allow(dead_code)]
        #(#allows)*
        struct __Args<#lifetime #params> #where_clause {
            #types
            #(#fields,)*
        }
    }
}
