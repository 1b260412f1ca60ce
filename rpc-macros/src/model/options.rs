//! The options in `#[rpc_service(..)]` and `#[rpc(..)]`.

use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, Expr, ExprLit, Ident, Lit, LitStr, Meta, MetaNameValue, Path, Token,
    parse_quote,
};

use super::case::Case;
use super::{attributes, duration, wire_name};
use crate::mistakes::Mistakes;

/// The options inside the brackets of an attribute.
pub(super) type Options = Punctuated<Meta, Token![,]>;

/// An attribute of this crate.
struct Kind {
    attribute: &'static str,
    /// The item that it belongs on.
    place: &'static str,
    /// The names of its options.
    names: &'static [&'static str],
}

const OF_SERVICE: Kind = Kind {
    attribute: "#[rpc_service]",
    place: "the trait",
    names: &[
        "prefix",
        "name",
        "rename_all",
        "rename_all_args",
        "dyn_trait",
        "crate",
    ],
};

const OF_METHOD: Kind = Kind {
    attribute: "#[rpc]",
    place: "a method",
    names: &[
        "name",
        "rename_all",
        "timeout",
        "idempotent",
        "one_way",
        "priority",
        "concurrency",
        "queue",
    ],
};

/// The options of `#[rpc_service(..)]`.
pub(crate) struct ServiceOptions {
    /// The prefix of each method's name on the wire.
    pub(crate) prefix: String,
    /// The name of the service, instead of the trait's.
    pub(crate) name: Option<String>,
    /// The case of the names of methods on the wire.
    pub(super) rename_all: Option<Case>,
    /// The case of the names of arguments on the wire.
    pub(super) rename_all_args: Option<Case>,
    /// The name of the generated trait that can be used behind `dyn`.
    pub(crate) dyn_trait: Option<Ident>,
    /// The path of the crate `rpc-core`.
    pub(crate) krate: Path,
}

/// The options of `#[rpc(..)]`.
#[derive(Default)]
pub(crate) struct MethodOptions {
    /// The name on the wire, instead of the method's.
    pub(crate) name: Option<LitStr>,
    /// The case of the method's arguments on the wire.
    pub(crate) rename_all: Option<Case>,
    pub(crate) timeout_millis: Option<u64>,
    pub(crate) priority: Option<u8>,
    pub(crate) concurrency: Option<u16>,
    pub(crate) idempotent: bool,
    pub(crate) one_way: bool,
    /// An expression of type `QueueOptions`.
    pub(crate) queue: Option<Expr>,
}

impl ServiceOptions {
    pub(super) fn parse(attr: &TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut options = Self {
            prefix: String::new(),
            name: None,
            rename_all: None,
            rename_all_args: None,
            dyn_trait: None,
            krate: parse_quote!(::rpc_core),
        };
        let metas = read(Options::parse_terminated.parse2(attr.clone()), mistakes);
        for (name, meta) in named(&metas, &OF_SERVICE, &OF_METHOD, mistakes) {
            match &*name {
                "prefix" => options.prefix = prefix(&name, meta, mistakes),
                "name" => {
                    options.name = text(&name, meta, "Bank", mistakes).map(|text| text.value());
                }
                "rename_all" => options.rename_all = case(&name, meta, mistakes),
                "rename_all_args" => options.rename_all_args = case(&name, meta, mistakes),
                "dyn_trait" => match value(meta) {
                    Some(Expr::Path(path)) if path.path.get_ident().is_some() => {
                        options.dyn_trait = path.path.get_ident().cloned();
                    }
                    _ => mistakes.push(
                        meta,
                        "`dyn_trait` takes the name of the trait to generate, such as `dyn_trait = DynBank`",
                    ),
                },
                _ => match value(meta) {
                    Some(Expr::Path(path)) if path.qself.is_none() => {
                        options.krate = path.path.clone();
                    }
                    _ => {
                        mistakes.push(meta, "`crate` takes a path, such as `crate = my::rpc_core`");
                    }
                },
            }
        }
        options
    }
}

impl MethodOptions {
    pub(super) fn parse(attrs: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut metas = Options::new();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("rpc")) {
            metas.extend(read_attribute(attr, mistakes));
        }
        for attr in attrs
            .iter()
            .filter(|attr| attributes::is_hidden(attr, "rpc"))
        {
            let message = "`#[rpc(..)]` cannot be within a `cfg_attr`: write the method twice, each with its `cfg`";
            mistakes.push(attr, message);
        }
        let mut options = Self::default();
        for (name, meta) in named(&metas, &OF_METHOD, &OF_SERVICE, mistakes) {
            match &*name {
                "name" => options.name = text(&name, meta, "pay", mistakes),
                "rename_all" => options.rename_all = case(&name, meta, mistakes),
                "timeout" => options.timeout_millis = timeout(&name, meta, mistakes),
                "idempotent" => options.idempotent = flag(&name, meta, mistakes),
                "one_way" => options.one_way = flag(&name, meta, mistakes),
                "priority" => options.priority = number(&name, meta, 0, u8::MAX, mistakes),
                "concurrency" => options.concurrency = number(&name, meta, 1, u16::MAX, mistakes),
                _ => match value(meta) {
                    Some(expr) => options.queue = Some(expr.clone()),
                    None => mistakes.push(
                        meta,
                        "`queue` takes an expression, such as `queue = QueueOptions::default().durable(false)`",
                    ),
                },
            }
        }
        options
    }
}

/// The name of the trait for `dyn`, for a service that has a mistake.
pub(crate) fn dyn_trait_of(attr: &TokenStream) -> Option<Ident> {
    ServiceOptions::parse(attr, &mut Mistakes::default()).dyn_trait
}

/// The options of `#[rpc(..)]` or `#[serde(..)]`; empty if they cannot be parsed.
pub(super) fn read_attribute(attr: &Attribute, mistakes: &mut Mistakes) -> Options {
    read(attr.parse_args_with(Options::parse_terminated), mistakes)
}

fn read(options: syn::Result<Options>, mistakes: &mut Mistakes) -> Options {
    options.unwrap_or_else(|error| {
        // syn names what it expected next, which seldom tells the user what to do.
        let message = format!(
            "{error}; options are written `name = value` or `name`, with commas between them"
        );
        mistakes.add(Error::new(error.span(), message));
        Options::new()
    })
}

/// The options with their names. Unknown and duplicate options are mistakes.
fn named<'m>(
    metas: &'m Options,
    kind: &Kind,
    other: &Kind,
    mistakes: &mut Mistakes,
) -> Vec<(String, &'m Meta)> {
    let mut known: Vec<(String, &Meta)> = Vec::new();
    for meta in metas {
        let name = (meta.path().get_ident()).map_or_else(String::new, Ident::to_string);
        let message = if kind.names.contains(&&*name) {
            if known.iter().all(|(other, _)| *other != name) {
                known.push((name, meta));
                continue;
            }
            format!("`{name}` is given twice: remove one")
        } else if other.names.contains(&&*name) {
            let Kind {
                attribute, place, ..
            } = other;
            format!("`{name}` is an option of `{attribute}`, which goes on {place}")
        } else {
            format!("`{}` takes {} only", kind.attribute, listed(kind.names))
        };
        mistakes.push(meta.path(), message);
    }
    known
}

pub(super) fn listed(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.concat(),
    }
}

/// The value, without the invisible group around a value from `macro_rules!`.
fn value(meta: &Meta) -> Option<&Expr> {
    let Meta::NameValue(MetaNameValue { value, .. }) = meta else {
        return None;
    };
    let mut value = value;
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    Some(value)
}

pub(super) fn literal(meta: &Meta) -> Option<&Lit> {
    match value(meta) {
        Some(Expr::Lit(ExprLit { lit, .. })) => Some(lit),
        _ => None,
    }
}

fn text(name: &str, meta: &Meta, example: &str, mistakes: &mut Mistakes) -> Option<LitStr> {
    if let Some(Lit::Str(text)) = literal(meta) {
        return Some(text.clone());
    }
    mistakes.push(
        meta,
        format!("`{name}` takes a text, such as `{name} = \"{example}\"`"),
    );
    None
}

fn prefix(name: &str, meta: &Meta, mistakes: &mut Mistakes) -> String {
    let Some(text) = text(name, meta, "bank.", mistakes) else {
        return String::new();
    };
    match wire_name::check(&text.value()) {
        Ok(()) => text.value(),
        Err(reason) => {
            // An empty prefix, so that the methods do not report the mistake again.
            mistakes.push(text, reason);
            String::new()
        }
    }
}

fn case(name: &str, meta: &Meta, mistakes: &mut Mistakes) -> Option<Case> {
    if let Some(Lit::Str(text)) = literal(meta) {
        let text = text.value();
        if let Some(case) = Case::ALL.into_iter().find(|case| case.name() == text) {
            return Some(case);
        }
    }
    let cases = Case::ALL.map(|case| format!("\"{}\"", case.name()));
    let cases: Vec<_> = cases.iter().map(String::as_str).collect();
    mistakes.push(meta, format!("`{name}` is one of {}", listed(&cases)));
    None
}

fn timeout(name: &str, meta: &Meta, mistakes: &mut Mistakes) -> Option<u64> {
    let text = text(name, meta, "5s", mistakes)?;
    match duration::millis(&text.value()) {
        Ok(millis) => Some(millis),
        Err(reason) => {
            mistakes.push(text, reason);
            None
        }
    }
}

fn flag(name: &str, meta: &Meta, mistakes: &mut Mistakes) -> bool {
    if !matches!(meta, Meta::Path(_)) {
        mistakes.push(
            meta,
            format!("`{name}` takes no value: write `#[rpc({name})]`"),
        );
    }
    true
}

/// A whole number from `least` to `most`.
fn number<N>(name: &str, meta: &Meta, least: N, most: N, mistakes: &mut Mistakes) -> Option<N>
where
    N: Copy + PartialOrd + std::fmt::Display + std::str::FromStr<Err: std::fmt::Display>,
{
    if let Some(Lit::Int(number)) = literal(meta)
        && let Ok(number) = number.base10_parse::<N>()
        && number >= least
    {
        return Some(number);
    }
    mistakes.push(
        meta,
        format!("`{name}` takes a number from {least} to {most}, such as `{name} = 8`"),
    );
    None
}
