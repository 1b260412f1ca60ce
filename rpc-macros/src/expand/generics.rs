//! The generic parameters of a trait, as its client and its server have them.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    GenericParam, Generics, Ident, ItemTrait, Path, Type, TypeParam, TypeParamBound, parse_quote,
};

/// The parameters with their defaults, as a type declares them. Lifetimes are a mistake and are
/// left out.
pub(super) fn declared(item: &ItemTrait) -> TokenStream {
    let params = item.generics.params.iter().filter_map(|param| {
        let mut param = param.clone();
        match &mut param {
            GenericParam::Type(param) => {
                // The type needs no bounds, because it only holds a handle.
                param.bounds.clear();
                param.colon_token = None;
                param.attrs.clear();
            }
            GenericParam::Const(_) => {}
            GenericParam::Lifetime(_) => return None,
        }
        Some(param)
    });
    quote!(#(#params),*)
}

/// The same without defaults, as the start of an `impl` for that type.
pub(super) fn unbound(item: &ItemTrait) -> TokenStream {
    let generics = plain(item);
    declared(&ItemTrait {
        generics,
        ..item.clone()
    })
}

/// The parameters with the trait's bounds and the bound that lets them travel.
pub(super) fn bounded(item: &ItemTrait, krate: &Path) -> Generics {
    let mut generics = plain(item);
    for param in generics.type_params_mut() {
        param.colon_token.get_or_insert_default();
        param
            .bounds
            .push(parse_quote!(#krate::__private::Parameter));
    }
    generics
}

/// The parameters with the trait's bounds only.
pub(super) fn plain(item: &ItemTrait) -> Generics {
    let mut generics = item.generics.clone();
    for param in &mut generics.params {
        match param {
            GenericParam::Type(param) => param.default = None,
            GenericParam::Const(param) => param.default = None,
            GenericParam::Lifetime(_) => {}
        }
    }
    generics
}

/// The names of the parameters.
pub(super) fn names(item: &ItemTrait) -> Vec<&Ident> {
    let params = item.generics.params.iter();
    params
        .filter_map(|param| match param {
            GenericParam::Type(TypeParam { ident, .. }) => Some(ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect()
}

/// A `PhantomData` that uses all type parameters, for types whose other fields use none.
pub(super) fn phantom(item: &ItemTrait) -> TokenStream {
    let types = item.generics.type_params().map(|param| &param.ident);
    quote!(::core::marker::PhantomData<fn() -> (#(#types,)*)>)
}

/// The supertraits, as bounds on `subject`.
pub(super) fn supertraits(item: &ItemTrait, subject: &TokenStream) -> Option<TokenStream> {
    let is_trait = |bound: &&TypeParamBound| matches!(bound, TypeParamBound::Trait(_));
    let mut traits = item.supertraits.iter().filter(is_trait).peekable();
    traits.peek()?;
    Some(quote!(#subject: #(#traits)+*,))
}

/// Whether a type mentions one of the trait's parameters.
pub(super) fn has_params_of(item: &ItemTrait, ty: &Type) -> bool {
    names(item)
        .iter()
        .any(|name| mentions(ty.to_token_stream(), name))
}

/// Whether an identifier is among the tokens.
pub(super) fn mentions(tokens: TokenStream, ident: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(token) => token == *ident,
        TokenTree::Group(group) => mentions(group.stream(), ident),
        _ => false,
    })
}
