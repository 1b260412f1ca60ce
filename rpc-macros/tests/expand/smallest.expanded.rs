/// Puts its callers to sleep.
pub trait Sleep: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Sleeps `t` seconds, then returns `t`.
    fn sleep(
        &self,
        t: u64,
    ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send;
}
/// Calls the methods of [`Sleep`](trait@Sleep) on a server. A cheap clone.
///
/// Puts its callers to sleep.
#[allow(dead_code)]
pub struct SleepClient {
    rpc: ::rpc_core::Rpc,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
/// Serves an implementation of [`Sleep`](trait@Sleep). A cheap clone.
///
/// Puts its callers to sleep.
#[allow(dead_code)]
pub struct SleepServer<S> {
    service: ::std::sync::Arc<S>,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
#[allow(dead_code, deprecated, non_upper_case_globals)]
#[allow(clippy::too_many_arguments, clippy::used_underscore_binding)]
const _: () = {
    use ::rpc_core::private as __rpc;
    enum __Method {}
    impl __Method {
        const sleep: __rpc::Descriptor = __rpc::describe("sleep", "u64")
            .args(&__rpc::args([("t", "u64")]))
            .docs("Sleeps `t` seconds, then returns `t`.");
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
            Self {
                service: ::std::sync::Arc::new(service),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S> ::core::clone::Clone for SleepServer<S> {
        fn clone(&self) -> Self {
            Self {
                service: ::core::clone::Clone::clone(&self.service),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S> ::core::fmt::Debug for SleepServer<S> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("SleepServer").finish_non_exhaustive()
        }
    }
    impl<__S: Sleep> __rpc::Service for SleepServer<__S> {
        fn into_methods(self) -> ::std::vec::Vec<__rpc::Method> {
            let s = &self.service;
            ::core::convert::From::from([
                __rpc::method(s, &__Method::sleep, __rpc::value())
                    .args((__rpc::owned(), ()))
                    .run(|s, (t, ())| __rpc::pin(Sleep::sleep(s, t))),
            ])
        }
    }
};
