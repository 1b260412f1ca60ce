//! Types and documentation as text, for the descriptor.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// A type, formatted as its author would write it.
pub(crate) fn of_type(ty: &impl ToTokens) -> String {
    let mut text = String::new();
    write(&mut text, ty.to_token_stream());
    text
}

fn write(text: &mut String, tokens: TokenStream) {
    // Two adjacent words need a space between them. After some punctuation a space is customary.
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
                    // The start of a lifetime.
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

/// The documentation in these attributes, as an expression of type `&'static str`.
pub(crate) fn of_docs<'a>(attrs: impl IntoIterator<Item = &'a Attribute>) -> TokenStream {
    let values: Vec<_> = values(attrs).collect();
    let lines: Option<Vec<_>> = values.iter().map(|value| line(value)).collect();
    if let Some(lines) = lines {
        let docs = lines.join("\n");
        return quote!(#docs);
    }
    // A value such as `include_str!(..)`, which only the compiler can evaluate.
    let parts = values.iter().enumerate().map(|(index, value)| {
        let end = (index > 0).then(|| quote!("\n",));
        match line(value) {
            Some(line) => quote!(#end #line),
            None => quote!(#end #value),
        }
    });
    quote!(::core::concat!(#(#parts),*))
}

/// The first paragraph of the documentation, for a place where its links and examples would not
/// work. `None` if it is not plain text.
pub(crate) fn summary_of(attrs: &[Attribute]) -> Option<String> {
    let lines: Option<Vec<_>> = values(attrs).map(line).collect();
    let docs = lines?.join("\n");
    let (summary, _) = docs.split_once("\n\n").unwrap_or((&docs, ""));
    let summary = summary.trim();
    let is_plain = !summary.is_empty()
        && !summary.contains(['[', '<', '&'])
        && !summary.starts_with(['#', '~', '|', '>', '-', '*'])
        && !summary.contains("```");
    is_plain.then(|| summary.to_owned())
}

/// The values of the `#[doc = ..]` attributes.
fn values<'a>(attrs: impl IntoIterator<Item = &'a Attribute>) -> impl Iterator<Item = &'a Expr> {
    let docs = (attrs.into_iter()).filter(|attr| attr.path().is_ident("doc"));
    docs.filter_map(|attr| match &attr.meta {
        Meta::NameValue(doc) => Some(&doc.value),
        _ => None,
    })
}

/// The text of a doc comment: a single line without its leading space, several lines without their
/// frame. `None` if the value is not a literal.
fn line(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => {
            let text = text.value();
            if text.contains('\n') {
                return Some(unframed(&text));
            }
            let text = text.strip_prefix(' ').unwrap_or(&text);
            // The space before the end of `/** .. */` is removed. Two trailing spaces are kept,
            // because they are a line break in Markdown.
            let end = text.strip_suffix(' ').filter(|text| !text.ends_with(' '));
            Some(end.unwrap_or(text).to_owned())
        }
        _ => None,
    }
}

/// A comment of several lines, without leading stars if each line has one, and without the common
/// indentation.
fn unframed(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    // The last line may only end the comment. The first has no star, so it is set aside.
    lines.pop_if(|last| last.trim().is_empty());
    let mut first = (!lines.is_empty()).then(|| lines.remove(0));
    if lines.iter().all(|line| line.trim_start().starts_with('*')) {
        for line in &mut lines {
            *line = &line.trim_start()[1..];
        }
        lines.splice(0..0, first.take().filter(|first| !first.trim().is_empty()));
    }
    let first = first.map(str::trim).filter(|first| !first.is_empty());
    let indents = lines.iter().filter(|line| !line.trim().is_empty());
    let indent = indents
        .map(|line| line.len() - line.trim_start().len())
        .min();
    let lines = lines
        .iter()
        .map(|line| line.get(indent.unwrap_or(0)..).unwrap_or("").trim_end());
    first
        .into_iter()
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
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
    fn a_summary_is_the_first_paragraph_if_that_is_plain() {
        let summary = |item: ItemTrait| summary_of(&item.attrs);
        let plain = parse_quote! {
            /// A till,
            /// in a shop.
            ///
            /// See [`Shop`].
            trait Till {}
        };
        assert_eq!(summary(plain).unwrap(), "A till,\nin a shop.");
        for item in [
            parse_quote! { trait Till {} },
            parse_quote! {
                /// A till of a [`Shop`].
                trait Till {}
            },
            parse_quote! {
                /// # Till
                trait Till {}
            },
            parse_quote! {
                #[doc = include_str!("till.md")]
                trait Till {}
            },
        ] {
            assert_eq!(summary(item), None);
        }
    }

    #[test]
    fn docs_may_be_a_block() {
        let item: ItemTrait = parse_quote! {
            /** A till. */
            trait Till {}
        };
        assert_eq!(of_docs(&item.attrs).to_string(), r#""A till.""#);
        let blocks = [
            "/** A till.\n *\n *   Indented.\n */",
            "/**\n * A till.\n *\n *   Indented.\n */",
            "/**\n    A till.\n\n      Indented.\n */",
        ];
        for block in blocks {
            let item: ItemTrait = syn::parse_str(&format!("{block} trait Till {{}}")).unwrap();
            let docs = of_docs(&item.attrs).to_string();
            assert_eq!(docs, r#""A till.\n\n  Indented.""#, "{block}");
        }
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
