trait Bank: std::fmt::Debug + ::core::marker::Send + ::core::marker::Sync + 'static {
    fn audit(&self) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    fn pay(
        &self,
        from: Account,
        to: Account,
        amount: u64,
    ) -> impl ::core::future::Future<
        Output = Result<Receipt, Refusal>,
    > + ::core::marker::Send;
    fn balance(
        &self,
        account: Account,
    ) -> impl ::core::future::Future<Output = bank::Result<u64>> + ::core::marker::Send;
}
/// Calls the methods of [`Bank`](trait@Bank) on a server. A cheap clone.
#[allow(dead_code)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct BankClient {
    rpc: ::rpc_core::Rpc,
}
#[allow(dead_code, clippy::too_many_arguments)]
impl BankClient {
    /// A client that calls through `rpc`.
    #[must_use]
    fn new(rpc: &::rpc_core::Rpc) -> Self {
        Self {
            rpc: ::core::clone::Clone::clone(rpc),
        }
    }
    /// Calls `audit`.
    fn audit(&self) -> ::rpc_core::Call<()> {
        #[derive(::rpc_core::private::serde::Serialize)]
        #[serde(crate = "::rpc_core::private::serde")]
        struct __Args {}
        ::rpc_core::private::call::<_, ()>(&self.rpc, "audit", &__Args {})
    }
    /// Calls `pay`.
    fn pay(
        &self,
        from: Account,
        to: Account,
        amount: u64,
    ) -> ::rpc_core::Call<Receipt, ::rpc_core::CallError<Refusal>> {
        #[derive(::rpc_core::private::serde::Serialize)]
        #[serde(crate = "::rpc_core::private::serde")]
        struct __Args {
            from: Account,
            to: Account,
            amount: u64,
        }
        ::rpc_core::private::call_fallible::<
            _,
            Receipt,
            Refusal,
        >(&self.rpc, "pay", &__Args { from, to, amount })
    }
    /// Calls `balance`.
    fn balance(
        &self,
        account: Account,
    ) -> ::rpc_core::Call<
        <bank::Result<u64> as ::rpc_core::private::ResultParts>::Ok,
        ::rpc_core::CallError<
            <bank::Result<u64> as ::rpc_core::private::ResultParts>::Err,
        >,
    > {
        #[derive(::rpc_core::private::serde::Serialize)]
        #[serde(crate = "::rpc_core::private::serde")]
        struct __Args {
            account: Account,
        }
        ::rpc_core::private::call_fallible::<
            _,
            <bank::Result<u64> as ::rpc_core::private::ResultParts>::Ok,
            <bank::Result<u64> as ::rpc_core::private::ResultParts>::Err,
        >(&self.rpc, "balance", &__Args { account })
    }
}
/// Serves an implementation of [`Bank`](trait@Bank).
#[allow(dead_code)]
struct BankServer<S> {
    service: ::std::sync::Arc<S>,
}
#[allow(dead_code)]
impl<S> BankServer<S> {
    /// A server of `service`, to be passed to [`Rpc::serve`](::rpc_core::Rpc::serve).
    #[must_use]
    fn new(service: S) -> Self {
        Self {
            service: ::std::sync::Arc::new(service),
        }
    }
}
impl<S> ::core::fmt::Debug for BankServer<S> {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.debug_struct("BankServer").finish_non_exhaustive()
    }
}
impl<__S: Bank> ::rpc_core::Service for BankServer<__S> {
    fn into_methods(self) -> ::std::vec::Vec<::rpc_core::Method> {
        ::core::convert::From::from([
            {
                #[derive(::rpc_core::private::serde::Deserialize)]
                #[serde(crate = "::rpc_core::private::serde", deny_unknown_fields)]
                struct __Args {}
                let service = ::core::clone::Clone::clone(&self.service);
                ::rpc_core::private::method::<
                    _,
                    (),
                    _,
                    _,
                >(
                    "audit",
                    move |args: __Args| {
                        let service = ::core::clone::Clone::clone(&service);
                        async move { <__S as Bank>::audit(&service).await }
                    },
                )
            },
            {
                #[derive(::rpc_core::private::serde::Deserialize)]
                #[serde(crate = "::rpc_core::private::serde", deny_unknown_fields)]
                struct __Args {
                    from: Account,
                    to: Account,
                    amount: u64,
                }
                let service = ::core::clone::Clone::clone(&self.service);
                ::rpc_core::private::method_fallible::<
                    _,
                    Receipt,
                    Refusal,
                    _,
                    _,
                >(
                    "pay",
                    move |args: __Args| {
                        let service = ::core::clone::Clone::clone(&service);
                        async move {
                            <__S as Bank>::pay(&service, args.from, args.to, args.amount)
                                .await
                        }
                    },
                )
            },
            {
                #[derive(::rpc_core::private::serde::Deserialize)]
                #[serde(crate = "::rpc_core::private::serde", deny_unknown_fields)]
                struct __Args {
                    account: Account,
                }
                let service = ::core::clone::Clone::clone(&self.service);
                ::rpc_core::private::method_fallible::<
                    _,
                    <bank::Result<u64> as ::rpc_core::private::ResultParts>::Ok,
                    <bank::Result<u64> as ::rpc_core::private::ResultParts>::Err,
                    _,
                    _,
                >(
                    "balance",
                    move |args: __Args| {
                        let service = ::core::clone::Clone::clone(&service);
                        async move {
                            <__S as Bank>::balance(&service, args.account).await
                        }
                    },
                )
            },
        ])
    }
}
