#[allow(clippy::type_complexity)]
/// Parameters, and a client that is the service itself.
pub trait Store<
    K: Ord,
    V = String,
>: Debug + ::core::marker::Send + ::core::marker::Sync + 'static
where
    V: Clone,
{
    fn get(
        &self,
        key: &K,
    ) -> impl ::core::future::Future<
        Output = Result<V, StoreError>,
    > + ::core::marker::Send;
    fn put(
        &self,
        key: K,
        value: V,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
/// Calls the methods of [`Store`](trait@Store) on a server. A cheap clone.
#[allow(dead_code)]
pub struct StoreClient<K, V = String> {
    rpc: ::rpc_core::Rpc,
    types: ::core::marker::PhantomData<fn() -> (K, V)>,
}
/// Serves an implementation of [`Store`](trait@Store). A cheap clone.
#[allow(dead_code)]
pub struct StoreServer<S: ?::core::marker::Sized, K, V = String> {
    service: ::std::sync::Arc<S>,
    types: ::core::marker::PhantomData<fn() -> (K, V)>,
}
#[allow(dead_code, deprecated, non_camel_case_types, non_upper_case_globals)]
#[allow(clippy::too_many_arguments, clippy::used_underscore_binding)]
const _: () = {
    use ::rpc_core::__private as __rpc;
    enum __Method {}
    impl __Method {
        const get: __rpc::Descriptor = __rpc::describe("get", "Result<V, StoreError>")
            .args(&__rpc::args([__rpc::arg("key", "&K")]))
            .build();
        const put: __rpc::Descriptor = __rpc::describe("put", "Result<(), StoreError>")
            .args(&__rpc::args([__rpc::arg("key", "K"), __rpc::arg("value", "V")]))
            .build();
    }
    impl<K, V> StoreClient<K, V> {
        /// What [`Store`](trait@Store) declares, as data.
        pub const DESCRIPTOR: __rpc::ServiceDescriptor = __rpc::describe_service(
            "Store",
            "Parameters, and a client that is the service itself.",
            &[__Method::get, __Method::put],
        );
        /// A client that calls through `rpc`.
        #[must_use]
        pub fn new(rpc: &__rpc::Rpc) -> Self {
            ::core::convert::From::from(rpc)
        }
    }
    impl<
        K: Ord + ::rpc_core::__private::Parameter,
        V: ::rpc_core::__private::Parameter,
    > StoreClient<K, V>
    where
        V: Clone,
    {
        /// Calls `get`: see [`Store::get`](method@Store::get).
        pub fn get(&self, key: &K) -> __rpc::Call<V, __rpc::CallError<StoreError>> {
            __rpc::call(&self.rpc, &__Method::get, __rpc::result::<V, StoreError>())
                .args([__rpc::lent::<K>().of(&key)])
        }
        /// Calls `put`: see [`Store::put`](method@Store::put).
        pub fn put(
            &self,
            key: K,
            value: V,
        ) -> __rpc::Call<(), __rpc::CallError<StoreError>> {
            __rpc::call(&self.rpc, &__Method::put, __rpc::result::<(), StoreError>())
                .args([__rpc::owned().of(&key), __rpc::owned().of(&value)])
        }
    }
    impl<K, V> ::core::convert::From<&__rpc::Rpc> for StoreClient<K, V> {
        fn from(rpc: &__rpc::Rpc) -> Self {
            Self {
                rpc: ::core::clone::Clone::clone(rpc),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<K, V> ::core::clone::Clone for StoreClient<K, V> {
        fn clone(&self) -> Self {
            ::core::convert::From::from(&self.rpc)
        }
    }
    impl<K, V> ::core::fmt::Debug for StoreClient<K, V> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("StoreClient").field("rpc", &self.rpc).finish_non_exhaustive()
        }
    }
    impl<S, K, V> StoreServer<S, K, V> {
        /// A server of `service`, to be passed to [`Rpc::serve`](::rpc_core::Rpc::serve).
        #[must_use]
        pub fn new(service: S) -> Self {
            ::core::convert::From::from(::std::sync::Arc::new(service))
        }
    }
    impl<S: ?::core::marker::Sized, K, V> ::core::convert::From<::std::sync::Arc<S>>
    for StoreServer<S, K, V> {
        fn from(service: ::std::sync::Arc<S>) -> Self {
            Self {
                service,
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S: ?::core::marker::Sized, K, V> ::core::clone::Clone for StoreServer<S, K, V> {
        fn clone(&self) -> Self {
            ::core::convert::From::from(::core::clone::Clone::clone(&self.service))
        }
    }
    impl<S: ?::core::marker::Sized, K, V> ::core::fmt::Debug for StoreServer<S, K, V> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("StoreServer").finish_non_exhaustive()
        }
    }
    impl<
        __S: Store<K, V> + ?::core::marker::Sized,
        K: Ord + ::rpc_core::__private::Parameter,
        V: ::rpc_core::__private::Parameter,
    > __rpc::Service for StoreServer<__S, K, V>
    where
        V: Clone,
    {
        fn into_methods(self) -> ::std::vec::Vec<__rpc::Method> {
            let s = &self.service;
            ::core::convert::From::from([
                __rpc::method(s, &__Method::get, __rpc::result::<V, StoreError>())
                    .args((__rpc::lent::<K>(), ()))
                    .run(|s, (key, ()), encode| __rpc::respond(
                        encode,
                        async move { Store::<K, V>::get(&*s, &key).await },
                    )),
                __rpc::method(s, &__Method::put, __rpc::result::<(), StoreError>())
                    .args((__rpc::owned(), (__rpc::owned(), ())))
                    .run(|s, (key, (value, ())), encode| __rpc::respond(
                        encode,
                        async move { Store::<K, V>::put(&*s, key, value).await },
                    )),
            ])
        }
    }
    impl<
        K: Ord + ::rpc_core::__private::Parameter,
        V: ::rpc_core::__private::Parameter,
    > Store<K, V> for StoreClient<K, V>
    where
        V: Clone,
        for<'__a> <Self as __rpc::Same<'__a>>::Type: Debug,
        for<'__a> <StoreError as __rpc::Same<'__a>>::Type: __rpc::Failure,
    {
        async fn get(&self, key: &K) -> Result<V, StoreError> {
            __rpc::flatten(Self::get(self, key)).await
        }
        fn put(
            &self,
            key: K,
            value: V,
        ) -> impl Future<Output = Result<(), StoreError>> + Send {
            __rpc::flatten(Self::put(self, key, value))
        }
    }
    impl<__S: Store<K, V> + ?::core::marker::Sized, K: Ord, V> Store<K, V>
    for ::std::sync::Arc<__S>
    where
        V: Clone,
        Self: Debug,
    {
        fn get(
            &self,
            key: &K,
        ) -> impl ::core::future::Future<
            Output = Result<V, StoreError>,
        > + ::core::marker::Send {
            <__S as Store<K, V>>::get(&**self, key)
        }
        fn put(
            &self,
            key: K,
            value: V,
        ) -> impl Future<Output = Result<(), StoreError>> + Send {
            <__S as Store<K, V>>::put(&**self, key, value)
        }
    }
};
