//! The service as data: a constant for each method, and one for the service.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;

use super::generics;
use super::types::{place_of, probe};
use crate::model::{
    Arg, Method, MethodOptions, Optional, Service, allowances, conditions, is_text, of_docs,
    of_type,
};

/// The constants of the methods. They are associated constants of a type, because an argument may
/// have any name, and a constant in scope with that name would shadow the argument.
pub(super) fn expand_methods(service: &Service<'_>) -> TokenStream {
    let asks = (service.methods.iter()).any(|method| {
        method.args.iter().any(may_be_option) || unknown_value(service, method).is_some()
    });
    let import = asks.then(|| {
        quote!(
            use __rpc::Other as _;
        )
    });
    let methods = service.methods.iter().map(|method| {
        let Method { ident, name, .. } = method;
        let (cfgs, allows) = (conditions(method.attrs), allowances(method.attrs));
        let returns = expand_returns(service, method);
        let args = expand_args(service, method);
        let docs = (method.attrs.iter().any(is_text)).then(|| {
            let docs = of_docs(method.attrs);
            quote!(.docs(#docs))
        });
        let options = expand_options(&method.options);
        quote! {
            #(#cfgs)*
            #(#allows)*
            const #ident: __rpc::Descriptor = __rpc::describe(#name, #returns) #args #docs #options.build();
        }
    });
    quote! {
        #import
        enum __Method {}

        impl __Method {
            #(#methods)*
        }
    }
}

/// The descriptor of the service.
pub(super) fn expand_service(service: &Service<'_>) -> TokenStream {
    let docs = of_docs(&service.item.attrs);
    let own = service.item.ident.unraw().to_string();
    let name = service.options.name.as_ref().unwrap_or(&own);
    let methods = service.methods.iter().map(|method| {
        let cfgs = conditions(method.attrs);
        let constant = path_of(method);
        quote!(#(#cfgs)* #constant)
    });
    quote!(__rpc::describe_service(#name, #docs, &[#(#methods),*]))
}

/// The constant of a method.
pub(super) fn path_of(method: &Method<'_>) -> TokenStream {
    let ident = method.ident;
    quote!(__Method::#ident)
}

/// The returned type, as written in the source.
fn expand_returns(service: &Service<'_>, method: &Method<'_>) -> TokenStream {
    let text = method.returns.ty().map_or_else(|| "()".into(), of_type);
    match unknown_value(service, method) {
        Some(ty) => {
            let known = probe(ty);
            quote_spanned!(place_of(ty)=> __rpc::value_type(#text, #known::IS_RESULT))
        }
        None => quote!(#text),
    }
}

/// The type that counts as a value, if the compiler has to check that it is not a `Result`. The
/// constants are not generic, so a type that mentions a parameter is judged by its name alone.
fn unknown_value<'a>(service: &Service<'_>, method: &Method<'a>) -> Option<&'a Type> {
    let unknown = method.returns.of_unknown_kind();
    unknown.filter(|ty| !generics::has_params_of(service.item, ty))
}

fn expand_args(service: &Service<'_>, method: &Method<'_>) -> Option<TokenStream> {
    if method.args.is_empty() {
        return None;
    }
    let args = method.args.iter().map(|arg| {
        let (name, ty) = (&arg.name, of_type(arg.ty));
        let options = expand_presence(service, arg);
        let docs = (!arg.docs.is_empty()).then(|| {
            let docs = of_docs(arg.docs.iter().copied());
            quote!(.docs(#docs))
        });
        quote!(__rpc::arg(#name, #ty) #options #docs)
    });
    Some(quote!(.args(&__rpc::args([#(#args),*]))))
}

/// Whether an argument may be omitted, or collects other arguments.
fn expand_presence(service: &Service<'_>, arg: &Arg<'_>) -> Option<TokenStream> {
    if arg.has_serde("flatten") {
        return Some(quote!(.flattened()));
    }
    match arg.optional {
        Optional::No => None,
        Optional::Option => {
            // The constants are not generic, and the content of an `Option` makes no difference.
            let known = if generics::has_params_of(service.item, arg.ty) {
                probe(&arg.option_of_nothing())
            } else {
                probe(arg.ty)
            };
            Some(quote_spanned!(place_of(arg.ty)=> .optional(#known::IS_OPTION)))
        }
        Optional::Default => Some(quote!(.optional(true))),
    }
}

fn may_be_option(arg: &Arg<'_>) -> bool {
    matches!(arg.optional, Optional::Option) || arg.leaves_out_none()
}

fn expand_options(options: &MethodOptions) -> TokenStream {
    let MethodOptions {
        name: _,
        rename_all: _,
        timeout_millis,
        priority,
        concurrency,
        idempotent,
        one_way,
        queue,
    } = options;
    let timeout = timeout_millis.map(|millis| quote!(.timeout_millis(#millis)));
    let priority = priority.map(|priority| quote!(.priority(#priority)));
    let concurrency = concurrency.map(|calls| quote!(.concurrency(#calls)));
    let idempotent = idempotent.then(|| quote!(.idempotent()));
    let one_way = one_way.then(|| quote!(.one_way()));
    let queue = queue.as_ref().map(|queue| quote!(.queue(|| #queue)));
    quote!(#timeout #priority #concurrency #idempotent #one_way #queue)
}
