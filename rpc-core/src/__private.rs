//! What generated code calls. Not part of the public interface.

mod describe;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use futures_util::future::BoxFuture;
pub use serde;

pub use crate::contract::argument::{Arguments, Encode, fields, lent, lent_option, owned};
pub use crate::contract::flattened::names_of;
pub use crate::contract::returns::{
    EncodeOutput, Is, OutputFault, ResultParts, Returns, alias, result, value,
};
pub use crate::contract::service::{HandlerFuture, Run};
pub use crate::{
    Call, CallError, Method, MethodDescriptor as Descriptor, Rpc, RpcError, Service,
    ServiceDescriptor,
};
pub use describe::{
    ArgumentBuilder, DescriptorBuilder, Other, TypeOf, arg, args, describe, describe_service,
    value_type,
};

use crate::client::request::Request;
use crate::contract::argument::encode;
use crate::contract::returns::Finish;
use crate::error::reason::Reason;
use crate::wire::codec;

/// The client side of a method, before its arguments are given.
#[must_use]
pub fn call<'a, O, T, Err>(
    rpc: &'a Rpc,
    method: &'static Descriptor,
    returns: Returns<O, T, Err>,
) -> CallBuilder<'a, T, Err> {
    CallBuilder {
        rpc,
        method,
        finish: returns.finish,
    }
}

/// A call that has no arguments yet.
pub struct CallBuilder<'a, T, Err> {
    rpc: &'a Rpc,
    method: &'static Descriptor,
    finish: Finish<T, Err>,
}

impl<T, Err> CallBuilder<'_, T, Err> {
    /// The call with these arguments, in the order of the descriptor.
    pub fn args<const N: usize>(self, args: [&dyn Encode; N]) -> Call<T, Err> {
        let body = encode(self.method, &args);
        self.call(body)
    }

    /// The call with the fields of a struct as arguments.
    pub fn fields<A: Serialize>(self, args: A) -> Call<T, Err> {
        self.call(codec::encode_args(&args))
    }

    fn call(self, body: Result<Vec<u8>, Reason>) -> Call<T, Err> {
        let method = self.rpc.prefixed(self.method.name.into());
        let mut options = self.method.options;
        options.confirmed |= self.method.queue.is_some_and(|queue| queue().is_quorum());
        let request = Request::new(method, options, body);
        Call::new(self.rpc.client(), request, self.finish)
    }
}

impl<T, Err> fmt::Debug for CallBuilder<'_, T, Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("CallBuilder")
            .field("method", &self.method.name))
        .finish_non_exhaustive()
    }
}

/// The bounds on a type parameter of a service.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a type parameter of a service",
    label = "it is `Serialize + DeserializeOwned + Send + Sync + 'static`",
    note = "for a type of your own: `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait Parameter: Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Parameter for T {}

/// The server side of a method, before its arguments are given.
#[must_use]
pub fn method<S: ?Sized, O, T, Err>(
    service: &Arc<S>,
    method: &'static Descriptor,
    returns: Returns<O, T, Err>,
) -> MethodBuilder<S, (), O> {
    MethodBuilder {
        service: Arc::clone(service),
        method,
        encode: returns.encode,
        arguments: (),
    }
}

/// A method that has no function to run it yet.
pub struct MethodBuilder<S: ?Sized, A, O> {
    service: Arc<S>,
    method: &'static Descriptor,
    encode: EncodeOutput<O>,
    arguments: A,
}

impl<S: ?Sized, O> MethodBuilder<S, (), O> {
    /// The method with these arguments. If this is not called, the method has none.
    #[must_use]
    pub fn args<A>(self, arguments: A) -> MethodBuilder<S, A, O> {
        MethodBuilder {
            service: self.service,
            method: self.method,
            encode: self.encode,
            arguments,
        }
    }
}

impl<S: Send + Sync + ?Sized + 'static, A: Arguments, O: 'static> MethodBuilder<S, A, O> {
    /// The method, run by this function.
    pub fn run(self, run: Run<S, A::Values, O>) -> Method {
        Method::described(self.service, self.method, self.arguments, run, self.encode)
    }
}

impl<S: ?Sized, A, O> fmt::Debug for MethodBuilder<S, A, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("MethodBuilder")
            .field("method", &self.method.name))
        .finish_non_exhaustive()
    }
}

/// Runs a method, then encodes its output.
pub fn respond<O, R>(
    encode: EncodeOutput<O>,
    output: impl Future<Output = R> + Send + 'static,
) -> HandlerFuture
where
    O: 'static,
    R: Is<O>,
{
    // `map`, because an async block would hold the future twice: as captured, and as it runs.
    let body = output.map(move |output| encode(output.get()).map_err(|OutputFault(fault)| fault));
    HandlerFuture(Box::pin(body))
}

/// The bound on each method's error for the client to implement the trait.
#[diagnostic::on_unimplemented(
    message = "the client is no implementation of its trait: `{Self}` cannot say that a call failed",
    label = "the error of each method is `From<RpcError>` where a client is used as an implementation",
    note = "for an error of your own: `impl From<rpc_core::RpcError> for {Self}`"
)]
pub trait Failure: From<RpcError> {}

#[diagnostic::do_not_recommend]
impl<E: From<RpcError>> Failure for E {}

/// A bound that never holds. The client's implementation of its trait has it if a method returns no
/// error, so that the compiler says why the client does not implement the trait.
#[diagnostic::on_unimplemented(
    message = "`{Client}` does not implement its trait: the method `{Self}` returns no `Result`, so it could not say that \
               a call failed",
    label = "a client implements its trait only where each method is async and returns a `Result`",
    note = "call the methods of the client itself, or let `{Self}` return a `Result<T, E>` with `E: From<RpcError>`"
)]
pub trait Fails<Client> {
    #[doc(hidden)]
    fn never<T>() -> T;
}

/// The same as [`Fails`], for a method that is not async.
#[diagnostic::on_unimplemented(
    message = "`{Client}` does not implement its trait: the method `{Self}` is not async, so it could not wait for its \
               answer",
    label = "a client implements its trait only where each method is async and returns a `Result`",
    note = "call the methods of the client itself, or make `{Self}` an `async fn` that returns a `Result<T, E>` with \
            `E: From<RpcError>`"
)]
pub trait Waits<Client> {
    #[doc(hidden)]
    fn never<T>() -> T;
}

/// A `Result<T, E>` whose error can say that a call failed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is named `Result`, but is no `core::result::Result`",
    label = "give this type another name, or return a `Result<T, E>`"
)]
pub trait Flatten<T, E> {
    #[doc(hidden)]
    fn flatten(result: Result<T, CallError<E>>) -> Self;
}

impl<T, E: Failure> Flatten<T, E> for Result<T, E> {
    fn flatten(result: Result<T, CallError<E>>) -> Self {
        result.map_err(CallError::flatten)
    }
}

/// The outcome of a call as the trait's own method returns it.
pub async fn flatten<R: Flatten<T, E>, T, E>(call: Call<T, CallError<E>>) -> R {
    R::flatten(call.await)
}

/// The same as [`Flatten`], for a `Result` behind an alias that does not show both types.
pub trait Fallible: ResultParts {
    #[doc(hidden)]
    fn flatten(result: Result<Self::Ok, CallError<Self::Err>>) -> Self;
}

impl<T, E: Failure> Fallible for Result<T, E> {
    fn flatten(result: Result<T, CallError<E>>) -> Self {
        Flatten::flatten(result)
    }
}

/// The same as [`flatten`], for [`Fallible`].
pub async fn flatten_alias<R: Fallible>(call: Call<R::Ok, CallError<R::Err>>) -> R {
    R::flatten(call.await)
}

/// `T`, written so that a bound on it may be false: `for<'a> <T as Same<'a>>::Type: Bound`.
///
/// The compiler refuses an `impl` with a bound that it can see is false, unless the bound has a
/// lifetime of its own.
pub trait Same<'a> {
    /// `Self`.
    type Type: ?Sized;
}

impl<T: ?Sized> Same<'_> for T {
    type Type = T;
}

/// `Self`, with `A` named beside it.
pub trait Beside<A> {
    /// `Self`.
    type Type;
}

impl<T, A> Beside<A> for T {
    type Type = T;
}
