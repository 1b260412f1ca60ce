#[allow(clippy::type_complexity)]
/// Arguments that are lent, that may be absent, and that serde has a say in.
trait Shop: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn find(
        &self,
        text: &str,
        shelf: Option<&str>,
        limit: Option<u32>,
    ) -> impl ::core::future::Future<Output = Vec<String>> + ::core::marker::Send;
    fn label(
        &self,
        text: Cow<'_, str>,
    ) -> impl ::core::future::Future<Output = String> + ::core::marker::Send;
    fn order(
        &self,
        item: &str,
        count: u32,
        place: Option<String>,
    ) -> impl ::core::future::Future<Output = bool> + ::core::marker::Send;
}
/// Calls the methods of [`Shop`](trait@Shop) on a server. A cheap clone.
#[allow(dead_code)]
struct ShopClient {
    rpc: ::rpc_core::Rpc,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
/// Serves an implementation of [`Shop`](trait@Shop). A cheap clone.
#[allow(dead_code)]
struct ShopServer<S: ?::core::marker::Sized> {
    service: ::std::sync::Arc<S>,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
#[allow(dead_code, deprecated, non_camel_case_types, non_upper_case_globals)]
#[allow(clippy::too_many_arguments, clippy::used_underscore_binding)]
const _: () = {
    use ::rpc_core::__private as __rpc;
    use __rpc::Other as _;
    enum __Method {}
    impl __Method {
        const find: __rpc::Descriptor = __rpc::describe("find", "Vec<String>")
            .args(
                &__rpc::args([
                    __rpc::arg("text", "&str"),
                    __rpc::arg("shelf", "Option<&str>")
                        .optional(__rpc::TypeOf::<Option<&str>>::IS_OPTION),
                    __rpc::arg("limit", "Option<u32>")
                        .optional(__rpc::TypeOf::<Option<u32>>::IS_OPTION),
                ]),
            )
            .build();
        const label: __rpc::Descriptor = __rpc::describe("label", "String")
            .args(&__rpc::args([__rpc::arg("text", "Cow<'_, str>")]))
            .build();
        const order: __rpc::Descriptor = __rpc::describe("order", "bool")
            .args(
                &__rpc::args([
                    __rpc::arg("item", "&str"),
                    __rpc::arg("count", "u32").optional(true),
                    __rpc::arg("in", "Option<String>")
                        .optional(__rpc::TypeOf::<Option<String>>::IS_OPTION),
                ]),
            )
            .build();
    }
    impl ShopClient {
        /// What [`Shop`](trait@Shop) declares, as data.
        const DESCRIPTOR: __rpc::ServiceDescriptor = __rpc::describe_service(
            "Shop",
            "Arguments that are lent, that may be absent, and that serde has a say in.",
            &[__Method::find, __Method::label, __Method::order],
        );
        /// A client that calls through `rpc`.
        #[must_use]
        fn new(rpc: &__rpc::Rpc) -> Self {
            ::core::convert::From::from(rpc)
        }
    }
    impl ShopClient {
        /// Calls `find`: see [`Shop::find`](method@Shop::find).
        fn find(
            &self,
            text: &str,
            shelf: Option<&str>,
            limit: Option<u32>,
        ) -> __rpc::Call<Vec<String>> {
            __rpc::call(&self.rpc, &__Method::find, __rpc::value::<Vec<String>>())
                .args([
                    __rpc::lent::<str>().of(&text),
                    __rpc::lent_option::<str>().of(&shelf),
                    __rpc::owned::<Option<u32>>().of(&limit),
                ])
        }
        /// Calls `label`: see [`Shop::label`](method@Shop::label).
        fn label(&self, text: Cow<'_, str>) -> __rpc::Call<String> {
            __rpc::call(&self.rpc, &__Method::label, __rpc::value())
                .args([__rpc::owned::<Cow<'_, str>>().of(&text)])
        }
        /// Calls `order`: see [`Shop::order`](method@Shop::order).
        fn order(
            &self,
            item: &str,
            count: u32,
            place: Option<String>,
        ) -> __rpc::Call<bool> {
            __rpc::call(&self.rpc, &__Method::order, __rpc::value())
                .fields({
                    #[derive(__rpc::serde::Serialize)]
                    #[serde(crate = "__rpc::serde")]
                    #[allow(dead_code)]
                    struct __Args<'__lent> {
                        item: &'__lent str,
                        #[serde(default)]
                        count: u32,
                        #[serde(rename = "in")]
                        #[serde(
                            skip_serializing_if = "__rpc :: TypeOf :: < Option < String > >::left_out"
                        )]
                        place: Option<String>,
                    }
                    __Args { item, count, place }
                })
        }
    }
    impl ::core::convert::From<&__rpc::Rpc> for ShopClient {
        fn from(rpc: &__rpc::Rpc) -> Self {
            Self {
                rpc: ::core::clone::Clone::clone(rpc),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl ::core::clone::Clone for ShopClient {
        fn clone(&self) -> Self {
            ::core::convert::From::from(&self.rpc)
        }
    }
    impl ::core::fmt::Debug for ShopClient {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("ShopClient").field("rpc", &self.rpc).finish_non_exhaustive()
        }
    }
    impl<S> ShopServer<S> {
        /// A server of `service`, to be passed to [`Rpc::serve`](::rpc_core::Rpc::serve).
        #[must_use]
        fn new(service: S) -> Self {
            ::core::convert::From::from(::std::sync::Arc::new(service))
        }
    }
    impl<S: ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<S>>
    for ShopServer<S> {
        fn from(service: ::std::sync::Arc<S>) -> Self {
            Self {
                service,
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S: ?::core::marker::Sized> ::core::clone::Clone for ShopServer<S> {
        fn clone(&self) -> Self {
            ::core::convert::From::from(::core::clone::Clone::clone(&self.service))
        }
    }
    impl<S: ?::core::marker::Sized> ::core::fmt::Debug for ShopServer<S> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("ShopServer").finish_non_exhaustive()
        }
    }
    impl<__S: Shop + ?::core::marker::Sized> __rpc::Service for ShopServer<__S> {
        fn into_methods(self) -> ::std::vec::Vec<__rpc::Method> {
            let s = &self.service;
            ::core::convert::From::from([
                __rpc::method(s, &__Method::find, __rpc::value::<Vec<String>>())
                    .args((
                        __rpc::lent::<str>(),
                        (
                            __rpc::lent_option::<str>(),
                            (__rpc::owned::<Option<u32>>(), ()),
                        ),
                    ))
                    .run(|s, (text, (shelf, (limit, ()))), encode| __rpc::respond(
                        encode,
                        async move {
                            Shop::find(&*s, &text, shelf.as_deref(), limit).await
                        },
                    )),
                __rpc::method(s, &__Method::label, __rpc::value())
                    .args((__rpc::owned::<Cow<'_, str>>(), ()))
                    .run(|s, (text, ()), encode| __rpc::respond(
                        encode,
                        async move { Shop::label(&*s, text).await },
                    )),
                __rpc::method(s, &__Method::order, __rpc::value())
                    .args({
                        #[derive(__rpc::serde::Deserialize)]
                        #[serde(crate = "__rpc::serde", deny_unknown_fields)]
                        #[allow(dead_code)]
                        struct __Args {
                            item: ::std::boxed::Box<str>,
                            #[serde(default)]
                            count: u32,
                            #[serde(rename = "in")]
                            place: Option<String>,
                        }
                        __rpc::fields::<__Args>()
                    })
                    .run(|s, args, encode| __rpc::respond(
                        encode,
                        async move {
                            Shop::order(&*s, &args.item, args.count, args.place).await
                        },
                    )),
            ])
        }
    }
    mod __culprit {
        pub(super) enum find {}
    }
    #[doc(hidden)]
    impl Shop for ShopClient
    where
        for<'__a> <__culprit::find as __rpc::Same<'__a>>::Type: __rpc::Fails<Self>,
    {
        fn find(
            &self,
            _: &str,
            _: Option<&str>,
            _: Option<u32>,
        ) -> impl ::core::future::Future<Output = Vec<String>> + ::core::marker::Send {
            ::core::future::pending()
        }
        fn label(
            &self,
            _: Cow<'_, str>,
        ) -> impl ::core::future::Future<Output = String> + ::core::marker::Send {
            ::core::future::pending()
        }
        fn order(
            &self,
            _: &str,
            _: u32,
            _: Option<String>,
        ) -> impl ::core::future::Future<Output = bool> + ::core::marker::Send {
            ::core::future::pending()
        }
    }
    impl<__S: Shop + ?::core::marker::Sized> Shop for ::std::sync::Arc<__S> {
        fn find(
            &self,
            text: &str,
            shelf: Option<&str>,
            limit: Option<u32>,
        ) -> impl ::core::future::Future<Output = Vec<String>> + ::core::marker::Send {
            <__S as Shop>::find(&**self, text, shelf, limit)
        }
        fn label(
            &self,
            text: Cow<'_, str>,
        ) -> impl ::core::future::Future<Output = String> + ::core::marker::Send {
            <__S as Shop>::label(&**self, text)
        }
        fn order(
            &self,
            item: &str,
            count: u32,
            place: Option<String>,
        ) -> impl ::core::future::Future<Output = bool> + ::core::marker::Send {
            <__S as Shop>::order(&**self, item, count, place)
        }
    }
};
