//! Methods, arguments and parameters may be named as what is generated for them.

use rpc_core::{Rpc, RpcError, rpc_service};

/// Methods that are named as the client, its calls, or the generated code might name something.
#[rpc_service(prefix = "methods.")]
#[allow(non_snake_case, clippy::wrong_self_convention)]
trait Methods {
    async fn call(&self) -> u8;
    async fn timeout(&self) -> u8;
    async fn result(&self) -> Result<u8, String>;
    async fn value(&self) -> u8;
    async fn owned(&self) -> u8;
    async fn method(&self) -> u8;
    async fn service(&self) -> u8;
    async fn args(&self) -> u8;
    async fn rpc(&self) -> u8;
    async fn self_(&self) -> u8;
    async fn describe(&self) -> u8;
    async fn into_methods(&self) -> u8;
    async fn __rpc(&self) -> u8;
    async fn __Method(&self) -> u8;
    async fn T(&self) -> u8;
    async fn E(&self) -> u8;
    async fn S(&self) -> u8;
    async fn new(&self) -> u8;
    async fn DESCRIPTOR(&self) -> u8;
    /// A constant of the method before might be named so.
    async fn __args(&self, args: u8, __args: u8, total: u8, __total: u8) -> u8;
    async fn total(&self, __total: u8) -> u8;
}

struct Numbered;

macro_rules! numbered {
    ($($method:ident = $number:literal),*) => {
        #[allow(non_snake_case)]
        impl Methods for Numbered {
            $(async fn $method(&self) -> u8 {
                $number
            })*
            async fn result(&self) -> Result<u8, String> {
                Ok(0)
            }
            async fn __args(&self, args: u8, __args: u8, total: u8, __total: u8) -> u8 {
                args + __args + total + __total
            }
            async fn total(&self, __total: u8) -> u8 {
                __total
            }
        }

        #[tokio::test]
        async fn methods_may_have_any_name() {
            let rpc = Rpc::connect("memory://").await.unwrap();
            rpc.serve(MethodsServer::new(Numbered)).await.unwrap();
            let client = MethodsClient::from(&rpc);
            $(assert_eq!(client.$method().await, Ok($number), stringify!($method));)*
            assert_eq!(client.result().await, Ok(0));
            assert_eq!(client.__args(1, 2, 3, 4).await, Ok(10));
            assert_eq!(client.total(5).await, Ok(5));
        }
    };
}
numbered! {
    call = 1, timeout = 2, value = 3, owned = 4, method = 5, service = 6, args = 7, rpc = 8, self_ = 9, describe = 10,
    into_methods = 11, __rpc = 12, __Method = 13, T = 14, E = 15, S = 16, new = 17, DESCRIPTOR = 18
}

/// The same of arguments: one by one, as the fields of a struct, and where the client is the service.
#[rpc_service(prefix = "arguments.")]
#[allow(non_snake_case, clippy::too_many_arguments)]
trait Arguments {
    async fn list(
        &self,
        call: u8,
        timeout: u8,
        result: &u8,
        value: u8,
        argument: u8,
        service: u8,
        s: u8,
        args: u8,
        rpc: u8,
        new: u8,
        self_: u8,
        __rpc: u8,
        __Method: u8,
        __Args: u8,
        __lent: u8,
        T: u8,
        E: u8,
        S: &u8,
        list: u8,
    ) -> Result<u8, Lost>;
    async fn fields(
        &self,
        call: u8,
        timeout: u8,
        result: &u8,
        value: u8,
        argument: u8,
        service: u8,
        s: u8,
        args: u8,
        rpc: u8,
        new: u8,
        self_: u8,
        __rpc: u8,
        __Method: u8,
        __Args: u8,
        __lent: u8,
        T: u8,
        E: u8,
        S: &u8,
        #[serde(default)] fields: u8,
    ) -> Result<u8, Lost>;
}

#[derive(Debug, serde::Deserialize, PartialEq, serde::Serialize)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("lost")
    }
}

impl From<RpcError> for Lost {
    fn from(_: RpcError) -> Self {
        Self
    }
}

struct Sum;

#[allow(non_snake_case)]
impl Arguments for Sum {
    async fn list(
        &self,
        call: u8,
        timeout: u8,
        result: &u8,
        value: u8,
        argument: u8,
        service: u8,
        s: u8,
        args: u8,
        rpc: u8,
        new: u8,
        self_: u8,
        __rpc: u8,
        __Method: u8,
        __Args: u8,
        __lent: u8,
        T: u8,
        E: u8,
        S: &u8,
        list: u8,
    ) -> Result<u8, Lost> {
        Ok(call
            + timeout
            + *result
            + value
            + argument
            + service
            + s
            + args
            + rpc
            + new
            + self_
            + __rpc
            + __Method
            + __Args
            + __lent
            + T
            + E
            + *S
            + list)
    }
    async fn fields(
        &self,
        call: u8,
        timeout: u8,
        result: &u8,
        value: u8,
        argument: u8,
        service: u8,
        s: u8,
        args: u8,
        rpc: u8,
        new: u8,
        self_: u8,
        __rpc: u8,
        __Method: u8,
        __Args: u8,
        __lent: u8,
        T: u8,
        E: u8,
        S: &u8,
        fields: u8,
    ) -> Result<u8, Lost> {
        Ok(call
            + timeout
            + *result
            + value
            + argument
            + service
            + s
            + args
            + rpc
            + new
            + self_
            + __rpc
            + __Method
            + __Args
            + __lent
            + T
            + E
            + *S
            + fields)
    }
}

async fn sums(sum: &impl Arguments) -> [Result<u8, Lost>; 2] {
    let list = sum.list(
        1, 2, &3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, &18, 19,
    );
    let fields = sum.fields(
        1, 2, &3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, &18, 18,
    );
    [list.await, fields.await]
}

#[tokio::test]
async fn arguments_may_have_any_name() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    rpc.serve(ArgumentsServer::new(Sum)).await.unwrap();
    let client = ArgumentsClient::new(&rpc);
    assert_eq!(sums(&client).await, [Ok(190), Ok(189)]);
    assert_eq!(sums(&client).await, sums(&Sum).await);
    let [list, _] = ArgumentsClient::DESCRIPTOR.methods else {
        panic!("not two methods");
    };
    let names: Vec<_> = list
        .arguments
        .iter()
        .map(|argument| argument.name)
        .collect();
    assert_eq!(names[..3], ["call", "timeout", "result"]);
}

/// A type named as the parameter of the server, and traits with parameters of such names.
mod parameters {
    use super::*;

    #[derive(Clone, Debug, serde::Deserialize, PartialEq, serde::Serialize)]
    pub(crate) struct S {
        pub(crate) s: u8,
    }

    #[rpc_service(prefix = "store.")]
    pub(crate) trait Store<T = S> {
        async fn keep(&self, value: T, one: S) -> T;
    }

    #[rpc_service(prefix = "pair.")]
    #[allow(clippy::type_repetition_in_bounds)]
    pub(crate) trait Pair<S, E, _S = (S, E)>
    where
        S: Clone,
    {
        async fn first(&self, pair: &(S, E), rest: Option<_S>) -> S;
    }
}

use parameters::{Pair, PairClient, PairServer, S, Store, StoreClient, StoreServer};

impl Store for Sum {
    async fn keep(&self, value: S, one: S) -> S {
        S { s: value.s + one.s }
    }
}

impl<S: Clone + Sync, E: Sync, R: Send> Pair<S, E, R> for Sum {
    async fn first(&self, pair: &(S, E), _: Option<R>) -> S {
        pair.0.clone()
    }
}

#[tokio::test]
async fn parameters_may_have_any_name() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    let server: StoreServer<_> = StoreServer::new(Sum);
    rpc.serve(server).await.unwrap();
    let client: StoreClient = StoreClient::new(&rpc);
    assert_eq!(client.keep(S { s: 1 }, S { s: 2 }).await, Ok(S { s: 3 }));
    rpc.serve(PairServer::<_, u8, String>::new(Sum))
        .await
        .unwrap();
    let client = PairClient::<u8, String>::new(&rpc);
    assert_eq!(client.first(&(7, String::new()), None).await, Ok(7));
}

/// What a method that is not there would have been in the way of, is there.
#[rpc_service(prefix = "absent.")]
#[allow(non_snake_case)]
trait Absent {
    #[cfg(any())]
    async fn new(&self) -> Missing;
    #[cfg_attr(all(), cfg(any()))]
    async fn DESCRIPTOR(&self) -> Missing;
    async fn there(&self) -> bool;
}

impl Absent for Sum {
    async fn there(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn an_absent_method_is_not_in_the_way() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    rpc.serve(AbsentServer::new(Sum)).await.unwrap();
    assert_eq!(AbsentClient::new(&rpc).there().await, Ok(true));
    let methods = AbsentClient::DESCRIPTOR.methods;
    assert_eq!((methods.len(), methods[0].name), (1, "absent.there"));
}
