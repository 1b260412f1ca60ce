#[allow(clippy::type_complexity)]
/// Puts its callers to sleep.
pub trait Sleep: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Sleeps `t` seconds, then returns `t`.
    fn sleep(
        &self,
        t: u64,
    ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send;
}
/// Calls the methods of [`Sleep`](trait@Sleep) on a server. A cheap clone.
#[allow(dead_code)]
pub struct SleepClient {
    rpc: ::rpc_core::Rpc,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
/// Serves an implementation of [`Sleep`](trait@Sleep). A cheap clone.
#[allow(dead_code)]
pub struct SleepServer<S: ?::core::marker::Sized> {
    service: ::std::sync::Arc<S>,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
#[allow(dead_code, deprecated, non_camel_case_types, non_upper_case_globals)]
#[allow(clippy::too_many_arguments, clippy::used_underscore_binding)]
const _: () = {
    use ::rpc_core::__private as __rpc;
    enum __Method {}
    impl __Method {
        const sleep: __rpc::Descriptor = __rpc::describe("sleep", "u64")
            .args(&__rpc::args([__rpc::arg("t", "u64")]))
            .docs("Sleeps `t` seconds, then returns `t`.")
            .build();
    }
    impl SleepClient {
        /// What [`Sleep`](trait@Sleep) declares, as data.
        pub const DESCRIPTOR: __rpc::ServiceDescriptor = __rpc::describe_service(
            "Sleep",
            "Puts its callers to sleep.",
            &[__Method::sleep],
        );
        /// A client that calls through `rpc`.
        #[must_use]
        pub fn new(rpc: &__rpc::Rpc) -> Self {
            ::core::convert::From::from(rpc)
        }
    }
    impl SleepClient {
        /// Sleeps `t` seconds, then returns `t`.
        ///
        /// Calls `sleep`: see [`Sleep::sleep`](method@Sleep::sleep).
        pub fn sleep(&self, t: u64) -> __rpc::Call<u64> {
            __rpc::call(&self.rpc, &__Method::sleep, __rpc::value())
                .args([__rpc::owned().of(&t)])
        }
    }
    impl ::core::convert::From<&__rpc::Rpc> for SleepClient {
        fn from(rpc: &__rpc::Rpc) -> Self {
            Self {
                rpc: ::core::clone::Clone::clone(rpc),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl ::core::clone::Clone for SleepClient {
        fn clone(&self) -> Self {
            ::core::convert::From::from(&self.rpc)
        }
    }
    impl ::core::fmt::Debug for SleepClient {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("SleepClient").field("rpc", &self.rpc).finish_non_exhaustive()
        }
    }
    impl<S> SleepServer<S> {
        /// A server of `service`, to be passed to [`Rpc::serve`](::rpc_core::Rpc::serve).
        #[must_use]
        pub fn new(service: S) -> Self {
            ::core::convert::From::from(::std::sync::Arc::new(service))
        }
    }
    impl<S: ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<S>>
    for SleepServer<S> {
        fn from(service: ::std::sync::Arc<S>) -> Self {
            Self {
                service,
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S: ?::core::marker::Sized> ::core::clone::Clone for SleepServer<S> {
        fn clone(&self) -> Self {
            ::core::convert::From::from(::core::clone::Clone::clone(&self.service))
        }
    }
    impl<S: ?::core::marker::Sized> ::core::fmt::Debug for SleepServer<S> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("SleepServer").finish_non_exhaustive()
        }
    }
    impl<__S: Sleep + ?::core::marker::Sized> __rpc::Service for SleepServer<__S> {
        fn into_methods(self) -> ::std::vec::Vec<__rpc::Method> {
            let s = &self.service;
            ::core::convert::From::from([
                __rpc::method(s, &__Method::sleep, __rpc::value())
                    .args((__rpc::owned(), ()))
                    .run(|s, (t, ()), encode| __rpc::respond(
                        encode,
                        async move { Sleep::sleep(&*s, t).await },
                    )),
            ])
        }
    }
    mod __culprit {
        pub(super) enum sleep {}
    }
    #[doc(hidden)]
    impl Sleep for SleepClient
    where
        for<'__a> <__culprit::sleep as __rpc::Same<'__a>>::Type: __rpc::Fails<Self>,
    {
        fn sleep(
            &self,
            _: u64,
        ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send {
            ::core::future::pending()
        }
    }
    impl<__S: Sleep + ?::core::marker::Sized> Sleep for ::std::sync::Arc<__S> {
        fn sleep(
            &self,
            t: u64,
        ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send {
            <__S as Sleep>::sleep(&**self, t)
        }
    }
};
