//! A service as its trait declares it, checked so that nothing is left to go wrong in `expand`.

mod method;
mod travel;

use std::collections::HashSet;

use proc_macro2::TokenStream;
use syn::{Attribute, ItemTrait, Result, TraitItem};

use crate::mistakes::Mistakes;
pub(crate) use method::{Arg, Method, Returns};

/// A trait that is the contract of a client and a server.
pub(crate) struct Service<'a> {
    pub(crate) item: &'a ItemTrait,
    pub(crate) methods: Vec<Method<'a>>,
}

impl<'a> Service<'a> {
    /// Reads the trait below `#[rpc_service(attr)]`. An error holds all mistakes.
    pub(crate) fn parse(attr: &TokenStream, item: &'a ItemTrait) -> Result<Self> {
        let mut mistakes = Mistakes::default();
        if !attr.is_empty() {
            mistakes.push(attr, "`#[rpc_service]` takes no arguments");
        }
        check_trait(item, &mut mistakes);

        let mut methods = Vec::new();
        for item in &item.items {
            match item {
                TraitItem::Fn(item) => methods.push(Method::parse(item, &mut mistakes)),
                other => mistakes.push(
                    other,
                    "a service has methods only: declare this outside of the trait",
                ),
            }
        }
        check_names(&methods, &mut mistakes);
        mistakes.none_or(Self { item, methods })
    }

    /// Whether using the trait, or one of its methods, makes a warning.
    pub(crate) fn is_deprecated(&self) -> bool {
        let mut attrs = (self.methods.iter())
            .flat_map(|method| method.attrs)
            .chain(&self.item.attrs);
        attrs.any(|attr| attr.path().is_ident("deprecated"))
    }
}

/// Whether what bears these attributes may be absent.
pub(crate) fn is_conditional(attrs: &[Attribute]) -> bool {
    let mut attrs = attrs.iter();
    attrs.any(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"))
}

fn check_trait(item: &ItemTrait, mistakes: &mut Mistakes) {
    if let Some(token) = &item.unsafety {
        mistakes.push(token, "a service is a safe trait: remove `unsafe`");
    }
    if let Some(token) = &item.modifiers.auto_token {
        mistakes.push(token, "a service is an ordinary trait: remove `auto`");
    }
    if !item.generics.params.is_empty() {
        mistakes.push(
            &item.generics,
            "a service has no generic parameters: its methods take and return concrete, owned types",
        );
    }
    if let Some(clause) = &item.generics.where_clause {
        mistakes.push(clause, "a service has no `where` clause");
    }
}

fn check_names(methods: &[Method<'_>], mistakes: &mut Mistakes) {
    let mut seen = HashSet::new();
    for method in methods {
        match &*method.name {
            "new" => mistakes.push(
                method.ident,
                "`new` is the constructor of the client: give the method another name",
            ),
            "clone" => mistakes.push(
                method.ident,
                "`clone` would hide that of the client: give the method another name",
            ),
            _ => {}
        }
        // Methods for different configurations may share a name, since only one of them exists.
        if !is_conditional(method.attrs) && !seen.insert(&method.name) {
            mistakes.push(
                method.ident,
                format!(
                    "another method has the name `{}` on the wire already",
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
        assert_eq!(mistakes(parse_quote!(json), &item).len(), 8);
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

    #[test]
    fn a_deprecated_method_makes_the_service_so() {
        let item = parse_quote! {
            trait Shop {
                #[deprecated]
                async fn price(&self);
            }
        };
        let service = Service::parse(&TokenStream::new(), &item).unwrap();
        assert!(service.is_deprecated());
    }
}
