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
///
#[allow(dead_code)]
struct BankClient {
    rpc: ::rpc_core::Rpc,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
/// Serves an implementation of [`Bank`](trait@Bank). A cheap clone.
///
#[allow(dead_code)]
struct BankServer<S> {
    service: ::std::sync::Arc<S>,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
#[allow(deprecated, non_upper_case_globals)]
const _: () = {
    use ::rpc_core::private as __rpc;
    const __audit: __rpc::MethodDescriptor = __rpc::MethodDescriptor::new(
        "audit",
        "",
        &[],
        "()",
    );
    const __pay: __rpc::MethodDescriptor = __rpc::MethodDescriptor::new(
        "pay",
        "",
        &[
            __rpc::ArgumentDescriptor::new("from", "Account"),
            __rpc::ArgumentDescriptor::new("to", "Account"),
            __rpc::ArgumentDescriptor::new("amount", "u64"),
        ],
        "Result<Receipt, Refusal>",
    );
    const __balance: __rpc::MethodDescriptor = __rpc::MethodDescriptor::new(
        "balance",
        "",
        &[__rpc::ArgumentDescriptor::new("account", "Account")],
        "bank::Result<u64>",
    );
    #[allow(dead_code)]
    impl BankClient {
        /// What [`Bank`](trait@Bank) declares, as data.
        const DESCRIPTOR: __rpc::ServiceDescriptor = __rpc::ServiceDescriptor::new(
            "Bank",
            "",
            &[__audit, __pay, __balance],
        );
        /// A client that calls through `rpc`.
        #[must_use]
        fn new(rpc: &__rpc::Rpc) -> Self {
            ::core::convert::From::from(rpc)
        }
    }
    #[allow(dead_code, clippy::too_many_arguments)]
    impl BankClient {
        /// Calls `audit`.
        fn audit(&self) -> __rpc::Call<()> {
            __rpc::call(&self.rpc, &__audit, __rpc::value::<()>(), &[])
        }
        /// Calls `pay`.
        fn pay(
            &self,
            from: Account,
            to: Account,
            amount: u64,
        ) -> __rpc::Call<Receipt, __rpc::CallError<Refusal>> {
            __rpc::call(
                &self.rpc,
                &__pay,
                __rpc::result::<Receipt, Refusal>(),
                &[
                    __rpc::argument::<Account>().of(&from),
                    __rpc::argument::<Account>().of(&to),
                    __rpc::argument::<u64>().of(&amount),
                ],
            )
        }
        /// Calls `balance`.
        fn balance(
            &self,
            account: Account,
        ) -> __rpc::Call<
            <bank::Result<u64> as __rpc::ResultParts>::Ok,
            __rpc::CallError<<bank::Result<u64> as __rpc::ResultParts>::Err>,
        > {
            __rpc::call(
                &self.rpc,
                &__balance,
                __rpc::alias::<bank::Result<u64>>(),
                &[__rpc::argument::<Account>().of(&account)],
            )
        }
    }
    impl ::core::convert::From<&__rpc::Rpc> for BankClient {
        fn from(rpc: &__rpc::Rpc) -> Self {
            Self {
                rpc: ::core::clone::Clone::clone(rpc),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl ::core::clone::Clone for BankClient {
        fn clone(&self) -> Self {
            ::core::convert::From::from(&self.rpc)
        }
    }
    impl ::core::fmt::Debug for BankClient {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("BankClient").field("rpc", &self.rpc).finish_non_exhaustive()
        }
    }
    #[allow(dead_code)]
    impl<S> BankServer<S> {
        /// A server of `service`, to be passed to [`Rpc::serve`](::rpc_core::Rpc::serve).
        #[must_use]
        fn new(service: S) -> Self {
            Self {
                service: ::std::sync::Arc::new(service),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S> ::core::clone::Clone for BankServer<S> {
        fn clone(&self) -> Self {
            Self {
                service: ::core::clone::Clone::clone(&self.service),
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S> ::core::fmt::Debug for BankServer<S> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("BankServer").finish_non_exhaustive()
        }
    }
    impl<__S: Bank> __rpc::Service for BankServer<__S> {
        fn into_methods(self) -> ::std::vec::Vec<__rpc::Method> {
            ::core::convert::From::from([
                __rpc::method(
                    &self.service,
                    &__audit,
                    __rpc::value::<()>(),
                    (),
                    |service, ()| async move { <__S as Bank>::audit(&service).await },
                ),
                __rpc::method(
                    &self.service,
                    &__pay,
                    __rpc::result::<Receipt, Refusal>(),
                    (
                        __rpc::argument::<Account>(),
                        (__rpc::argument::<Account>(), (__rpc::argument::<u64>(), ())),
                    ),
                    |service, (from, (to, (amount, ())))| async move {
                        <__S as Bank>::pay(&service, from, to, amount).await
                    },
                ),
                __rpc::method(
                    &self.service,
                    &__balance,
                    __rpc::alias::<bank::Result<u64>>(),
                    (__rpc::argument::<Account>(), ()),
                    |service, (account, ())| async move {
                        <__S as Bank>::balance(&service, account).await
                    },
                ),
            ])
        }
    }
};
