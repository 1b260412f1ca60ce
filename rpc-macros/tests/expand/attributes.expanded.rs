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
///
/// Words of Rust as names, conditions, and a method with a body.
#[allow(dead_code)]
pub(crate) struct CatalogueClient {
    rpc: ::rpc_core::Rpc,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
/// Serves an implementation of [`Catalogue`](trait@Catalogue). A cheap clone.
///
/// Words of Rust as names, conditions, and a method with a body.
#[allow(dead_code)]
pub(crate) struct CatalogueServer<S> {
    service: ::std::sync::Arc<S>,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
#[allow(dead_code, deprecated, non_upper_case_globals)]
#[allow(clippy::too_many_arguments, clippy::used_underscore_binding)]
const _: () = {
    use ::rpc_core::private as __rpc;
    enum __Method {}
    impl __Method {
        const r#match: __rpc::Descriptor = __rpc::describe("match", "Vec<Item>")
            .args(&__rpc::args([("type", "String")]))
            .docs("Finds the items of a type.");
        #[cfg(feature = "stock")]
        const stock: __rpc::Descriptor = __rpc::describe("stock", "u32")
            .args(&__rpc::args([("item", "Item")]));
        const search: __rpc::Descriptor = __rpc::describe("search", "Vec<Item>")
            .args(&__rpc::args([("text", "String")]));
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
        #[deprecated = "use `search`"]
        pub(crate) fn r#match(&self, r#type: String) -> __rpc::Call<Vec<Item>> {
            __rpc::call(&self.rpc, &__Method::r#match, __rpc::value::<Vec<Item>>())
                .args([__rpc::owned().of(&r#type)])
        }
        /// Calls `stock`.
        #[cfg(feature = "stock")]
        pub(crate) fn stock(&self, item: Item) -> __rpc::Call<u32> {
            __rpc::call(&self.rpc, &__Method::stock, __rpc::value())
                .args([__rpc::owned().of(&item)])
        }
        /// Calls `search`.
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
            Self {
                service: ::std::sync::Arc::new(service),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S> ::core::clone::Clone for CatalogueServer<S> {
        fn clone(&self) -> Self {
            Self {
                service: ::core::clone::Clone::clone(&self.service),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S> ::core::fmt::Debug for CatalogueServer<S> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("CatalogueServer").finish_non_exhaustive()
        }
    }
    impl<__S: Catalogue> __rpc::Service for CatalogueServer<__S> {
        fn into_methods(self) -> ::std::vec::Vec<__rpc::Method> {
            let s = &self.service;
            ::core::convert::From::from([
                __rpc::method(s, &__Method::r#match, __rpc::value::<Vec<Item>>())
                    .args((__rpc::owned(), ()))
                    .run(|s, (r#type, ())| __rpc::pin(Catalogue::r#match(s, r#type))),
                #[cfg(feature = "stock")]
                __rpc::method(s, &__Method::stock, __rpc::value())
                    .args((__rpc::owned(), ()))
                    .run(|s, (item, ())| __rpc::pin(Catalogue::stock(s, item))),
                __rpc::method(s, &__Method::search, __rpc::value::<Vec<Item>>())
                    .args((__rpc::owned(), ()))
                    .run(|s, (text, ())| __rpc::pin(Catalogue::search(s, text))),
            ])
        }
    }
};
