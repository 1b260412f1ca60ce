//! The results of generated methods: how they are encoded and decoded.
//!
//! As with arguments, generated code names the types once on each side, in [`value`], [`result`] or
//! [`alias`].

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::call_error::CallError;
use crate::error::remote::RemoteError;
use crate::error::rpc_error::RpcError;
use crate::error::shorten::shorten_words;
use crate::wire::codec;
use crate::wire::content::Content;
use crate::wire::fault::{Answer, Fault, kind};

/// Turns the answer to a call into the call's outcome.
pub(crate) type Finish<T, Err> = fn(Cow<'static, str>, Result<Answer, RpcError>) -> Result<T, Err>;

/// A type that a method can return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as the result of a method",
    label = "a result is `Serialize + DeserializeOwned`",
    note = "for a type of your own: `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait Returned: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Returned for T {}

/// A type that can be the error of a method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as the error of a method",
    label = "an error is `Serialize + DeserializeOwned + Display`",
    note = "`anyhow::Error` and `Box<dyn Error>` are not: return an error type of your own, such as an enum with \
            `#[derive(Debug, serde::Serialize, serde::Deserialize, thiserror::Error)]`"
)]
pub trait ReturnedError: Serialize + DeserializeOwned + fmt::Display {}

#[diagnostic::do_not_recommend]
impl<E: Serialize + DeserializeOwned + fmt::Display> ReturnedError for E {}

/// How an output of type `O` travels. The caller gets a `Result<T, Err>`. None of these types has a
/// bound.
pub struct Returns<O, T, Err> {
    pub(crate) encode: EncodeOutput<O>,
    pub(crate) finish: Finish<T, Err>,
}

/// Encodes the output of a method into the body of a reply.
pub type EncodeOutput<O> = fn(&O) -> Result<Vec<u8>, OutputFault>;

/// An error on its way to the caller.
#[derive(Debug)]
pub struct OutputFault(pub(crate) Fault);

/// A method that returns a plain value.
#[must_use]
pub fn value<T: Returned>() -> Returns<T, T, RpcError> {
    Returns {
        encode: |value| codec::encode_result(value).map_err(OutputFault),
        finish: plain,
    }
}

/// A method that returns a `Result`. The caller gets its error as a value of the same type.
#[must_use]
pub fn result<T: Returned, E: ReturnedError>() -> Returns<Result<T, E>, T, CallError<E>> {
    Returns {
        encode: |result| match result {
            Ok(value) => codec::encode_result(value).map_err(OutputFault),
            Err(error) => Err(OutputFault(Fault::service(error))),
        },
        finish: fallible,
    }
}

/// The same as [`result`], for a `Result` behind an alias that does not show both types, such as
/// `io::Result<T>`.
#[must_use]
pub fn alias<R>() -> Returns<R, R::Ok, CallError<R::Err>>
where
    R: ResultParts<Ok: Returned, Err: ReturnedError>,
{
    Returns {
        encode: |result| match result.parts() {
            Ok(value) => codec::encode_result(value).map_err(OutputFault),
            Err(error) => Err(OutputFault(Fault::service(error))),
        },
        finish: fallible,
    }
}

impl<O, T, Err> fmt::Debug for Returns<O, T, Err> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returns").finish_non_exhaustive()
    }
}

/// The two types of a `Result`, which may be behind an alias such as `io::Result<T>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is named `Result`, but is no `core::result::Result`",
    label = "give this type another name, or return a `Result<T, E>`"
)]
pub trait ResultParts {
    /// What the caller gets.
    type Ok;
    /// What the caller gets as [`CallError::Service`].
    type Err;

    #[doc(hidden)]
    fn parts(&self) -> Result<&Self::Ok, &Self::Err>;
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Err = E;

    fn parts(&self) -> Result<&T, &E> {
        self.as_ref()
    }
}

/// Holds if `Self` is `T`. A type equality with an error message of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is named `Result`, but is no `core::result::Result`",
    label = "give this type another name, or return a `Result<T, E>`"
)]
pub trait Is<T> {
    #[doc(hidden)]
    fn get(&self) -> &T;
}

impl<T> Is<T> for T {
    fn get(&self) -> &T {
        self
    }
}

/// The outcome of a call of a method that returns a plain value.
pub(crate) fn plain<T: DeserializeOwned>(
    method: Cow<'static, str>,
    answer: Result<Answer, RpcError>,
) -> Result<T, RpcError> {
    match answer? {
        Answer::Value(body, content) => codec::decode_result(&body, &content).map_err(|reason| {
            RpcError::decode(method, type_name::<T>(), reason.words).caused_by(reason.source)
        }),
        Answer::Fault(fault) => Err(RpcError::Remote(fault.into_remote(&method))),
    }
}

/// The outcome of a call of a method that returns a `Result`.
pub(crate) fn fallible<T, E>(
    method: Cow<'static, str>,
    answer: Result<Answer, RpcError>,
) -> Result<T, CallError<E>>
where
    T: DeserializeOwned,
    E: DeserializeOwned,
{
    match answer {
        Ok(Answer::Fault(fault)) => Err(failed(fault.into_remote(&method))),
        answer => plain(method, answer).map_err(CallError::Rpc),
    }
}

/// The service's own error if the data is one. If not, the error stays as the server sent it, which
/// says more than a decode error would, and says why not.
fn failed<E: DeserializeOwned>(mut error: RemoteError) -> CallError<E> {
    if let Some(data) = &error.data
        && !error.kind.starts_with(kind::PREFIX)
    {
        match codec::decode_result(data.get().as_bytes(), &Content::default()) {
            Ok(service) => return CallError::Service(service),
            // As foreign peers say that there is no data.
            Err(_) if data.get() == "null" => {}
            Err(reason) => {
                let expected = shorten_words(type_name::<E>());
                let mismatch = format!("its data is no `{expected}`: {}", reason.words);
                error.mismatch = Some(mismatch.into());
            }
        }
    }
    CallError::Rpc(error.into())
}
