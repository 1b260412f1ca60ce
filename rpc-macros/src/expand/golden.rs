//! Compares expansions with the readable ones in `tests/expand`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Item, ItemTrait, Meta, parse_file};

#[test]
fn smallest() {
    compare("smallest");
}

#[test]
fn returns() {
    compare("returns");
}

#[test]
fn attributes() {
    compare("attributes");
}

#[test]
fn options() {
    compare("options");
}

#[test]
fn arguments() {
    compare("arguments");
}

#[test]
fn generic() {
    compare("generic");
}

/// Expands the traits of `tests/expand/{name}.rs`, and compares with `{name}.expanded.rs`.
fn compare(name: &str) {
    let source = fs::read_to_string(folder().join(format!("{name}.rs"))).unwrap();
    let expanded = prettyplease::unparse(&expand_all(&source));

    let golden = folder().join(format!("{name}.expanded.rs"));
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&golden, &expanded).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        expanded == expected,
        "{} is out of date, `UPDATE_EXPECT=1 cargo test -p rpc-macros` writes it anew; now it is:\n\n{expanded}",
        golden.display(),
    );
}

/// A method adds about 12 lines to the code besides the trait itself, so that the code can be read;
/// the logic is in rpc-core. Each method appears again for `Arc<S>` and for the client, which
/// either implements the trait or carries the message why it does not. A struct for serde doubles
/// the lines.
#[test]
fn a_method_adds_few_lines() {
    let most = [
        ("smallest", 35),
        ("options", 29),
        ("returns", 27),
        ("attributes", 28),
        ("generic", 23),
        ("arguments", 43),
    ];
    let added = most.map(|(name, _)| {
        let source = fs::read_to_string(folder().join(format!("{name}.rs"))).unwrap();
        let Some(Item::Trait(item)) = parse_file(&source).unwrap().items.pop() else {
            panic!("{name} is no trait");
        };
        let mut empty = item.clone();
        empty.items.clear();
        let methods = item.items.len();
        (name, (lines(item) - lines(empty)).div_ceil(methods))
    });
    let is_more = added.iter().zip(&most).any(|(added, most)| added > most);
    assert!(!is_more, "lines for each method: {added:?}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expand")
}

/// The number of lines besides the trait itself, as prettyplease formats them. A signature counts
/// as one line however it is broken, because it is the user's.
fn lines(item: ItemTrait) -> usize {
    let mut file = expand(item);
    file.items.retain(|item| !matches!(item, Item::Trait(_)));
    let mut lines = 0;
    let mut within_signature = false;
    for line in prettyplease::unparse(&file).lines().map(str::trim) {
        lines += usize::from(!within_signature);
        let starts = line.contains("fn ") && line.ends_with('(');
        within_signature = (within_signature || starts) && !line.ends_with('{');
    }
    lines
}

fn expand_all(source: &str) -> syn::File {
    let mut file = parse_file(source).unwrap();
    let items = std::mem::take(&mut file.items);
    for item in items {
        match item {
            Item::Trait(item) => file.items.extend(expand(item).items),
            other => file.items.push(other),
        }
    }
    file
}

/// Expands a trait below its `#[rpc_service]`.
fn expand(mut item: ItemTrait) -> syn::File {
    let is_ours = |attr: &mut Attribute| attr.path().is_ident("rpc_service");
    let attr = item.attrs.extract_if(.., is_ours).next().unwrap();
    let options = match attr.meta {
        Meta::List(list) => list.tokens,
        _ => TokenStream::new(),
    };
    syn::parse2(super::expand(options, item.into_token_stream())).unwrap()
}
