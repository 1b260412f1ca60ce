//! The expansion if there is a mistake: enough code that the mistake is the only error.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{
    BoundLifetimes, Error, FnArg, GenericParam, Generics, Ident, Item, ItemTrait, Lifetime, Pat,
    Signature, TraitItem, TraitItemFn, parse_quote,
};

use super::{client, contract, generics, server};
use crate::model::is_conditional;

/// The trait, so that implementations compile, and stand-ins for its client and server.
pub(super) fn expand(
    mut item: ItemTrait,
    dyn_trait: Option<&Ident>,
    mistakes: &Error,
) -> TokenStream {
    repair(&mut item);
    let contract = contract::expand(&item);
    let vis = &item.vis;
    let client = client::ident_of(&item.ident);
    let server = server::ident_of(&item.ident);
    let errors = mistakes.to_compile_error();
    let params = generics::declared(&item);
    let phantom = generics::phantom(&item);
    let dyn_trait = dyn_trait.map(|dyn_trait| {
        let unbound = generics::unbound(&item);
        let names = generics::names(&item);
        quote! {
            #[allow(dead_code, missing_docs)]
            #vis trait #dyn_trait<#params>: ::core::marker::Send + ::core::marker::Sync {}
            impl<__S: ::core::marker::Send + ::core::marker::Sync, #unbound> #dyn_trait<#(#names),*> for __S {}
        }
    });
    // The compiler reports an array whose length is an error only once, and accepts every later use
    // of that type.
    quote! {
        #contract
        #dyn_trait
        #[allow(dead_code, missing_docs)]
        #vis type #client<#params> = ([(); { #errors }], #phantom);
        #[allow(dead_code, missing_docs)]
        #vis type #server<S, #params> = ([(); { #errors }], S, #phantom);
    }
}

/// An item that is not a trait, and the error.
pub(super) fn not_a_trait(item: &Item) -> TokenStream {
    let message = match item {
        Item::Impl(_) => "`#[rpc_service]` goes on the trait, an implementation needs no attribute",
        _ => "`#[rpc_service]` goes on a trait",
    };
    let error = Error::new(Span::call_site(), message).to_compile_error();
    quote! { #error #item }
}

/// An item that syn cannot parse, but the compiler may.
pub(super) fn unreadable(item: &TokenStream, error: &Error) -> TokenStream {
    let error = error.to_compile_error();
    quote! { #error #item }
}

/// Removes what the compiler would report as an error too.
fn repair(item: &mut ItemTrait) {
    item.modifiers.auto_token = None;
    item.supertraits.push(parse_quote!(::core::marker::Sized));
    let mut seen = HashSet::new();
    item.items.retain(|item| match item {
        TraitItem::Fn(method) => {
            is_conditional(&method.attrs) || seen.insert(method.sig.ident.unraw())
        }
        _ => true,
    });
    for method in &mut item.items {
        if let TraitItem::Fn(method) = method {
            repair_method(method);
            declare_lifetimes(&mut method.sig, &item.generics);
        }
    }
}

fn repair_method(method: &mut TraitItemFn) {
    method.sig.constness = None;
    method.sig.variadic = None;
    for input in &mut method.sig.inputs {
        match input {
            FnArg::Receiver(receiver) => receiver.attrs.clear(),
            FnArg::Typed(input) => {
                input.attrs.clear();
                if method.default.is_none() && !matches!(*input.pat, Pat::Wild(_)) {
                    input.pat = parse_quote!(_);
                }
            }
        }
    }
}

/// Declares undeclared lifetimes of arguments, because the mistake to report is that they have
/// names.
fn declare_lifetimes(sig: &mut Signature, of_trait: &Generics) {
    let mut lifetimes = Lifetimes::default();
    for input in &sig.inputs {
        lifetimes.visit_fn_arg(input);
    }
    let declared = of_trait.lifetimes().chain(sig.generics.lifetimes());
    let mut declared: HashSet<_> = declared.map(|param| param.lifetime.clone()).collect();
    declared.extend(lifetimes.declared);
    for lifetime in lifetimes.named {
        if declared.insert(lifetime.clone()) {
            sig.generics.params.insert(0, parse_quote!(#lifetime));
        }
    }
}

/// The lifetimes that arguments name, and those that they declare, such as in `for<'a> Fn(&'a u8)`.
#[derive(Default)]
struct Lifetimes {
    named: Vec<Lifetime>,
    declared: Vec<Lifetime>,
}

impl Visit<'_> for Lifetimes {
    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "_" && lifetime.ident != "static" {
            self.named.push(lifetime.clone());
        }
    }

    fn visit_bound_lifetimes(&mut self, bound: &BoundLifetimes) {
        let lifetimes = bound.lifetimes.iter().filter_map(|param| match param {
            GenericParam::Lifetime(param) => Some(param.lifetime.clone()),
            _ => None,
        });
        self.declared.extend(lifetimes);
    }
}

#[cfg(test)]
mod tests {
    use syn::Item;

    use super::*;

    #[test]
    fn what_syn_cannot_read_is_left_to_the_compiler() {
        let item: TokenStream = quote!(trait Shop { brand new syntax });
        let error = syn::parse2::<Item>(item.clone()).err().unwrap();
        let expanded = unreadable(&item, &error).to_string();
        assert!(expanded.contains("compile_error"), "{expanded}");
        assert!(expanded.ends_with(&item.to_string()), "{expanded}");
    }
}
