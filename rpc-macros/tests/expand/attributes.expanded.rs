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
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub(crate) struct CatalogueClient {
    rpc: ::rpc_core::Rpc,
}
#[allow(dead_code, clippy::too_many_arguments)]
impl CatalogueClient {
    /// A client that calls through `rpc`.
    #[must_use]
    pub(crate) fn new(rpc: &::rpc_core::Rpc) -> Self {
        Self {
            rpc: ::core::clone::Clone::clone(rpc),
        }
    }
    /// Finds the items of a type.
    #[deprecated = "use `search`"]
    pub(crate) fn r#match(&self, r#type: String) -> ::rpc_core::Call<Vec<Item>> {
        #[derive(::rpc_core::private::serde::Serialize)]
        #[serde(crate = "::rpc_core::private::serde")]
        struct __Args {
            r#type: String,
        }
        ::rpc_core::private::call::<_, Vec<Item>>(&self.rpc, "match", &__Args { r#type })
    }
    /// Calls `stock`.
    #[cfg(feature = "stock")]
    pub(crate) fn stock(&self, item: Item) -> ::rpc_core::Call<u32> {
        #[derive(::rpc_core::private::serde::Serialize)]
        #[serde(crate = "::rpc_core::private::serde")]
        struct __Args {
            item: Item,
        }
        ::rpc_core::private::call::<_, u32>(&self.rpc, "stock", &__Args { item })
    }
    /// Calls `search`.
    #[doc(hidden)]
    pub(crate) fn search(&self, text: String) -> ::rpc_core::Call<Vec<Item>> {
        #[derive(::rpc_core::private::serde::Serialize)]
        #[serde(crate = "::rpc_core::private::serde")]
        struct __Args {
            text: String,
        }
        ::rpc_core::private::call::<_, Vec<Item>>(&self.rpc, "search", &__Args { text })
    }
}
/// Serves an implementation of [`Catalogue`](trait@Catalogue).
#[allow(dead_code)]
pub(crate) struct CatalogueServer<S> {
    service: ::std::sync::Arc<S>,
}
#[allow(dead_code)]
impl<S> CatalogueServer<S> {
    /// A server of `service`, to be passed to [`Rpc::serve`](::rpc_core::Rpc::serve).
    #[must_use]
    pub(crate) fn new(service: S) -> Self {
        Self {
            service: ::std::sync::Arc::new(service),
        }
    }
}
impl<S> ::core::fmt::Debug for CatalogueServer<S> {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("CatalogueServer").finish_non_exhaustive()
    }
}
#[allow(deprecated)]
impl<__S: Catalogue> ::rpc_core::Service for CatalogueServer<__S> {
    fn into_methods(self) -> ::std::vec::Vec<::rpc_core::Method> {
        ::core::convert::From::from([
            {
                #[derive(::rpc_core::private::serde::Deserialize)]
                #[serde(crate = "::rpc_core::private::serde", deny_unknown_fields)]
                struct __Args {
                    r#type: String,
                }
                let service = ::core::clone::Clone::clone(&self.service);
                ::rpc_core::private::method::<
                    _,
                    Vec<Item>,
                    _,
                    _,
                >(
                    "match",
                    move |args: __Args| {
                        let service = ::core::clone::Clone::clone(&service);
                        async move {
                            <__S as Catalogue>::r#match(&service, args.r#type).await
                        }
                    },
                )
            },
            #[cfg(feature = "stock")]
            {
                #[derive(::rpc_core::private::serde::Deserialize)]
                #[serde(crate = "::rpc_core::private::serde", deny_unknown_fields)]
                struct __Args {
                    item: Item,
                }
                let service = ::core::clone::Clone::clone(&self.service);
                ::rpc_core::private::method::<
                    _,
                    u32,
                    _,
                    _,
                >(
                    "stock",
                    move |args: __Args| {
                        let service = ::core::clone::Clone::clone(&service);
                        async move {
                            <__S as Catalogue>::stock(&service, args.item).await
                        }
                    },
                )
            },
            {
                #[derive(::rpc_core::private::serde::Deserialize)]
                #[serde(crate = "::rpc_core::private::serde", deny_unknown_fields)]
                struct __Args {
                    text: String,
                }
                let service = ::core::clone::Clone::clone(&self.service);
                ::rpc_core::private::method::<
                    _,
                    Vec<Item>,
                    _,
                    _,
                >(
                    "search",
                    move |args: __Args| {
                        let service = ::core::clone::Clone::clone(&service);
                        async move {
                            <__S as Catalogue>::search(&service, args.text).await
                        }
                    },
                )
            },
        ])
    }
}
