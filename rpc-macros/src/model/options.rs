//! The options in `#[rpc_service(..)]` and `#[rpc(..)]`.

use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, MetaNameValue, Path, Token, parse_quote,
};

use super::duration;
use crate::mistakes::Mistakes;

/// What `#[rpc_service(..)]` says.
pub(crate) struct ServiceOptions {
    /// What comes before the name of each method on the wire.
    pub(crate) prefix: String,
    /// The name of the service, instead of the trait's.
    pub(crate) name: Option<String>,
    /// Where `rpc-core` is.
    pub(crate) krate: Path,
}

/// What `#[rpc(..)]` says.
#[derive(Default)]
pub(crate) struct MethodOptions {
    /// The name on the wire, instead of the method's.
    pub(crate) name: Option<LitStr>,
    pub(crate) timeout_millis: Option<u64>,
    pub(crate) priority: Option<u8>,
    pub(crate) concurrency: Option<u16>,
    pub(crate) idempotent: bool,
    pub(crate) one_way: bool,
    /// An expression of the type `QueueOptions`.
    pub(crate) queue: Option<Expr>,
}

impl ServiceOptions {
    pub(super) fn parse(attr: &TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut options = Self {
            prefix: String::new(),
            name: None,
            krate: parse_quote!(::rpc_core),
        };
        let metas = match Punctuated::<Meta, Token![,]>::parse_terminated.parse2(attr.clone()) {
            Ok(metas) => metas,
            Err(error) => {
                mistakes.add(error);
                return options;
            }
        };
        let names = ["prefix", "name", "crate"];
        for (name, meta) in named(&metas, "#[rpc_service]", &names, mistakes) {
            match &*name {
                "prefix" => {
                    let text = text(&name, meta, "bank.", mistakes);
                    options.prefix = text.map(|text| text.value()).unwrap_or_default();
                }
                "name" => {
                    options.name = text(&name, meta, "Bank", mistakes).map(|text| text.value());
                }
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
        let mut metas = Punctuated::<Meta, Token![,]>::new();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("rpc")) {
            match attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
                Ok(more) => metas.extend(more),
                Err(error) => mistakes.add(error),
            }
        }
        let names = [
            "name",
            "timeout",
            "idempotent",
            "one_way",
            "priority",
            "concurrency",
            "queue",
        ];
        let mut options = Self::default();
        for (name, meta) in named(&metas, "#[rpc]", &names, mistakes) {
            match &*name {
                "name" => options.name = text(&name, meta, "pay", mistakes),
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

/// The options with their names; those that are unknown or there twice are mistakes.
fn named<'m>(
    metas: &'m Punctuated<Meta, Token![,]>,
    attribute: &str,
    names: &[&str],
    mistakes: &mut Mistakes,
) -> Vec<(String, &'m Meta)> {
    let mut known: Vec<(String, &Meta)> = Vec::new();
    for meta in metas {
        let name = meta.path().get_ident().map(Ident::to_string);
        match name.filter(|name| names.contains(&&**name)) {
            None => mistakes.push(
                meta.path(),
                format!("`{attribute}` takes {} only", listed(names)),
            ),
            Some(name) if known.iter().any(|(other, _)| *other == name) => {
                mistakes.push(meta.path(), format!("`{name}` is given twice"));
            }
            Some(name) => known.push((name, meta)),
        }
    }
    known
}

fn listed(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.concat(),
    }
}

/// The value, without the invisible group that one out of `macro_rules!` is in.
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

fn literal(meta: &Meta) -> Option<&Lit> {
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
        mistakes.push(meta, format!("`{name}` takes no value"));
    }
    true
}

/// A whole number from `least` up to the greatest of its type.
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
