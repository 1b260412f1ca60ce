#[allow(clippy::type_complexity)]
/// Options of the service and of its methods.
pub trait Meter: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Adds units.
    fn add(
        &self,
        units: u64,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    fn total(&self) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send;
}
/// Calls the methods of [`Meter`](trait@Meter) on a server. A cheap clone.
#[allow(dead_code)]
pub struct MeterClient {
    rpc: wire::Rpc,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
/// Serves an implementation of [`Meter`](trait@Meter). A cheap clone.
#[allow(dead_code)]
pub struct MeterServer<S: ?::core::marker::Sized> {
    service: ::std::sync::Arc<S>,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
#[allow(dead_code, deprecated, non_camel_case_types, non_upper_case_globals)]
#[allow(clippy::too_many_arguments, clippy::used_underscore_binding)]
const _: () = {
    use wire::__private as __rpc;
    enum __Method {}
    impl __Method {
        const add: __rpc::Descriptor = __rpc::describe("meter.add.v2", "()")
            .args(&__rpc::args([__rpc::arg("units", "u64")]))
            .docs("Adds units.")
            .one_way()
            .queue(|| QueueOptions::default().quorum())
            .build();
        const total: __rpc::Descriptor = __rpc::describe("meter.total", "u64")
            .timeout_millis(5000u64)
            .priority(3u8)
            .concurrency(1u16)
            .idempotent()
            .build();
    }
    impl MeterClient {
        /// What [`Meter`](trait@Meter) declares, as data.
        pub const DESCRIPTOR: __rpc::ServiceDescriptor = __rpc::describe_service(
            "Electricity",
            "Options of the service and of its methods.",
            &[__Method::add, __Method::total],
        );
        /// A client that calls through `rpc`.
        #[must_use]
        pub fn new(rpc: &__rpc::Rpc) -> Self {
            ::core::convert::From::from(rpc)
        }
    }
    impl MeterClient {
        /// Adds units.
        ///
        /// Calls `meter.add.v2`: see [`Meter::add`](method@Meter::add).
        pub fn add(&self, units: u64) -> __rpc::Call<()> {
            __rpc::call(&self.rpc, &__Method::add, __rpc::value())
                .args([__rpc::owned().of(&units)])
        }
        /// Calls `meter.total`: see [`Meter::total`](method@Meter::total).
        pub fn total(&self) -> __rpc::Call<u64> {
            __rpc::call(&self.rpc, &__Method::total, __rpc::value()).args([])
        }
    }
    impl ::core::convert::From<&__rpc::Rpc> for MeterClient {
        fn from(rpc: &__rpc::Rpc) -> Self {
            Self {
                rpc: ::core::clone::Clone::clone(rpc),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl ::core::clone::Clone for MeterClient {
        fn clone(&self) -> Self {
            ::core::convert::From::from(&self.rpc)
        }
    }
    impl ::core::fmt::Debug for MeterClient {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("MeterClient").field("rpc", &self.rpc).finish_non_exhaustive()
        }
    }
    impl<S> MeterServer<S> {
        /// A server of `service`, to be passed to [`Rpc::serve`](wire::Rpc::serve).
        #[must_use]
        pub fn new(service: S) -> Self {
            ::core::convert::From::from(::std::sync::Arc::new(service))
        }
    }
    impl<S: ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<S>>
    for MeterServer<S> {
        fn from(service: ::std::sync::Arc<S>) -> Self {
            Self {
                service,
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S: ?::core::marker::Sized> ::core::clone::Clone for MeterServer<S> {
        fn clone(&self) -> Self {
            ::core::convert::From::from(::core::clone::Clone::clone(&self.service))
        }
    }
    impl<S: ?::core::marker::Sized> ::core::fmt::Debug for MeterServer<S> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("MeterServer").finish_non_exhaustive()
        }
    }
    impl<__S: Meter + ?::core::marker::Sized> __rpc::Service for MeterServer<__S> {
        fn into_methods(self) -> ::std::vec::Vec<__rpc::Method> {
            let s = &self.service;
            ::core::convert::From::from([
                __rpc::method(s, &__Method::add, __rpc::value())
                    .args((__rpc::owned(), ()))
                    .run(|s, (units, ()), encode| __rpc::respond(
                        encode,
                        async move { Meter::add(&*s, units).await },
                    )),
                __rpc::method(s, &__Method::total, __rpc::value())
                    .run(|s, (), encode| __rpc::respond(
                        encode,
                        async move { Meter::total(&*s).await },
                    )),
            ])
        }
    }
    mod __culprit {
        pub(super) enum add {}
    }
    #[doc(hidden)]
    impl Meter for MeterClient
    where
        for<'__a> <__culprit::add as __rpc::Same<'__a>>::Type: __rpc::Fails<Self>,
    {
        fn add(
            &self,
            _: u64,
        ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
            ::core::future::pending()
        }
        fn total(
            &self,
        ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send {
            ::core::future::pending()
        }
    }
    impl<__S: Meter + ?::core::marker::Sized> Meter for ::std::sync::Arc<__S> {
        fn add(
            &self,
            units: u64,
        ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
            <__S as Meter>::add(&**self, units)
        }
        fn total(
            &self,
        ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send {
            <__S as Meter>::total(&**self)
        }
    }
};
