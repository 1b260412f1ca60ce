//! The attributes that generated items copy from the user's items.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token, parse_quote};

/// An attribute, or one of the attributes in a `cfg_attr`.
struct Single {
    /// The predicates of the `cfg_attr`s around it.
    predicates: Vec<TokenStream>,
    meta: Meta,
}

impl Single {
    fn is(&self, name: &str) -> bool {
        self.meta.path().is_ident(name)
    }

    /// Converts it to an attribute.
    fn into_attribute(self) -> Attribute {
        let Self { predicates, meta } = self;
        match &meta {
            _ if predicates.is_empty() => parse_quote!(#[#meta]),
            // Callers that build further attributes from conditions expect each to be a `cfg`.
            Meta::List(cfg) if cfg.path.is_ident("cfg") => {
                let condition = &cfg.tokens;
                parse_quote!(#[cfg(any(not(all(#(#predicates),*)), all(#condition)))])
            }
            _ => parse_quote!(#[cfg_attr(all(#(#predicates),*), #meta)]),
        }
    }
}

/// The attributes without `cfg_attr`, each with its predicates.
fn singles(attrs: &[Attribute]) -> Vec<Single> {
    let mut singles = Vec::new();
    for attr in attrs {
        unfold(attr.meta.clone(), &[], &mut singles);
    }
    singles
}

fn unfold(meta: Meta, predicates: &[TokenStream], singles: &mut Vec<Single>) {
    let mut predicates = predicates.to_vec();
    match meta {
        Meta::List(list) if list.path.is_ident("cfg_attr") => {
            let mut tokens = list.tokens.into_iter();
            let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ',');
            predicates.push(
                tokens
                    .by_ref()
                    .take_while(|token| !is_comma(token))
                    .collect(),
            );
            let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens.collect());
            // If it cannot be parsed, the compiler reports it where the trait has it.
            for meta in metas.into_iter().flatten() {
                unfold(meta, &predicates, singles);
            }
        }
        meta => singles.push(Single { predicates, meta }),
    }
}

/// The attributes that are copied to the client and the server, and to the client's methods.
/// Documentation text is not copied: its examples would run again, and its links could resolve
/// differently there.
pub(crate) fn shared(attrs: &[Attribute]) -> impl Iterator<Item = Attribute> {
    let names = ["allow", "cfg", "deprecated"];
    let singles = singles(attrs).into_iter().map(allowance);
    singles
        .filter(move |single| {
            let is_docs = single.is("doc") && !matches!(single.meta, Meta::NameValue(_));
            is_docs || names.iter().any(|name| single.is(name))
        })
        .map(Single::into_attribute)
}

/// The attributes that allow lints.
pub(crate) fn allowances(attrs: &[Attribute]) -> impl Iterator<Item = Attribute> {
    let singles = singles(attrs).into_iter().map(allowance);
    singles
        .filter(|single| single.is("allow"))
        .map(Single::into_attribute)
}

/// Turns `expect` into `allow`, because generated code may not trigger a lint that the user's code
/// triggers.
fn allowance(mut single: Single) -> Single {
    if let Meta::List(list) = &mut single.meta
        && list.path.is_ident("expect")
    {
        list.path = parse_quote!(allow);
    }
    single
}

/// The conditions under which an item with these attributes exists, each as a `cfg`.
pub(crate) fn conditions(attrs: &[Attribute]) -> impl Iterator<Item = Attribute> {
    let cfgs = singles(attrs).into_iter().filter(|single| single.is("cfg"));
    cfgs.map(Single::into_attribute)
}

/// Whether an item with these attributes may be absent.
pub(crate) fn is_conditional(attrs: &[Attribute]) -> bool {
    conditions(attrs).next().is_some()
}

/// Whether the attribute is documentation text, and not an attribute such as `#[doc(hidden)]`.
pub(crate) fn is_text(attr: &Attribute) -> bool {
    attr.path().is_ident("doc") && matches!(attr.meta, Meta::NameValue(_))
}

/// Whether the attribute is a `cfg_attr` that holds an attribute with this name.
pub(crate) fn is_hidden(attr: &Attribute, name: &str) -> bool {
    let mut singles = Vec::new();
    unfold(attr.meta.clone(), &[], &mut singles);
    (singles.iter()).any(|single| !single.predicates.is_empty() && single.is(name))
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::{ItemTrait, parse_quote};

    use super::*;

    fn texts(attrs: impl Iterator<Item = Attribute>) -> Vec<String> {
        let text = |attr: Attribute| attr.to_token_stream().to_string().replace(' ', "");
        attrs.map(text).collect()
    }

    #[test]
    fn attributes_are_those_inside_of_a_condition() {
        let item: ItemTrait = parse_quote! {
            #[cfg_attr(feature = "old", deprecated, must_use, cfg_attr(unix, expect(dead_code)))]
            #[cfg(unix)]
            #[cfg_attr(test, cfg(feature = "b"))]
            trait Till {}
        };
        let cfgs = [
            r#"#[cfg(unix)]"#,
            r#"#[cfg(any(not(all(test)),all(feature="b")))]"#,
        ];
        let allow = r#"#[cfg_attr(all(feature="old",unix),allow(dead_code))]"#;
        assert_eq!(texts(conditions(&item.attrs)), cfgs);
        assert_eq!(texts(allowances(&item.attrs)), [allow]);
        let deprecated = r#"#[cfg_attr(all(feature="old"),deprecated)]"#;
        assert_eq!(
            texts(shared(&item.attrs)),
            [deprecated, allow, cfgs[0], cfgs[1]]
        );
    }

    #[test]
    fn a_condition_may_be_the_only_attribute() {
        let item: ItemTrait = parse_quote! {
            #[cfg_attr(test, cfg(any()))]
            trait Till {}
        };
        assert!(is_conditional(&item.attrs));
        assert!(is_hidden(&item.attrs[0], "cfg"));
        assert!(!is_hidden(&item.attrs[0], "rpc"));
    }
}
