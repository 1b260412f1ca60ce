//! An argument: its name on the wire, and how it is passed.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Ident, Lit, Pat, PatType, PathArguments, Type, parse_quote};

use super::attributes::is_text;
use super::case::Case;
use super::passing::{Passing, cow_with, may_be_cow, option_of};
use super::returns::visible;
use super::{options, travel};
use crate::mistakes::Mistakes;

/// The serde options that an argument may have. Of serde's options for fields it lacks `borrow` and
/// `getter`, which make no sense on an argument, and `skip` and its variants, because an argument
/// must travel.
const OF_SERDE: [&str; 9] = [
    "alias",
    "bound",
    "default",
    "deserialize_with",
    "flatten",
    "rename",
    "serialize_with",
    "skip_serializing_if",
    "with",
];

/// An argument.
pub(crate) struct Arg<'a> {
    pub(crate) ident: &'a Ident,
    /// The name on the wire.
    pub(crate) name: String,
    pub(crate) ty: &'a Type,
    pub(crate) passing: Passing<'a>,
    /// Whether a caller may leave it out.
    pub(crate) optional: Optional,
    /// Its serde attributes.
    pub(crate) serde: Vec<&'a Attribute>,
    /// Its documentation.
    pub(crate) docs: Vec<&'a Attribute>,
    /// The names of the options in its serde attributes.
    serde_options: Vec<String>,
}

/// Whether an argument may be left out.
#[derive(Clone, Copy)]
pub(crate) enum Optional {
    No,
    /// If its type, which is named `Option`, really is one.
    Option,
    /// It has a default.
    Default,
}

impl<'a> Arg<'a> {
    /// Parses an argument whose name on the wire is in this case.
    pub(super) fn parse(
        input: &'a PatType,
        case: Option<Case>,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let ident = match &*input.pat {
            Pat::Ident(pat)
                if pat.by_ref.is_none() && pat.mutability.is_none() && pat.subpat.is_none() =>
            {
                &pat.ident
            }
            other => {
                mistakes.push(
                    other,
                    "an argument has a plain name, which is its name on the wire: a pattern, or `mut`, goes into the body",
                );
                return None;
            }
        };
        let (serde, others): (Vec<_>, Vec<_>) =
            (input.attrs.iter()).partition(|attr| attr.path().is_ident("serde"));
        let (docs, others): (Vec<_>, Vec<_>) = (others.into_iter()).partition(|attr| is_text(attr));
        for attr in others {
            mistakes.push(
                attr,
                "an argument has no attributes but its documentation and those of serde, such as \
                 `#[serde(rename = \"..\")]`",
            );
        }
        let name = ident.unraw().to_string();
        let mut arg = Self {
            ident,
            name: case.map_or_else(|| name.clone(), |case| case.of(&name)),
            ty: &input.ty,
            passing: Passing::of(&input.ty),
            optional: Optional::No,
            serde,
            docs,
            serde_options: Vec::new(),
        };
        for attr in arg.serde.clone() {
            arg.read_serde(attr, mistakes);
        }
        // With `with`, serde requires the value to be present.
        let with = arg.has_serde("with") || arg.has_serde("deserialize_with");
        if arg.has_serde("default") {
            arg.optional = Optional::Default;
        } else if option_of(&input.ty).is_some() && !with && !arg.has_serde("flatten") {
            arg.optional = Optional::Option;
        }
        Some(arg)
    }

    /// Reads what a serde attribute changes about how callers see the argument. serde itself checks
    /// the values.
    fn read_serde(&mut self, attr: &Attribute, mistakes: &mut Mistakes) {
        for meta in options::read_attribute(attr, mistakes) {
            let name = (meta.path().get_ident()).map_or_else(String::new, Ident::to_string);
            if name.starts_with("skip") && name != "skip_serializing_if" {
                let message = "an argument travels: take one that does not out of the signature, or give it a \
                               `default` so that callers may leave it out";
                mistakes.push(meta.path(), message);
            } else if !OF_SERDE.contains(&&*name) {
                // serde reports this too. Because serde then generates nothing, the compiler
                // reports a further error.
                let message = format!(
                    "of serde an argument takes {} only",
                    options::listed(&OF_SERDE)
                );
                mistakes.push(meta.path(), message);
            }
            if name == "rename" {
                match options::literal(&meta) {
                    Some(Lit::Str(renamed)) => self.name = renamed.value(),
                    // serde reports any other literal.
                    Some(_) => {}
                    None => mistakes.push(
                        &meta,
                        "an argument has one name on the wire: write `rename = \"..\"`, and `alias = \"..\"` for \
                         what the server takes besides",
                    ),
                }
            }
            self.serde_options.push(name);
        }
    }

    /// Whether its type has an elided lifetime.
    pub(crate) fn has_lifetime(&self) -> bool {
        !matches!(self.passing, Passing::Owned)
    }

    /// The type with `()` as the content of its `Option`.
    pub(crate) fn option_of_nothing(&self) -> Type {
        let mut ty = visible(self.ty).clone();
        if let Type::Path(path) = &mut ty
            && let Some(last) = path.path.segments.last_mut()
        {
            last.arguments = PathArguments::AngleBracketed(parse_quote!(<()>));
        }
        ty
    }

    /// Whether its type is an `Option`.
    pub(crate) fn is_option(&self) -> bool {
        option_of(self.ty).is_some()
    }

    /// Whether a serde attribute has this option.
    pub(crate) fn has_serde(&self, option: &str) -> bool {
        self.serde_options.iter().any(|own| own == option)
    }

    /// Whether `None` is omitted from the body of a call. serde attributes may change this.
    pub(crate) fn leaves_out_none(&self) -> bool {
        let overrides = ["flatten", "serialize_with", "skip_serializing_if", "with"];
        self.is_option() && !overrides.iter().any(|option| self.has_serde(option))
    }

    /// Checks that the type means the same on both sides. If generated code names its lifetimes,
    /// also checks that it shows all of them.
    pub(super) fn check_type(&self, names_lifetimes: bool, mistakes: &mut Mistakes) {
        if names_lifetimes && may_be_cow(self.ty) {
            let message = "beside arguments with attributes of serde, and with `dyn_trait`, a `Cow` shows that it \
                           borrows: write `Cow<'_, T>` (and give a type of your own with this name another one)";
            mistakes.push(self.ty, message);
        }
        match self.passing {
            Passing::Owned => travel::check_arg(self.ty, mistakes),
            Passing::Lent(ty) | Passing::LentOption(ty) | Passing::Cow(ty) => {
                travel::check_arg(ty, mistakes);
            }
        }
    }

    /// The type that the server decodes, and from which it lends to the method if the method
    /// borrows.
    pub(crate) fn owned(&self) -> TokenStream {
        match self.passing {
            Passing::Owned => self.ty.to_token_stream(),
            Passing::Lent(ty) => quote!(::std::boxed::Box<#ty>),
            Passing::LentOption(ty) => quote!(::core::option::Option<::std::boxed::Box<#ty>>),
            Passing::Cow(_) => cow_with(self.ty, &quote!('static)),
        }
    }

    /// The type with this lifetime, if it borrows.
    pub(crate) fn with_lifetime(&self, lifetime: &TokenStream) -> TokenStream {
        match self.passing {
            Passing::Owned => self.ty.to_token_stream(),
            Passing::Lent(ty) => quote!(&#lifetime #ty),
            Passing::LentOption(ty) => quote!(::core::option::Option<&#lifetime #ty>),
            Passing::Cow(_) => cow_with(self.ty, lifetime),
        }
    }

    /// The expression that the method is passed, made from the decoded value.
    pub(crate) fn pass(&self, value: TokenStream) -> TokenStream {
        match self.passing {
            Passing::Owned | Passing::Cow(_) => value,
            Passing::Lent(_) => quote!(&#value),
            Passing::LentOption(_) => quote!(#value.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use syn::{FnArg, TraitItemFn};

    use super::*;

    /// The name, what the server decodes, and what it passes.
    fn arg(arg: &str) -> (String, String, String) {
        let method: TraitItemFn = syn::parse_str(&format!("fn f({arg});")).unwrap();
        let mut mistakes = Mistakes::default();
        let Some(FnArg::Typed(input)) = method.sig.inputs.first() else {
            panic!("no argument");
        };
        let arg = Arg::parse(input, None, &mut mistakes).unwrap();
        mistakes.none_or(()).unwrap();
        let text = |tokens: TokenStream| tokens.to_string().replace(' ', "");
        (
            arg.name.clone(),
            text(arg.owned()),
            text(arg.pass(quote!(x))),
        )
    }

    #[test]
    fn what_is_borrowed_is_owned_by_the_server() {
        let three = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(arg("a: u8"), three("a", "u8", "x"));
        assert_eq!(arg("a: &str"), three("a", "::std::boxed::Box<str>", "&x"));
        assert_eq!(arg("a: &[u8]"), three("a", "::std::boxed::Box<[u8]>", "&x"));
        assert_eq!(
            arg("a: Option<&str>"),
            three(
                "a",
                "::core::option::Option<::std::boxed::Box<str>>",
                "x.as_deref()"
            )
        );
        assert_eq!(arg("a: Cow<str>"), three("a", "Cow<str>", "x"));
        assert_eq!(arg("a: Cow<'_, str>"), three("a", "Cow<'static,str>", "x"));
        assert_eq!(
            arg("a: std::borrow::Cow<'_, [u8]>"),
            three("a", "std::borrow::Cow<'static,[u8]>", "x")
        );
        assert_eq!(arg("a: Option<u8>"), three("a", "Option<u8>", "x"));
    }

    #[test]
    fn the_name_on_the_wire_is_serdes() {
        assert_eq!(arg("r#type: u8").0, "type");
        assert_eq!(arg("#[serde(default, rename = \"to\")] a: u8").0, "to");
    }
}
