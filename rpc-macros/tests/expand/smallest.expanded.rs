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
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct SleepClient {
    rpc: ::rpc_core::Rpc,
}
#[allow(dead_code, clippy::too_many_arguments)]
impl SleepClient {
    /// A client that calls through `rpc`.
    #[must_use]
    pub fn new(rpc: &::rpc_core::Rpc) -> Self {
        Self {
            rpc: ::core::clone::Clone::clone(rpc),
        }
    }
    /// Sleeps `t` seconds, then returns `t`.
    pub fn sleep(&self, t: u64) -> ::rpc_core::Call<u64> {
        #[derive(::rpc_core::private::serde::Serialize)]
        #[serde(crate = "::rpc_core::private::serde")]
        struct __Args {
            t: u64,
        }
        ::rpc_core::private::call::<_, u64>(&self.rpc, "sleep", &__Args { t })
    }
}
/// Serves an implementation of [`Sleep`](trait@Sleep).
#[allow(dead_code)]
pub struct SleepServer<S> {
    service: ::std::sync::Arc<S>,
}
#[allow(dead_code)]
impl<S> SleepServer<S> {
    /// A server of `service`, to be passed to [`Rpc::serve`](::rpc_core::Rpc::serve).
    #[must_use]
    pub fn new(service: S) -> Self {
        Self {
            service: ::std::sync::Arc::new(service),
        }
    }
}
impl<S> ::core::fmt::Debug for SleepServer<S> {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("SleepServer").finish_non_exhaustive()
    }
}
impl<__S: Sleep> ::rpc_core::Service for SleepServer<__S> {
    fn into_methods(self) -> ::std::vec::Vec<::rpc_core::Method> {
        ::core::convert::From::from([
            {
                #[derive(::rpc_core::private::serde::Deserialize)]
                #[serde(crate = "::rpc_core::private::serde", deny_unknown_fields)]
                struct __Args {
                    t: u64,
                }
                let service = ::core::clone::Clone::clone(&self.service);
                ::rpc_core::private::method::<
                    _,
                    u64,
                    _,
                    _,
                >(
                    "sleep",
                    move |args: __Args| {
                        let service = ::core::clone::Clone::clone(&service);
                        async move { <__S as Sleep>::sleep(&service, args.t).await }
                    },
                )
            },
        ])
    }
}
