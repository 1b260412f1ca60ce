//! Compares expansions with those in `tests/expand`, which are there to be read.

use std::path::Path;
use std::{env, fs};

use quote::ToTokens;
use syn::{Item, parse_file};

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
