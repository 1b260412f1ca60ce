//! Arguments of generated methods, by name.
//!
//! Generated code names the type of each argument once on either side, in [`argument`]; nothing else that
//! it calls has a bound on that type. So a type that cannot travel is one error, at the type.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::codec;
use crate::descriptor::{ArgumentDescriptor, MethodDescriptor};
use crate::fault::Fault;

/// What can be an argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as an argument",
    label = "an argument is `Serialize + DeserializeOwned + Send + 'static`",
    note = "for a type of your own: `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait Argument: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Argument for T {}

/// How an argument of the type `T` travels, without a bound on `T`.
pub struct Codec<T> {
    erase: fn(&T) -> &dyn Encode,
    decode: fn(&str, Option<&RawValue>) -> Result<T, Fault>,
}

/// How an argument of this type travels.
#[must_use]
pub fn argument<T: Argument>() -> Codec<T> {
    Codec {
        erase: |value| value,
        decode: codec::decode_argument::<T>,
    }
}

/// An argument that the caller lends; its server decodes a `Box` of it.
pub fn lent<T: Serialize>(value: &T) -> &dyn Encode {
    value
}

impl<T> Codec<T> {
    /// The argument on the caller's side.
    pub fn of<'a>(&self, value: &'a T) -> &'a dyn Encode {
        (self.erase)(value)
    }
}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").finish_non_exhaustive()
    }
}

/// A value that is about to travel.
pub trait Encode {
    #[doc(hidden)]
    fn encode(&self, body: &mut Vec<u8>) -> serde_json::Result<()>;
}

impl<T: Serialize> Encode for T {
    fn encode(&self, body: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(body, self)
    }
}

/// The body of a call.
pub(crate) fn encode(method: &MethodDescriptor, values: &[&dyn Encode]) -> Result<Vec<u8>, String> {
    let mut body = vec![b'{'];
    for (argument, value) in method.arguments.iter().zip(values) {
        let end = body.len();
        if end > 1 {
            body.push(b',');
        }
        let mut write = || {
            serde_json::to_writer(&mut body, argument.name)?;
            body.push(b':');
            let start = body.len();
            value.encode(&mut body)?;
            Ok(start)
        };
        let start =
            write().map_err(|error: serde_json::Error| format!("`{}`: {error}", argument.name))?;
        // To a reader `null` and nothing are the same `None`.
        if argument.optional && body[start..] == *b"null" {
            body.truncate(end);
        }
    }
    body.push(b'}');
    Ok(body)
}

/// The arguments of a method on its server: a list such as `(Codec<A>, (Codec<B>, ()))`, or [`Fields`].
pub trait Arguments: Send + Sync + 'static {
    /// `(A, (B, ()))`, or the struct of the fields.
    type Values;

    #[doc(hidden)]
    fn decode(&self, body: &[u8], method: &MethodDescriptor) -> Result<Self::Values, Mismatch>;
}

/// What is wrong with the arguments of a call.
#[derive(Debug)]
pub struct Mismatch(pub(crate) Fault);

impl<L: List> Arguments for L {
    type Values = L::Values;

    fn decode(&self, body: &[u8], method: &MethodDescriptor) -> Result<Self::Values, Mismatch> {
        let values = codec::split_args(body, method.arguments).map_err(Mismatch)?;
        self.decode_each(&mut Raw {
            arguments: method.arguments,
            values,
            next: 0,
        })
    }
}

/// A list of arguments.
pub trait List: Send + Sync + 'static {
    #[doc(hidden)]
    type Values;

    #[doc(hidden)]
    fn decode_each(&self, raw: &mut Raw<'_>) -> Result<Self::Values, Mismatch>;
}

impl List for () {
    type Values = ();

    fn decode_each(&self, _: &mut Raw<'_>) -> Result<(), Mismatch> {
        Ok(())
    }
}

impl<T: 'static, R: List> List for (Codec<T>, R) {
    type Values = (T, R::Values);

    fn decode_each(&self, raw: &mut Raw<'_>) -> Result<Self::Values, Mismatch> {
        let (codec, rest) = self;
        Ok((raw.decode_next(codec)?, rest.decode_each(raw)?))
    }
}

/// The arguments of a call in the order of the method, as JSON.
#[derive(Debug)]
pub struct Raw<'a> {
    arguments: &'a [ArgumentDescriptor],
    values: Vec<Option<&'a RawValue>>,
    next: usize,
}

impl Raw<'_> {
    fn decode_next<T>(&mut self, codec: &Codec<T>) -> Result<T, Mismatch> {
        let name = self.arguments.get(self.next).map_or("", |arg| arg.name);
        let value = self.values.get(self.next).copied().flatten();
        self.next += 1;
        (codec.decode)(name, value).map_err(Mismatch)
    }
}

/// The arguments of a method of which one has an attribute of serde: the fields of a struct.
pub struct Fields<A>(PhantomData<fn() -> A>);

/// The arguments are the fields of this struct.
#[must_use]
pub fn fields<A: DeserializeOwned + 'static>() -> Fields<A> {
    Fields(PhantomData)
}

impl<A: DeserializeOwned + 'static> Arguments for Fields<A> {
    type Values = A;

    fn decode(&self, body: &[u8], _: &MethodDescriptor) -> Result<A, Mismatch> {
        codec::decode_args(body).map_err(Mismatch)
    }
}

impl<A> fmt::Debug for Fields<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").finish_non_exhaustive()
    }
}
