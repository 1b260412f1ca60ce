//! Types and documentation as texts, for the descriptor.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// A type as its author would write it.
pub(crate) fn of_type(ty: &impl ToTokens) -> String {
    let mut text = String::new();
    write(&mut text, ty.to_token_stream());
    text
}

fn write(text: &mut String, tokens: TokenStream) {
    // Between two words there has to be a space, after some signs there is one by custom.
    let mut word = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                text.push_str(if word { " " } else { "" });
                text.push_str(&ident.to_string());
                word = true;
            }
            TokenTree::Literal(literal) => {
                text.push_str(if word { " " } else { "" });
                text.push_str(&literal.to_string());
                word = true;
            }
            TokenTree::Punct(punct) => {
                let joint = punct.spacing() == Spacing::Joint;
                match punct.as_char() {
                    // The sign of a lifetime.
                    '\'' => text.push_str(if word { " '" } else { "'" }),
                    sign @ (',' | ';') => text.extend([sign, ' ']),
                    '+' => text.push_str(" + "),
                    '=' => text.push_str(" = "),
                    '-' if joint => text.push_str(" -"),
                    '>' if text.ends_with('-') => text.push_str("> "),
                    sign => text.push(sign),
                }
                word = false;
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(text, group.stream());
                text.push_str(close);
                word = false;
            }
        }
    }
}

/// The documentation among these attributes, as an expression of the type `&'static str`.
pub(crate) fn of_docs(attrs: &[Attribute]) -> TokenStream {
    let docs = attrs.iter().filter(|attr| attr.path().is_ident("doc"));
    let values: Vec<_> = docs
        .filter_map(|attr| match &attr.meta {
            Meta::NameValue(doc) => Some(&doc.value),
            _ => None,
        })
        .collect();
    let lines: Option<Vec<_>> = values.iter().map(|value| line(value)).collect();
    if let Some(lines) = lines {
        let docs = lines.join("\n");
        return quote!(#docs);
    }
    // Such as `include_str!`, which only the compiler can read.
    let parts = values.iter().enumerate().map(|(index, value)| {
        let end = (index > 0).then(|| quote!("\n",));
        match line(value) {
            Some(line) => quote!(#end #line),
            None => quote!(#end #value),
        }
    });
    quote!(::core::concat!(#(#parts),*))
}

/// A line of a comment, without the space that it starts with.
fn line(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => {
            let text = text.value();
            Some(text.strip_prefix(' ').unwrap_or(&text).to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use syn::{ItemTrait, Type, parse_quote};

    use super::*;

    #[test]
    fn types_are_as_written() {
        for written in [
            "Vec<u8>",
            "Option<&'static dyn Iterator<Item = (u8, [u8; 4])>>",
            "std::collections::BTreeMap<String, Vec<bank::Item>>",
            "Box<dyn Fn(u8, &str) -> bool + Send>",
            "<T as Store>::Item",
            "()",
        ] {
            let ty: Type = syn::parse_str(written).unwrap();
            assert_eq!(of_type(&ty), written);
        }
    }

    #[test]
    fn docs_are_lines() {
        let item: ItemTrait = parse_quote! {
            /// A till.
            ///
            ///   Indented.
            #[doc(hidden)]
            trait Till {}
        };
        assert_eq!(
            of_docs(&item.attrs).to_string(),
            r#""A till.\n\n  Indented.""#
        );
    }

    #[test]
    fn docs_of_other_macros_are_left_to_the_compiler() {
        let item: ItemTrait = parse_quote! {
            /// A till.
            #[doc = include_str!("till.md")]
            trait Till {}
        };
        let docs = of_docs(&item.attrs).to_string();
        assert_eq!(
            docs.replace(' ', ""),
            r#"::core::concat!("Atill.","\n",include_str!("till.md"))"#
        );
    }
}
