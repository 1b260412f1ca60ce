//! A service as its trait declares it, checked so that `expand` cannot fail.

mod arg;
mod attributes;
mod case;
mod duration;
mod method;
mod options;
mod passing;
mod returns;
mod text;
mod travel;
mod wire_name;

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit::Visit;
use syn::{Attribute, Error, GenericParam, ItemTrait, Path, Result, TraitItem, TypeParamBound};

use crate::mistakes::Mistakes;
pub(crate) use arg::{Arg, Optional};
pub(crate) use attributes::{allowances, conditions, is_conditional, is_hidden, is_text, shared};
pub(crate) use method::{Asyncness, Method};
pub(crate) use options::{MethodOptions, ServiceOptions, dyn_trait_of};
pub(crate) use passing::Passing;
pub(crate) use returns::Returns;
pub(crate) use text::{of_docs, of_type, summary_of};

/// A parsed trait: the contract of a client and a server.
pub(crate) struct Service<'a> {
    pub(crate) item: &'a ItemTrait,
    pub(crate) options: ServiceOptions,
    pub(crate) methods: Vec<Method<'a>>,
}

impl<'a> Service<'a> {
    /// Parses the trait below `#[rpc_service(attr)]`. The error holds all mistakes.
    pub(crate) fn parse(attr: &TokenStream, item: &'a ItemTrait) -> Result<Self> {
        // Checked first: what `async_trait` makes of the methods would cause many mistakes.
        if let Some(mistake) = of_async_trait(item) {
            return Err(mistake);
        }
        let mut mistakes = Mistakes::default();
        let options = ServiceOptions::parse(attr, &mut mistakes);
        check_trait(item, &mut mistakes);
        if options.dyn_trait.is_some() {
            check_dyn(item, &mut mistakes);
        }

        let mut methods = Vec::new();
        for item in &item.items {
            match item {
                TraitItem::Fn(item) => {
                    methods.push(Method::parse(item, &options, &mut mistakes));
                }
                other => mistakes.push(
                    other,
                    "a service has methods only: declare this outside of the trait",
                ),
            }
        }
        check_names(&methods, &mut mistakes);
        mistakes.none_or(Self {
            item,
            options,
            methods,
        })
    }

    /// The `cfg` under which no method has this Rust name; `None` if a method always has it.
    pub(crate) fn unless_method(&self, name: &str) -> Option<TokenStream> {
        let mut named = Vec::new();
        for method in self.methods.iter().filter(|method| method.ident == name) {
            if !is_conditional(method.attrs) {
                return None;
            }
            let cfgs = conditions(method.attrs);
            let cfgs = cfgs.filter_map(|cfg| Some(cfg.meta.require_list().ok()?.tokens.clone()));
            named.push(quote!(all(#(#cfgs),*)));
        }
        Some(if named.is_empty() {
            TokenStream::new()
        } else {
            quote!(#[cfg(not(any(#(#named),*)))])
        })
    }
}

/// Whether the attribute is `#[async_trait]`.
pub(crate) fn is_async_trait(attr: &Attribute) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|last| last.ident == "async_trait")
}

/// The mistake of `#[async_trait]` on the trait, whether it has yet to run or has already boxed the
/// futures.
fn of_async_trait(item: &ItemTrait) -> Option<Error> {
    let message =
        "a service needs no `#[async_trait]`: remove it here and from the implementations";
    if let Some(attr) = item.attrs.iter().find(|attr| is_async_trait(attr)) {
        return Some(Error::new_spanned(attr, message));
    }
    item.items.iter().find_map(|item| {
        let TraitItem::Fn(method) = item else {
            return None;
        };
        let mut lifetimes = method.sig.generics.lifetimes();
        let own = lifetimes.find(|param| param.lifetime.ident == "async_trait")?;
        // The span of the lifetime is the method's, but that of the clause that bounds it is the
        // attribute's.
        Some(match &method.sig.generics.where_clause {
            Some(clause) => Error::new_spanned(clause.where_token, message),
            None => Error::new_spanned(own, message),
        })
    })
}

fn check_trait(item: &ItemTrait, mistakes: &mut Mistakes) {
    for attr in item.attrs.iter().filter(|attr| attr.path().is_ident("rpc")) {
        mistakes.push(
            attr,
            "the options of a service go into `#[rpc_service(..)]`: `#[rpc(..)]` is for methods",
        );
    }
    if let Some(token) = &item.unsafety {
        mistakes.push(token, "a service is a safe trait: remove `unsafe`");
    }
    if let Some(token) = &item.modifiers.auto_token {
        mistakes.push(token, "a service is an ordinary trait: remove `auto`");
    }
    for param in &item.generics.params {
        if let GenericParam::Lifetime(_) = param {
            mistakes.push(
                param,
                "a service has no lifetimes, since what it takes and returns travels to another process: use owned types",
            );
        }
    }
    if let Some(clause) = &item.generics.where_clause {
        NoSelf { mistakes }.visit_where_clause(clause);
    }
}

/// Finds supertraits that no trait object can have. It knows those of the standard library only,
/// because only the compiler knows other traits.
fn check_dyn(item: &ItemTrait, mistakes: &mut Mistakes) {
    let sized = [
        "Clone",
        "Copy",
        "Default",
        "Eq",
        "Ord",
        "PartialEq",
        "PartialOrd",
        "Sized",
    ];
    for bound in &item.supertraits {
        if let TypeParamBound::Trait(path) = bound
            && let Some(last) = path.path.segments.last()
            && sized.iter().any(|name| last.ident == name)
        {
            let message = format!(
                "a trait object is not `{}`: remove this, or `dyn_trait`",
                last.ident
            );
            mistakes.push(bound, message);
        }
    }
}

/// Finds `Self` in a `where` clause, because the client and the server could not repeat such a
/// clause.
struct NoSelf<'a> {
    mistakes: &'a mut Mistakes,
}

impl Visit<'_> for NoSelf<'_> {
    fn visit_path(&mut self, path: &Path) {
        match path.segments.first() {
            Some(first) if first.ident == "Self" => self.mistakes.push(
                first,
                "a service says what `Self` is by its supertraits: write `trait Name: Bound`",
            ),
            _ => syn::visit::visit_path(self, path),
        }
    }
}

fn check_names(methods: &[Method<'_>], mistakes: &mut Mistakes) {
    let mut seen = HashSet::new();
    for method in methods {
        // Methods for different configurations may share a name, because only one of them exists.
        if !is_conditional(method.attrs) && !seen.insert(&method.name) {
            mistakes.push(
                method.place_of_name(),
                format!(
                    "another method has the name `{}` on the wire already: give this one another",
                    method.name
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn mistakes(attr: TokenStream, item: &ItemTrait) -> Vec<String> {
        let error = Service::parse(&attr, item).err();
        (error.into_iter().flatten())
            .map(|mistake| mistake.to_string())
            .collect()
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let item = parse_quote! {
            unsafe trait Shop<T> {
                const OPEN: bool;
                fn new(item: &str) -> impl Sized;
            }
        };
        assert_eq!(mistakes(parse_quote!(json), &item).len(), 5);
    }

    #[test]
    fn names_on_the_wire_are_unique() {
        let item = parse_quote! {
            trait Shop {
                async fn price(&self);
                async fn r#price(&self);
            }
        };
        let [mistake] = &mistakes(TokenStream::new(), &item)[..] else {
            panic!("not one mistake");
        };
        assert!(mistake.contains("`price`"));
    }

    #[test]
    fn conditional_methods_may_share_a_name() {
        let item = parse_quote! {
            trait Shop {
                #[cfg(unix)]
                async fn price(&self, pence: u32);
                #[cfg(not(unix))]
                async fn price(&self, cents: u32);
            }
        };
        assert!(mistakes(TokenStream::new(), &item).is_empty());
    }
}
