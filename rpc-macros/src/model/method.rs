//! One method of a service: its names on the wire, its arguments, and what it returns.

use std::collections::HashSet;

use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, GenericArgument, Generics, Ident, Pat, PatType, PathArguments, Receiver,
    ReceiverKind, ReturnType, Safety, Signature, TraitItemFn, Type,
};

use super::travel;
use crate::mistakes::Mistakes;

/// An `async fn` of the trait.
pub(crate) struct Method<'a> {
    pub(crate) attrs: &'a [Attribute],
    pub(crate) ident: &'a Ident,
    /// The name on the wire.
    pub(crate) name: String,
    pub(crate) args: Vec<Arg<'a>>,
    pub(crate) returns: Returns<'a>,
}

/// An argument; its name on the wire is `ident` without `r#`, which is how serde names fields.
pub(crate) struct Arg<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
}

/// What a method returns.
pub(crate) enum Returns<'a> {
    Nothing,
    Value(&'a Type),
    /// `Result<T, E>`, which shows both types.
    Result {
        whole: &'a Type,
        ok: &'a Type,
        err: &'a Type,
    },
    /// Another type named `Result`, such as `io::Result<T>`: an alias that hides one type or both.
    Alias(&'a Type),
}

impl<'a> Method<'a> {
    /// Reads the method; where there is a mistake, what it returns is not to be used.
    pub(super) fn parse(item: &'a TraitItemFn, mistakes: &mut Mistakes) -> Self {
        let sig = &item.sig;
        check_signature(sig, mistakes);
        let mut args = Vec::new();
        for input in &sig.inputs {
            match input {
                FnArg::Receiver(receiver) => check_receiver(receiver, &sig.generics, mistakes),
                FnArg::Typed(input) => args.extend(Arg::parse(input, mistakes)),
            }
        }
        check_names(&args, mistakes);
        let returns = Returns::parse(&sig.output);
        if sig.generics.params.is_empty() {
            // A lifetime or type parameter is reported where it is declared, and not again.
            for arg in &args {
                travel::check_arg(arg.ty, mistakes);
            }
            if let (Some(ty), true) = (returns.ty(), sig.asyncness.is_some()) {
                travel::check_returns(ty, mistakes);
            }
        }
        Self {
            attrs: &item.attrs,
            ident: &sig.ident,
            name: sig.ident.unraw().to_string(),
            args,
            returns,
        }
    }

    /// Those of its attributes that have one of these names.
    pub(crate) fn attrs_named(&self, names: &[&str]) -> impl Iterator<Item = &'a Attribute> {
        self.attrs
            .iter()
            .filter(move |attr| names.iter().any(|name| attr.path().is_ident(name)))
    }
}

impl<'a> Arg<'a> {
    fn parse(input: &'a PatType, mistakes: &mut Mistakes) -> Option<Self> {
        if let Some(attr) = input.attrs.first() {
            mistakes.push(attr, "an argument of a service has no attributes");
        }
        match &*input.pat {
            Pat::Ident(pat)
                if pat.by_ref.is_none() && pat.mutability.is_none() && pat.subpat.is_none() =>
            {
                Some(Self {
                    ident: &pat.ident,
                    ty: &input.ty,
                })
            }
            other => {
                mistakes.push(
                    other,
                    "an argument has a plain name, which is its name on the wire",
                );
                None
            }
        }
    }
}

impl<'a> Returns<'a> {
    fn parse(output: &'a ReturnType) -> Self {
        let ReturnType::Type(_, whole) = output else {
            return Self::Nothing;
        };
        let mut ty = &**whole;
        // A type that comes out of `macro_rules!` is in an invisible group.
        while let Type::Group(syn::TypeGroup { elem, .. })
        | Type::Paren(syn::TypeParen { elem, .. }) = ty
        {
            ty = elem;
        }
        let Type::Path(path) = ty else {
            return Self::Value(whole);
        };
        match path.path.segments.last() {
            Some(last) if last.ident == "Result" => match type_args(&last.arguments)[..] {
                [ok, err] => Self::Result { whole, ok, err },
                _ => Self::Alias(whole),
            },
            _ => Self::Value(whole),
        }
    }

    /// The type, as it was written.
    pub(crate) fn ty(&self) -> Option<&'a Type> {
        match *self {
            Self::Nothing => None,
            Self::Value(ty) | Self::Result { whole: ty, .. } | Self::Alias(ty) => Some(ty),
        }
    }
}

fn type_args(arguments: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return Vec::new();
    };
    (arguments.args.iter())
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
        .collect()
}

fn check_signature(sig: &Signature, mistakes: &mut Mistakes) {
    if let Some(token) = &sig.constness {
        mistakes.push(token, "a method is an `async fn`: remove `const`");
    }
    if let Safety::Unsafe(token) = &sig.safety {
        mistakes.push(token, "a method is a safe `async fn`: remove `unsafe`");
    }
    if let Some(abi) = &sig.abi {
        mistakes.push(abi, "a method is a plain `async fn`: remove `extern`");
    }
    if sig.asyncness.is_none() && sig.constness.is_none() {
        match &sig.output {
            ReturnType::Type(_, ty) if matches!(**ty, Type::ImplTrait(_)) => mistakes.push(
                ty,
                "a method that returns `impl Future` is not supported yet: write it as an `async fn`",
            ),
            _ => mistakes.push(sig.fn_token, "a method is an `async fn`"),
        }
    }
    if !sig.generics.params.is_empty() {
        mistakes.push(
            &sig.generics,
            "a method has no generic parameters: what it takes and returns has concrete, owned types",
        );
    }
    if let Some(clause) = &sig.generics.where_clause {
        mistakes.push(clause, "a method has no `where` clause");
    }
    if sig.receiver().is_none() {
        mistakes.push(&sig.ident, "a method takes `&self` first");
    }
    if let Some(variadic) = &sig.variadic {
        mistakes.push(variadic, "a method has a fixed number of arguments");
    }
}

fn check_receiver(receiver: &Receiver, generics: &Generics, mistakes: &mut Mistakes) {
    let plain = match &receiver.kind {
        ReceiverKind::Reference(_, lifetime, None) => {
            lifetime.is_none() || !generics.params.is_empty()
        }
        _ => false,
    };
    if !plain {
        mistakes.push(
            receiver,
            "a method takes `&self`: one service runs many calls at a time",
        );
    }
    if let Some(attr) = receiver.attrs.first() {
        mistakes.push(attr, "an argument of a service has no attributes");
    }
}

fn check_names(args: &[Arg<'_>], mistakes: &mut Mistakes) {
    let mut seen = HashSet::new();
    for Arg { ident, .. } in args {
        let name = ident.unraw();
        if !seen.insert(name.clone()) {
            mistakes.push(
                ident,
                format!("another argument has the name `{name}` on the wire already"),
            );
        }
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
        match Returns::parse(output) {
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
    fn names_on_the_wire_have_no_prefix() {
        let item = parse_quote!(
            async fn r#match(&self, r#type: u8);
        );
        let method = Method::parse(&item, &mut Mistakes::default());
        assert_eq!(method.name, "match");
        assert_eq!(method.args[0].ident, "r#type");
    }
}
