//! One method of a service: its names on the wire, its arguments, and what it returns.

use std::collections::HashSet;

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, Generics, Ident, LitStr, Receiver, ReceiverKind, ReturnType, Safety,
    Signature, TraitItemFn, Type,
};

use super::arg::Arg;
use super::case::Case;
use super::options::{MethodOptions, ServiceOptions};
use super::returns::{ReturnedFuture, Returns, is_boxed_future, visible};
use super::{travel, wire_name};
use crate::mistakes::Mistakes;

/// A method of the trait.
pub(crate) struct Method<'a> {
    pub(crate) attrs: &'a [Attribute],
    pub(crate) ident: &'a Ident,
    /// The name on the wire.
    pub(crate) name: String,
    pub(crate) options: MethodOptions,
    pub(crate) args: Vec<Arg<'a>>,
    /// The case of the names of its arguments on the wire.
    pub(crate) case: Option<Case>,
    pub(crate) returns: Returns<'a>,
    pub(crate) asyncness: Asyncness<'a>,
    /// Whether the trait has a default body for it.
    pub(crate) has_body: bool,
}

/// Whether and how a method is asynchronous.
pub(crate) enum Asyncness<'a> {
    /// It is an `async fn`.
    Async,
    /// It returns this `impl Future`.
    Future { ty: &'a Type, is_static: bool },
    /// It is a plain `fn`.
    Sync,
}

impl<'a> Method<'a> {
    /// Parses the method. If there is a mistake, the returned value must not be used.
    pub(super) fn parse(
        item: &'a TraitItemFn,
        service: &ServiceOptions,
        mistakes: &mut Mistakes,
    ) -> Self {
        let sig = &item.sig;
        let options = MethodOptions::parse(&item.attrs, mistakes);
        let future = ReturnedFuture::parse(sig);
        check_signature(sig, future.as_ref(), mistakes);
        let mut args = Vec::new();
        let case = options.rename_all.or(service.rename_all_args);
        for input in &sig.inputs {
            match input {
                FnArg::Receiver(receiver) => check_receiver(receiver, &sig.generics, mistakes),
                FnArg::Typed(input) => args.extend(Arg::parse(input, case, mistakes)),
            }
        }
        check_names(&args, mistakes);
        let (returns, asyncness) = match &future {
            Some(future) => {
                let ReturnedFuture { ty, is_static, .. } = *future;
                let asyncness = Asyncness::Future { ty, is_static };
                (Returns::of_type(future.output), asyncness)
            }
            None if sig.asyncness.is_some() => (Returns::of(&sig.output), Asyncness::Async),
            None => (Returns::of(&sig.output), Asyncness::Sync),
        };
        if sig.generics.params.is_empty() {
            // Types are checked only if the method has no parameters: a lifetime or type parameter
            // is already reported where it is declared.
            let has_fields = args.iter().any(|arg| !arg.serde.is_empty());
            for arg in &args {
                arg.check_type(has_fields || service.dyn_trait.is_some(), mistakes);
            }
            if let Some(ty) = returns.ty()
                && !(matches!(asyncness, Asyncness::Sync) && is_mistaken_for_future(ty))
            {
                travel::check_returns(ty, mistakes);
            }
        }
        if let Some(ty) = returns.ty()
            && options.one_way
            && !is_unit(ty)
        {
            mistakes.push(
                ty,
                "a one-way method returns nothing, since nobody waits for it: remove this type, or `one_way`",
            );
        }
        let ident = &sig.ident;
        let own = options
            .name
            .as_ref()
            .map_or_else(|| renamed(ident, service.rename_all), LitStr::value);
        let method = Self {
            attrs: &item.attrs,
            ident,
            name: format!("{}{own}", service.prefix),
            options,
            args,
            case,
            returns,
            asyncness,
            has_body: item.default.is_some(),
        };
        if own.is_empty() {
            let message =
                "a name on the wire is not empty: leave `name` out for the name of the method";
            mistakes.push(method.place_of_name(), message);
        } else if let Err(reason) = wire_name::check(&method.name) {
            mistakes.push(method.place_of_name(), reason);
        }
        method
    }

    /// The tokens that its name on the wire comes from.
    pub(super) fn place_of_name(&self) -> &dyn ToTokens {
        match &self.options.name {
            Some(name) => name,
            None => self.ident,
        }
    }
}

/// The name in this case.
fn renamed(ident: &Ident, case: Option<Case>) -> String {
    let name = ident.unraw().to_string();
    match case {
        Some(case) => case.of(&name),
        None => name,
    }
}

/// Whether a type that is not an `impl Future` is still meant as a future, or is an `impl` of
/// another trait.
fn is_mistaken_for_future(ty: &Type) -> bool {
    matches!(visible(ty), Type::ImplTrait(_)) || is_boxed_future(ty)
}

fn is_unit(ty: &Type) -> bool {
    matches!(visible(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
}

fn check_signature(sig: &Signature, future: Option<&ReturnedFuture<'_>>, mistakes: &mut Mistakes) {
    if let Some(token) = &sig.constness {
        mistakes.push(token, "a method is no `const fn`: remove `const`");
    }
    if let Safety::Unsafe(token) = &sig.safety {
        mistakes.push(token, "a method is safe: remove `unsafe`");
    }
    if let Some(abi) = &sig.abi {
        mistakes.push(abi, "a method has no ABI: remove `extern`");
    }
    match (future, &sig.output) {
        (Some(future), _) if future.is_send => {
            for bound in &future.others {
                mistakes.push(
                    bound,
                    "the future of a method is `impl Future<Output = T> + Send`, to which `+ 'static` may be \
                     added: remove this, which the future of the client does not have",
                );
            }
        }
        (Some(future), _) => mistakes.push(
            future.ty,
            "the future of a method is `Send`: add `+ Send`, or write an `async fn`",
        ),
        (None, ReturnType::Type(_, ty))
            if sig.asyncness.is_none() && is_mistaken_for_future(ty) =>
        {
            mistakes.push(
                ty,
                "a method that waits is an `async fn`, or returns `impl Future<Output = T> + Send`",
            );
        }
        _ => {}
    }
    if sig.generics.type_params().next().is_some() || sig.generics.const_params().next().is_some() {
        mistakes.push(
            &sig.generics,
            "a method has no generic parameters: one queue serves it, for one set of types (the trait may have \
             parameters)",
        );
    } else if !sig.generics.params.is_empty() {
        mistakes.push(
            &sig.generics,
            "a method names no lifetimes: write `&self` for `&'a self`, and `&T` for `&'a T`",
        );
    }
    if let Some(clause) = &sig.generics.where_clause {
        mistakes.push(
            clause,
            "a method has no `where` clause: bounds go on the parameters and supertraits of the trait",
        );
    }
    if sig.receiver().is_none() {
        mistakes.push(&sig.ident, "a method takes `&self` first");
    }
    if let Some(variadic) = &sig.variadic {
        mistakes.push(
            variadic,
            "a method has a fixed number of arguments: take a `Vec<T>` or `&[T]`",
        );
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
        mistakes.push(attr, "`&self` has no attributes: remove this one");
    }
}

fn check_names(args: &[Arg<'_>], mistakes: &mut Mistakes) {
    let mut seen = HashSet::new();
    for Arg { ident, name, .. } in args {
        if !seen.insert(name) {
            mistakes.push(
                ident,
                format!("another argument has the name `{name}` on the wire already: give this one another"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use syn::parse_quote;

    use super::*;

    #[test]
    fn names_on_the_wire_have_no_prefix() {
        let item = parse_quote!(
            async fn r#match(&self, r#type: u8);
        );
        let mut mistakes = Mistakes::default();
        let options = ServiceOptions::parse(&TokenStream::new(), &mut mistakes);
        let method = Method::parse(&item, &options, &mut mistakes);
        assert_eq!(method.name, "match");
        assert_eq!(method.args[0].name, "type");
    }
}
