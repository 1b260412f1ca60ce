#[allow(clippy::type_complexity)]
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
    fn last(
        &self,
        account: Account,
    ) -> impl ::core::future::Future<Output = Receipt> + ::core::marker::Send;
    fn balance(
        &self,
        account: Account,
    ) -> impl ::core::future::Future<Output = bank::Result<u64>> + ::core::marker::Send;
}
/// Calls the methods of [`Bank`](trait@Bank) on a server. A cheap clone.
#[allow(dead_code)]
struct BankClient {
    rpc: ::rpc_core::Rpc,
    types: ::core::marker::PhantomData<fn() -> ()>,
}
/// Serves an implementation of [`Bank`](trait@Bank). A cheap clone.
#[allow(dead_code)]
struct BankServer<S: ?::core::marker::Sized> {
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
        const audit: __rpc::Descriptor = __rpc::describe("audit", "()").build();
        const pay: __rpc::Descriptor = __rpc::describe("pay", "Result<Receipt, Refusal>")
            .args(
                &__rpc::args([
                    __rpc::arg("from", "Account"),
                    __rpc::arg("to", "Account"),
                    __rpc::arg("amount", "u64"),
                ]),
            )
            .build();
        const last: __rpc::Descriptor = __rpc::describe(
                "last",
                __rpc::value_type("Receipt", __rpc::TypeOf::<Receipt>::IS_RESULT),
            )
            .args(&__rpc::args([__rpc::arg("account", "Account")]))
            .build();
        const balance: __rpc::Descriptor = __rpc::describe(
                "balance",
                "bank::Result<u64>",
            )
            .args(&__rpc::args([__rpc::arg("account", "Account")]))
            .build();
    }
    impl BankClient {
        /// What [`Bank`](trait@Bank) declares, as data.
        const DESCRIPTOR: __rpc::ServiceDescriptor = __rpc::describe_service(
            "Bank",
            "",
            &[__Method::audit, __Method::pay, __Method::last, __Method::balance],
        );
        /// A client that calls through `rpc`.
        #[must_use]
        fn new(rpc: &__rpc::Rpc) -> Self {
            ::core::convert::From::from(rpc)
        }
    }
    impl BankClient {
        /// Calls `audit`: see [`Bank::audit`](method@Bank::audit).
        fn audit(&self) -> __rpc::Call<()> {
            __rpc::call(&self.rpc, &__Method::audit, __rpc::value()).args([])
        }
        /// Calls `pay`: see [`Bank::pay`](method@Bank::pay).
        fn pay(
            &self,
            from: Account,
            to: Account,
            amount: u64,
        ) -> __rpc::Call<Receipt, __rpc::CallError<Refusal>> {
            __rpc::call(&self.rpc, &__Method::pay, __rpc::result::<Receipt, Refusal>())
                .args([
                    __rpc::owned().of(&from),
                    __rpc::owned().of(&to),
                    __rpc::owned().of(&amount),
                ])
        }
        /// Calls `last`: see [`Bank::last`](method@Bank::last).
        fn last(&self, account: Account) -> __rpc::Call<Receipt> {
            __rpc::call(&self.rpc, &__Method::last, __rpc::value())
                .args([__rpc::owned().of(&account)])
        }
        /// Calls `balance`: see [`Bank::balance`](method@Bank::balance).
        fn balance(
            &self,
            account: Account,
        ) -> __rpc::Call<
            <bank::Result<u64> as __rpc::ResultParts>::Ok,
            __rpc::CallError<<bank::Result<u64> as __rpc::ResultParts>::Err>,
        > {
            __rpc::call(
                    &self.rpc,
                    &__Method::balance,
                    __rpc::alias::<bank::Result<u64>>(),
                )
                .args([__rpc::owned().of(&account)])
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
    impl<S> BankServer<S> {
        /// A server of `service`, to be passed to [`Rpc::serve`](::rpc_core::Rpc::serve).
        #[must_use]
        fn new(service: S) -> Self {
            ::core::convert::From::from(::std::sync::Arc::new(service))
        }
    }
    impl<S: ?::core::marker::Sized> ::core::convert::From<::std::sync::Arc<S>>
    for BankServer<S> {
        fn from(service: ::std::sync::Arc<S>) -> Self {
            Self {
                service,
                types: ::core::marker::PhantomData,
            }
        }
    }
    impl<S: ?::core::marker::Sized> ::core::clone::Clone for BankServer<S> {
        fn clone(&self) -> Self {
            ::core::convert::From::from(::core::clone::Clone::clone(&self.service))
        }
    }
    impl<S: ?::core::marker::Sized> ::core::fmt::Debug for BankServer<S> {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.debug_struct("BankServer").finish_non_exhaustive()
        }
    }
    impl<__S: Bank + ?::core::marker::Sized> __rpc::Service for BankServer<__S> {
        fn into_methods(self) -> ::std::vec::Vec<__rpc::Method> {
            let s = &self.service;
            ::core::convert::From::from([
                __rpc::method(s, &__Method::audit, __rpc::value())
                    .run(|s, (), encode| __rpc::respond(
                        encode,
                        async move { Bank::audit(&*s).await },
                    )),
                __rpc::method(s, &__Method::pay, __rpc::result::<Receipt, Refusal>())
                    .args((__rpc::owned(), (__rpc::owned(), (__rpc::owned(), ()))))
                    .run(|s, (from, (to, (amount, ()))), encode| __rpc::respond(
                        encode,
                        async move { Bank::pay(&*s, from, to, amount).await },
                    )),
                __rpc::method(s, &__Method::last, __rpc::value())
                    .args((__rpc::owned(), ()))
                    .run(|s, (account, ()), encode| __rpc::respond(
                        encode,
                        async move { Bank::last(&*s, account).await },
                    )),
                __rpc::method(s, &__Method::balance, __rpc::alias::<bank::Result<u64>>())
                    .args((__rpc::owned(), ()))
                    .run(|s, (account, ()), encode| __rpc::respond(
                        encode,
                        async move { Bank::balance(&*s, account).await },
                    )),
            ])
        }
    }
    mod __culprit {
        pub(super) enum audit {}
    }
    #[doc(hidden)]
    impl Bank for BankClient
    where
        for<'__a> <Self as __rpc::Same<'__a>>::Type: std::fmt::Debug,
        for<'__a> <__culprit::audit as __rpc::Same<'__a>>::Type: __rpc::Fails<Self>,
    {
        fn audit(
            &self,
        ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
            ::core::future::pending()
        }
        fn pay(
            &self,
            _: Account,
            _: Account,
            _: u64,
        ) -> impl ::core::future::Future<
            Output = Result<Receipt, Refusal>,
        > + ::core::marker::Send {
            ::core::future::pending()
        }
        fn last(
            &self,
            _: Account,
        ) -> impl ::core::future::Future<Output = Receipt> + ::core::marker::Send {
            ::core::future::pending()
        }
        fn balance(
            &self,
            _: Account,
        ) -> impl ::core::future::Future<
            Output = bank::Result<u64>,
        > + ::core::marker::Send {
            ::core::future::pending()
        }
    }
    impl<__S: Bank + ?::core::marker::Sized> Bank for ::std::sync::Arc<__S>
    where
        Self: std::fmt::Debug,
    {
        fn audit(
            &self,
        ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send {
            <__S as Bank>::audit(&**self)
        }
        fn pay(
            &self,
            from: Account,
            to: Account,
            amount: u64,
        ) -> impl ::core::future::Future<
            Output = Result<Receipt, Refusal>,
        > + ::core::marker::Send {
            <__S as Bank>::pay(&**self, from, to, amount)
        }
        fn last(
            &self,
            account: Account,
        ) -> impl ::core::future::Future<Output = Receipt> + ::core::marker::Send {
            <__S as Bank>::last(&**self, account)
        }
        fn balance(
            &self,
            account: Account,
        ) -> impl ::core::future::Future<
            Output = bank::Result<u64>,
        > + ::core::marker::Send {
            <__S as Bank>::balance(&**self, account)
        }
    }
};
