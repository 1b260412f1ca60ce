//! Compares expansions with those in `tests/expand`, which are there to be read.

use std::path::Path;
use std::{env, fs};

use quote::ToTokens;
use syn::{Item, ItemTrait, parse_file};

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

/// Expands the traits of `tests/expand/{name}.rs`, and compares with `{name}.expanded.rs`.
fn compare(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expand");
    let source = fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
    let expanded = prettyplease::unparse(&expand_all(&source));

    let methods = parse_file(&source).unwrap().items.into_iter();
    for item in methods {
        if let Item::Trait(item) = item {
            eprintln!("{}: {}", item.ident, lines_for_each_method(&item));
        }
    }

    let golden = folder.join(format!("{name}.expanded.rs"));
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

/// The lines that there are for each method besides the trait itself, as an average. A signature counts for one,
/// on however many it is: it is the user's.
fn lines_for_each_method(item: &ItemTrait) -> usize {
    let lines = |item: &ItemTrait| {
        let expanded = super::expand(Default::default(), item.to_token_stream());
        let mut file: syn::File = syn::parse2(expanded).unwrap();
        file.items.retain(|item| !matches!(item, Item::Trait(_)));
        let text = prettyplease::unparse(&file);
        let mut lines = 0;
        let mut within_signature = false;
        for line in text.lines().map(str::trim) {
            lines += usize::from(!within_signature);
            let starts = line.contains("fn ") && line.ends_with('(');
            within_signature = (within_signature || starts) && !line.ends_with('{');
        }
        lines
    };
    let mut empty = item.clone();
    empty.items.clear();
    (lines(item) - lines(&empty)).div_ceil(item.items.len())
}

fn expand_all(source: &str) -> syn::File {
    let mut file = parse_file(source).unwrap();
    let items = std::mem::take(&mut file.items);
    for item in items {
        match item {
            Item::Trait(mut item) => {
                item.attrs
                    .retain(|attr| !attr.path().is_ident("rpc_service"));
                let expanded = super::expand(Default::default(), item.into_token_stream());
                file.items
                    .extend(syn::parse2::<syn::File>(expanded).unwrap().items);
            }
            other => file.items.push(other),
        }
    }
    file
}
