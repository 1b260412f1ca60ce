//! What generated code calls; no part of the public interface.

use std::sync::Arc;

pub use serde;

pub use crate::argument::{Arguments, Encode, argument, cow, fields, lent, lent_option};
pub use crate::returns::{Encoded, ResultParts, Returns, alias, result, value};
pub use crate::service::Run;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::{
    ArgumentDescriptor, Call, CallError, Method, MethodDescriptor, Rpc, RpcError, Service,
    ServiceDescriptor,
};

use crate::argument::encode;
use crate::codec;

/// The client side of a method.
pub fn call<O, T, Err>(
    rpc: &Rpc,
    method: &'static MethodDescriptor,
    returns: Returns<O, T, Err>,
    args: &[&dyn Encode],
) -> Call<T, Err> {
    Call::described(rpc, method, encode(method, args), returns.finish)
}

/// The same for arguments that are the fields of a struct.
pub fn call_with<A: Serialize, O, T, Err>(
    rpc: &Rpc,
    method: &'static MethodDescriptor,
    returns: Returns<O, T, Err>,
    args: &A,
) -> Call<T, Err> {
    Call::described(rpc, method, codec::encode_args(args), returns.finish)
}

/// Whether a value travels as `null`, which is what an absent one means. Encodes no more of it than that.
pub fn is_none<T: Serialize>(value: &T) -> bool {
    let mut start = [0; 4];
    serde_json::to_writer(&mut start[..], value).is_ok() && start == *b"null"
}

/// What can be a type parameter of a service.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a type parameter of a service",
    label = "it is `Serialize + DeserializeOwned + Send + Sync + 'static`",
    note = "for a type of your own: `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait Parameter: Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Parameter for T {}

/// The server side of a method.
pub fn method<S, A, O, T, Err>(
    service: &Arc<S>,
    method: &'static MethodDescriptor,
    returns: Returns<O, T, Err>,
    arguments: A,
    run: Run<S, A::Values, O>,
) -> Method
where
    S: Send + Sync + 'static,
    A: Arguments,
    O: 'static,
{
    let service = Arc::clone(service);
    Method::described(service, method, arguments, run, returns.encode)
}

/// What the error of each method has to be for a client to implement the trait.
#[diagnostic::on_unimplemented(
    message = "the client is no implementation of its trait: `{Self}` cannot say that a call failed",
    label = "the error of each method is `From<RpcError>` where a client is used as an implementation",
    note = "for an error of your own: `impl From<rpc_core::RpcError> for {Self}`"
)]
pub trait Failure: From<RpcError> {}

#[diagnostic::do_not_recommend]
impl<E: From<RpcError>> Failure for E {}

/// A `Result`, also one behind an alias, that says it if a call failed.
pub trait Fallible: ResultParts {
    #[doc(hidden)]
    fn flatten(result: Result<Self::Ok, CallError<Self::Err>>) -> Self;
}

impl<T, E: Failure> Fallible for Result<T, E> {
    fn flatten(result: Result<T, CallError<E>>) -> Self {
        result.map_err(CallError::flatten)
    }
}

/// The end of a call as the trait itself declares it.
pub async fn flatten<R: Fallible>(call: Call<R::Ok, CallError<R::Err>>) -> R {
    R::flatten(call.await)
}

/// `T` in a way that a bound on it may be false: `for<'a> <T as Same<'a>>::Type: Bound`.
///
/// The compiler refuses an `impl` with a bound that it sees to be false, unless the bound has a lifetime
/// of its own.
pub trait Same<'a> {
    /// `Self`.
    type Type: ?Sized;
}

impl<T: ?Sized> Same<'_> for T {
    type Type = T;
}
