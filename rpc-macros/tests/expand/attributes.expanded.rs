#[allow(clippy::type_complexity)]
/// Words of Rust as names, conditions, and a method with a body.
pub(crate) trait Catalogue: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Finds the items of a type.
    #[deprecated = "use `search`"]
    fn r#match(
        &self,
        r#type: String,
    ) -> impl ::core::future::Future<Output = Vec<Item>> + ::core::marker::Send;
    #[cfg(feature = "stock")]
    #[must_use]
    fn stock(
        &self,
        item: Item,
    ) -> impl ::core::future::Future<Output = u32> + ::core::marker::Send {
        async move { self.search(item.name).await.len() as u32 }
    }
    #[doc(hidden)]
    fn search(
        &self,
        text: String,
    ) -> impl ::core::future::Future<Output = Vec<Item>> + ::core::marker::Send;
}
/// Calls the methods of [`Catalogue`](trait@Catalogue) on a server. A cheap clone.
#[allow(dead_code)]
pub(crate) struct CatalogueClient {
    rpc: ::rpc_core::Rpc,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
/// Serves an implementation of [`Catalogue`](trait@Catalogue). A cheap clone.
#[allow(dead_code)]
pub(crate) struct CatalogueServer<S: ?::core::marker::Sized> {
    service: ::std::sync::Arc<S>,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
#[allow(dead_code, deprecated, non_camel_case_types, non_upper_case_globals)]
#[allow(clippy::too_many_arguments, clippy::used_underscore_binding)]
const _: () = {
    use ::rpc_core::__private as __rpc;
    enum __Method {}
    impl __Method {
        const r#match: __rpc::Descriptor = __rpc::describe("match", "Vec<Item>")
            .args(&__rpc::args([__rpc::arg("type", "String")]))
            .docs("Finds the items of a type.")
            .build();
        #[cfg(feature = "stock")]
        const stock: __rpc::Descriptor = __rpc::describe("stock", "u32")
            .args(&__rpc::args([__rpc::arg("item", "Item")]))
            .build();
        const search: __rpc::Descriptor = __rpc::describe("search", "Vec<Item>")
            .args(&__rpc::args([__rpc::arg("text", "String")]))
            .build();
    }
    impl CatalogueClient {
        /// What [`Catalogue`](trait@Catalogue) declares, as data.
        pub(crate) const DESCRIPTOR: __rpc::ServiceDescriptor = __rpc::describe_service(
            "Catalogue",
            "Words of Rust as names, conditions, and a method with a body.",
            &[
                __Method::r#match,
                #[cfg(feature = "stock")]
                __Method::stock,
                __Method::search,
            ],
        );
        /// A client that calls through `rpc`.
        #[must_use]
        pub(crate) fn new(rpc: &__rpc::Rpc) -> Self {
            ::core::convert::From::from(rpc)
        }
    }
    impl CatalogueClient {
        /// Finds the items of a type.
        ///
        /// Calls `match`: see [`Catalogue::match`](method@Catalogue::match).
        #[deprecated = "use `search`"]
        pub(crate) fn r#match(&self, r#type: String) -> __rpc::Call<Vec<Item>> {
            __rpc::call(&self.rpc, &__Method::r#match, __rpc::value::<Vec<Item>>())
                .args([__rpc::owned().of(&r#type)])
        }
        /// Calls `stock`: see [`Catalogue::stock`](method@Catalogue::stock).
        #[cfg(feature = "stock")]
        pub(crate) fn stock(&self, item: Item) -> __rpc::Call<u32> {
            __rpc::call(&self.rpc, &__Method::stock, __rpc::value())
                .args([__rpc::owned().of(&item)])
        }
        /// Calls `search`: see [`Catalogue::search`](method@Catalogue::search).
        #[doc(hidden)]
        pub(crate) fn search(&self, text: String) -> __rpc::Call<Vec<Item>> {
            __rpc::call(&self.rpc, &__Method::search, __rpc::value::<Vec<Item>>())
                .args([__rpc::owned().of(&text)])
        }
    }
    impl ::core::convert::From<&__rpc::Rpc> for CatalogueClient {
        fn from(rpc: &__rpc::Rpc) -> Self {
            Self {
                rpc: ::core::clone::Clone::clone(rpc),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl ::core::clone::Clone for CatalogueClient {
        fn clone(&self) -> Self {
            ::core::convert::From::from(&self.rpc)
        }
    }
    impl ::core::fmt::Debug for CatalogueClient {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("CatalogueClient")
                .field("rpc", &self.rpc)
                .finish_non_exhaustive()
        }
    }
    impl<S> CatalogueServer<S> {
        /// A server of `service`, to be passed to [`Rpc::serve`](::rpc_core::Rpc::serve).
        #[must_use]
        pub(crate) fn new(service: S) -> Self {
            ::core::convert::From::from(::std::sync::Arc::new(service))
        }
    }
    impl<S: ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<S>>
    for CatalogueServer<S> {
        fn from(service: ::std::sync::Arc<S>) -> Self {
            Self {
                service,
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S: ?::core::marker::Sized> ::core::clone::Clone for CatalogueServer<S> {
        fn clone(&self) -> Self {
            ::core::convert::From::from(::core::clone::Clone::clone(&self.service))
        }
    }
    impl<S: ?::core::marker::Sized> ::core::fmt::Debug for CatalogueServer<S> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("CatalogueServer").finish_non_exhaustive()
        }
    }
    impl<__S: Catalogue + ?::core::marker::Sized> __rpc::Service
    for CatalogueServer<__S> {
        fn into_methods(self) -> ::std::vec::Vec<__rpc::Method> {
            let s = &self.service;
            ::core::convert::From::from([
                __rpc::method(s, &__Method::r#match, __rpc::value::<Vec<Item>>())
                    .args((__rpc::owned(), ()))
                    .run(|s, (r#type, ()), encode| __rpc::respond(
                        encode,
                        async move { Catalogue::r#match(&*s, r#type).await },
                    )),
                #[cfg(feature = "stock")]
                __rpc::method(s, &__Method::stock, __rpc::value())
                    .args((__rpc::owned(), ()))
                    .run(|s, (item, ()), encode| __rpc::respond(
                        encode,
                        async move { Catalogue::stock(&*s, item).await },
                    )),
                __rpc::method(s, &__Method::search, __rpc::value::<Vec<Item>>())
                    .args((__rpc::owned(), ()))
                    .run(|s, (text, ()), encode| __rpc::respond(
                        encode,
                        async move { Catalogue::search(&*s, text).await },
                    )),
            ])
        }
    }
    mod __culprit {
        pub(super) enum r#match {}
    }
    #[doc(hidden)]
    impl Catalogue for CatalogueClient
    where
        for<'__a> <__culprit::r#match as __rpc::Same<'__a>>::Type: __rpc::Fails<Self>,
    {
        fn r#match(
            &self,
            _: String,
        ) -> impl ::core::future::Future<Output = Vec<Item>> + ::core::marker::Send {
            ::core::future::pending()
        }
        fn search(
            &self,
            _: String,
        ) -> impl ::core::future::Future<Output = Vec<Item>> + ::core::marker::Send {
            ::core::future::pending()
        }
    }
    impl<__S: Catalogue + ?::core::marker::Sized> Catalogue for ::std::sync::Arc<__S> {
        fn r#match(
            &self,
            r#type: String,
        ) -> impl ::core::future::Future<Output = Vec<Item>> + ::core::marker::Send {
            <__S as Catalogue>::r#match(&**self, r#type)
        }
        #[cfg(feature = "stock")]
        fn stock(
            &self,
            item: Item,
        ) -> impl ::core::future::Future<Output = u32> + ::core::marker::Send {
            <__S as Catalogue>::stock(&**self, item)
        }
        fn search(
            &self,
            text: String,
        ) -> impl ::core::future::Future<Output = Vec<Item>> + ::core::marker::Send {
            <__S as Catalogue>::search(&**self, text)
        }
    }
};
