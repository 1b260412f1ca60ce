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
#[allow(deprecated, non_upper_case_globals)]
const _: () = {
    use ::rpc_core::private as __rpc;
    const __sleep: __rpc::MethodDescriptor = __rpc::MethodDescriptor::new(
        "sleep",
        "Sleeps `t` seconds, then returns `t`.",
        &[__rpc::ArgumentDescriptor::new("t", "u64")],
        "u64",
    );
    #[allow(dead_code)]
    impl SleepClient {
        /// What [`Sleep`](trait@Sleep) declares, as data.
        pub const DESCRIPTOR: __rpc::ServiceDescriptor = __rpc::ServiceDescriptor::new(
            "Sleep",
            "Puts its callers to sleep.",
            &[__sleep],
        );
        /// A client that calls through `rpc`.
        #[must_use]
        pub fn new(rpc: &__rpc::Rpc) -> Self {
            ::core::convert::From::from(rpc)
        }
    }
    #[allow(dead_code, clippy::too_many_arguments)]
    impl SleepClient {
        /// Sleeps `t` seconds, then returns `t`.
        pub fn sleep(&self, t: u64) -> __rpc::Call<u64> {
            __rpc::call(
                &self.rpc,
                &__sleep,
                __rpc::value::<u64>(),
                &[__rpc::argument::<u64>().of(&t)],
            )
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
    #[allow(dead_code)]
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
            ::core::convert::From::from([
                __rpc::method(
                    &self.service,
                    &__sleep,
                    __rpc::value::<u64>(),
                    (__rpc::argument::<u64>(), ()),
                    |service, (t, ())| async move {
                        <__S as Sleep>::sleep(&service, t).await
                    },
                ),
            ])
        }
    }
};
