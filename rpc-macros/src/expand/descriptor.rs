//! The service as data: a constant for each method, and one of them all.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::Ident;
use syn::ext::IdentExt;

use crate::model::{Arg, Method, MethodOptions, Service, conditions, of_docs, of_type};

/// The constants of the methods.
pub(super) fn expand_methods(service: &Service<'_>) -> TokenStream {
    let methods = service.methods.iter().map(|method| {
        let Method { name, args, .. } = method;
        let cfgs = conditions(method.attrs);
        let constant = ident_of(method);
        let docs = of_docs(method.attrs);
        let args = args.iter().map(|arg| expand_arg(arg));
        let returns = method.returns.ty().map_or_else(|| "()".into(), of_type);
        let options = expand_options(&method.options);
        quote! {
            #(#cfgs)*
            const #constant: __rpc::MethodDescriptor =
                __rpc::MethodDescriptor::new(#name, #docs, &[#(#args),*], #returns)#options;
        }
    });
    quote!(#(#methods)*)
}

/// The descriptor of the service.
pub(super) fn expand_service(service: &Service<'_>) -> TokenStream {
    let docs = of_docs(&service.item.attrs);
    let own = service.item.ident.unraw().to_string();
    let name = service.options.name.as_ref().unwrap_or(&own);
    let methods = service.methods.iter().map(|method| {
        let cfgs = conditions(method.attrs);
        let constant = ident_of(method);
        quote!(#(#cfgs)* #constant)
    });
    quote!(__rpc::ServiceDescriptor::new(#name, #docs, &[#(#methods),*]))
}

/// The name of the constant of a method. Not in capitals, in which two methods might have the same name.
pub(super) fn ident_of(method: &Method<'_>) -> Ident {
    format_ident!("__{}", method.ident.unraw())
}

fn expand_arg(arg: &Arg<'_>) -> TokenStream {
    let name = &arg.name;
    let ty = of_type(arg.ty);
    let optional = arg.optional.then(|| quote!(.optional()));
    quote!(__rpc::ArgumentDescriptor::new(#name, #ty)#optional)
}

fn expand_options(options: &MethodOptions) -> TokenStream {
    let MethodOptions {
        name: _,
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
