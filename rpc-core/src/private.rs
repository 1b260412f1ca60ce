//! What generated code calls; no part of the public interface.

use std::fmt;
use std::future::Future;

pub use serde;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Call, CallError, Method, Rpc};

/// The client side of a method that returns a plain value.
pub fn call<A, T>(rpc: &Rpc, method: &'static str, args: &A) -> Call<T>
where
    A: Serialize,
    T: DeserializeOwned,
{
    Call::new(rpc, method, args)
}

/// The client side of a method that returns a `Result`.
pub fn call_fallible<A, T, E>(rpc: &Rpc, method: &'static str, args: &A) -> Call<T, CallError<E>>
where
    A: Serialize,
    T: DeserializeOwned,
    E: DeserializeOwned,
{
    Call::fallible(rpc, method, args)
}

/// The server side of a method that returns a plain value.
pub fn method<A, T, F, Fut>(name: &'static str, handler: F) -> Method
where
    A: DeserializeOwned + Send + 'static,
    T: Serialize,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    Method::infallible(name, handler)
}

/// The server side of a method that returns a `Result`.
pub fn method_fallible<A, T, E, F, Fut>(name: &'static str, handler: F) -> Method
where
    A: DeserializeOwned + Send + 'static,
    T: Serialize,
    E: Serialize + fmt::Display,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    Method::fallible(name, handler)
}

/// The two types of a `Result`, also of one behind an alias such as `io::Result<T>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is named `Result`, but is no `core::result::Result`",
    label = "give this type another name, or return a `Result<T, E>`"
)]
pub trait ResultParts {
    /// What the caller gets.
    type Ok;
    /// What the caller gets as [`CallError::Service`].
    type Err;
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Err = E;
}
