//! What a method returns.

use syn::{
    AngleBracketedGenericArguments, GenericArgument, PathArguments, PathSegment, ReturnType,
    Signature, Type, TypeImplTrait, TypeParamBound, TypeTraitObject,
};

/// Types that are certainly not a `Result`. For other types, the name does not say.
const VALUES: [&str; 19] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize", "Option", "String", "Vec",
];

/// What a method returns.
pub(crate) enum Returns<'a> {
    Nothing,
    Value(&'a Type),
    /// `Result<T, E>` with both types.
    Result {
        whole: &'a Type,
        ok: &'a Type,
        err: &'a Type,
    },
    /// Another type named `Result`, such as `io::Result<T>`: an alias that hides one type or both.
    Alias(&'a Type),
}

impl<'a> Returns<'a> {
    /// What an `async fn` returns.
    pub(super) fn of(output: &'a ReturnType) -> Self {
        match output {
            ReturnType::Default => Self::Nothing,
            ReturnType::Type(_, ty) => Self::of_type(ty),
        }
    }

    /// What a future resolves to.
    pub(super) fn of_type(whole: &'a Type) -> Self {
        let Type::Path(path) = visible(whole) else {
            return Self::Value(whole);
        };
        match path.path.segments.last() {
            Some(last) if last.ident == "Result" => match type_args(last)[..] {
                [ok, err] => Self::Result { whole, ok, err },
                _ => Self::Alias(whole),
            },
            _ => Self::Value(whole),
        }
    }

    /// The type, as written in the source.
    pub(crate) fn ty(&self) -> Option<&'a Type> {
        match *self {
            Self::Nothing => None,
            Self::Value(ty) | Self::Result { whole: ty, .. } | Self::Alias(ty) => Some(ty),
        }
    }

    /// The type, if it counts as a value but may be an alias of a `Result`.
    pub(crate) fn of_unknown_kind(&self) -> Option<&'a Type> {
        let &Self::Value(ty) = self else {
            return None;
        };
        let Type::Path(path) = visible(ty) else {
            return None;
        };
        let last = path.path.segments.last()?;
        VALUES.iter().all(|name| last.ident != name).then_some(ty)
    }
}

/// An `impl Future<Output = T> + Send`.
pub(super) struct ReturnedFuture<'a> {
    pub(super) ty: &'a Type,
    pub(super) output: &'a Type,
    pub(super) is_send: bool,
    pub(super) is_static: bool,
    /// Further bounds, which the client's future would not satisfy.
    pub(super) others: Vec<&'a TypeParamBound>,
}

impl<'a> ReturnedFuture<'a> {
    /// `None` if the method is an `async fn`, or does not return a future.
    pub(super) fn parse(sig: &'a Signature) -> Option<Self> {
        match &sig.output {
            ReturnType::Type(_, ty) if sig.asyncness.is_none() => Self::parse_type(ty),
            _ => None,
        }
    }

    fn parse_type(ty: &'a Type) -> Option<Self> {
        let Type::ImplTrait(TypeImplTrait { bounds, .. }) = visible(ty) else {
            return None;
        };
        let is_send = |segment: &PathSegment| segment.ident == "Send";
        let is_static = |bound: &TypeParamBound| matches!(bound, TypeParamBound::Lifetime(lifetime) if lifetime.ident == "static");
        let others = bounds.iter().filter(|bound| {
            !is_static(bound)
                && !last(bound).is_some_and(|last| is_send(last) || output_of(last).is_some())
        });
        Some(Self {
            ty,
            output: bounds.iter().filter_map(last).find_map(output_of)?,
            is_send: bounds.iter().filter_map(last).any(is_send),
            is_static: bounds.iter().any(is_static),
            others: others.collect(),
        })
    }
}

/// Whether the type is a boxed future, judged by its name: `BoxFuture<T>`, `Pin<Box<dyn Future>>`.
pub(super) fn is_boxed_future(ty: &Type) -> bool {
    match visible(ty) {
        Type::TraitObject(TypeTraitObject { bounds, .. }) => {
            (bounds.iter().filter_map(last)).any(|segment| segment.ident == "Future")
        }
        Type::Path(path) => {
            path.path
                .segments
                .last()
                .is_some_and(|last| match &*last.ident.to_string() {
                    "BoxFuture" | "LocalBoxFuture" => true,
                    "Box" | "Pin" => type_args(last).into_iter().any(is_boxed_future),
                    _ => false,
                })
        }
        _ => false,
    }
}

/// The last segment of the bound's trait.
fn last(bound: &TypeParamBound) -> Option<&PathSegment> {
    match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last(),
        _ => None,
    }
}

/// The `T` of `Future<Output = T>`.
fn output_of(segment: &PathSegment) -> Option<&Type> {
    if segment.ident != "Future" {
        return None;
    }
    generic_args(segment)?
        .args
        .iter()
        .find_map(|arg| match arg {
            GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
            _ => None,
        })
}

/// The type without parentheses, and without the invisible group around a type from `macro_rules!`.
pub(super) fn visible(mut ty: &Type) -> &Type {
    while let Type::Group(syn::TypeGroup { elem, .. }) | Type::Paren(syn::TypeParen { elem, .. }) =
        ty
    {
        ty = elem;
    }
    ty
}

/// The types among the generic arguments.
pub(super) fn type_args(segment: &PathSegment) -> Vec<&Type> {
    let args = generic_args(segment)
        .into_iter()
        .flat_map(|args| &args.args);
    args.filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
    .collect()
}

fn generic_args(segment: &PathSegment) -> Option<&AngleBracketedGenericArguments> {
    match &segment.arguments {
        PathArguments::AngleBracketed(args) => Some(args),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::{Delimiter, Group};
    use quote::{ToTokens, quote};
    use syn::parse_quote;

    use super::*;

    /// The kind of what it returns, and the types that it shows.
    fn returns(output: &ReturnType) -> (&'static str, Vec<String>) {
        let text = |ty: &Type| ty.to_token_stream().to_string();
        match Returns::of(output) {
            Returns::Nothing => ("nothing", Vec::new()),
            Returns::Value(ty) => ("value", vec![text(ty)]),
            Returns::Result { ok, err, .. } => ("result", vec![text(ok), text(err)]),
            Returns::Alias(ty) => ("alias", vec![text(ty)]),
        }
    }

    #[test]
    fn results_are_told_from_values() {
        let kind = |output| returns(&output).0;
        assert_eq!(kind(ReturnType::Default), "nothing");
        assert_eq!(kind(parse_quote!(-> ())), "value");
        assert_eq!(kind(parse_quote!(-> Vec<Result<u8, String>>)), "value");
        assert_eq!(kind(parse_quote!(-> [u8; 4])), "value");
        assert_eq!(kind(parse_quote!(-> Result::Other)), "value");
        assert_eq!(kind(parse_quote!(-> Result<u8, String>)), "result");
        assert_eq!(kind(parse_quote!(-> (Result<u8, String>))), "result");
        assert_eq!(kind(parse_quote!(-> bank::Result)), "alias");
        assert_eq!(kind(parse_quote!(-> std::io::Result<u8>)), "alias");
        assert_eq!(kind(parse_quote!(-> a::Result<'static, u8>)), "alias");
    }

    #[test]
    fn both_types_of_a_result_are_known() {
        let output = parse_quote!(-> ::std::result::Result<(), bank::Refusal>);
        let types = vec!["()".to_owned(), "bank :: Refusal".to_owned()];
        assert_eq!(returns(&output), ("result", types));
    }

    #[test]
    fn a_type_out_of_a_macro_is_seen_through() {
        let group = Group::new(Delimiter::None, quote!(Result<u8, String>));
        let output = parse_quote!(-> #group);
        assert_eq!(returns(&output).0, "result");
    }

    #[test]
    fn futures_show_what_they_resolve_to() {
        let future = |output: ReturnType| {
            let ReturnType::Type(_, ty) = output else {
                panic!("nothing");
            };
            ReturnedFuture::parse_type(&ty)
                .map(|future| (future.output.to_token_stream().to_string(), future.is_send))
        };
        let u8 = |is_send| Some(("u8".to_owned(), is_send));
        assert_eq!(
            future(parse_quote!(-> impl Future<Output = u8> + Send)),
            u8(true)
        );
        assert_eq!(
            future(
                parse_quote!(-> impl core::marker::Send + std::future::Future<Output = u8> + 'static)
            ),
            u8(true)
        );
        assert_eq!(future(parse_quote!(-> impl Future<Output = u8>)), u8(false));
        assert_eq!(future(parse_quote!(-> impl Future + Send)), None);
        assert_eq!(future(parse_quote!(-> impl Stream<Item = u8>)), None);
        assert_eq!(future(parse_quote!(-> Future<Output = u8>)), None);
    }

    #[test]
    fn boxed_futures_are_told_by_their_names() {
        let is_boxed = |ty: Type| is_boxed_future(&ty);
        assert!(is_boxed(parse_quote!(
            Pin<Box<dyn Future<Output = u8> + Send + '_>>
        )));
        assert!(is_boxed(parse_quote!(
            futures::future::BoxFuture<'static, u8>
        )));
        assert!(!is_boxed(parse_quote!(Box<u8>)));
        assert!(!is_boxed(parse_quote!(Box<dyn Error>)));
        assert!(!is_boxed(parse_quote!(Future)));
    }
}
