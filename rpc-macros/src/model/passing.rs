//! How an argument is passed, judged by the form of its type.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{
    GenericArgument, Lifetime, PathArguments, PathSegment, Type, TypeReference, parse_quote,
};

use super::returns::{type_args, visible};

/// How an argument is passed to the method.
pub(crate) enum Passing<'a> {
    /// By value.
    Owned,
    /// As a `&T`.
    Lent(&'a Type),
    /// As an `Option<&T>`.
    LentOption(&'a Type),
    /// As a `Cow<'_, T>`, which is passed by value but may borrow from the caller.
    Cow(&'a Type),
}

impl<'a> Passing<'a> {
    pub(super) fn of(ty: &'a Type) -> Self {
        if let Some(lent) = lent(ty) {
            return Self::Lent(lent);
        }
        if let Some(lent) = option_of(ty).and_then(lent) {
            return Self::LentOption(lent);
        }
        cow_of(ty).map_or(Self::Owned, Self::Cow)
    }
}

/// The `T` of `&T`.
fn lent(ty: &Type) -> Option<&Type> {
    match visible(ty) {
        Type::Reference(TypeReference {
            lifetime: None,
            mutability: None,
            elem,
            ..
        }) => Some(elem),
        _ => None,
    }
}

/// The `T` of `Option<T>`.
pub(super) fn option_of(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = visible(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    match type_args(last)[..] {
        [ty] if last.ident == "Option" => Some(ty),
        _ => None,
    }
}

/// The `T` of `Cow<'_, T>`.
fn cow_of(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = visible(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    let [ty] = type_args(last)[..] else {
        return None;
    };
    let mut lifetimes = lifetimes_of(last);
    (last.ident == "Cow" && lifetimes.next()?.ident == "_").then_some(ty)
}

/// Whether the type may be a `Cow` with an elided lifetime.
pub(super) fn may_be_cow(ty: &Type) -> bool {
    let Type::Path(path) = visible(ty) else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|last| {
        last.ident == "Cow" && type_args(last).len() == 1 && lifetimes_of(last).next().is_none()
    })
}

fn lifetimes_of(segment: &PathSegment) -> impl Iterator<Item = &Lifetime> {
    let args = match &segment.arguments {
        PathArguments::AngleBracketed(args) => Some(&args.args),
        _ => None,
    };
    args.into_iter().flatten().filter_map(|arg| match arg {
        GenericArgument::Lifetime(lifetime) => Some(lifetime),
        _ => None,
    })
}

/// The type of a `Cow`, with this lifetime.
pub(super) fn cow_with(ty: &Type, lifetime: &TokenStream) -> TokenStream {
    let mut ty = visible(ty).clone();
    if let Type::Path(path) = &mut ty
        && let Some(last) = path.path.segments.last_mut()
        && let PathArguments::AngleBracketed(args) = &mut last.arguments
    {
        let types = (args.args.iter()).filter(|arg| matches!(arg, GenericArgument::Type(_)));
        args.args = parse_quote!(#lifetime, #(#types),*);
    }
    ty.into_token_stream()
}
