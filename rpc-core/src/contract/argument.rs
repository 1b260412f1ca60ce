//! The arguments of generated methods: how they are encoded and decoded by name.
//!
//! Generated code calls [`owned`], [`lent`] or [`lent_option`] for each argument, the same function
//! on both sides. No other function that it calls has a bound on the argument's type. So a type
//! that cannot travel causes a single error, located at the type.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::descriptor::{ArgumentDescriptor, MethodDescriptor};
use crate::contract::named_arguments;
use crate::error::cause::Cause;
use crate::error::reason::Reason;
use crate::wire::codec;
use crate::wire::fault::Fault;

/// A type that can be an argument.
// No `'static` bound: a type with an elided lifetime already fails at `DeserializeOwned`, and a
// second bound would cause a second error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as an argument",
    label = "an argument is `Serialize + DeserializeOwned + Send`",
    note = "for a type of your own: `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait Argument: Serialize + DeserializeOwned + Send {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send> Argument for T {}

/// The `T` of an argument `&T` or `Option<&T>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as an argument",
    label = "what an argument lends is `Serialize + DeserializeOwned + Send`, or a slice of such, or `str`",
    note = "for a type of your own: `#[derive(serde::Serialize, serde::Deserialize)]`"
)]
pub trait Lent: Serialize {
    #[doc(hidden)]
    fn decode(name: &str, value: Option<&[u8]>) -> Result<Box<Self>, Mismatch>;

    #[doc(hidden)]
    fn decode_option(name: &str, value: Option<&[u8]>) -> Result<Option<Box<Self>>, Mismatch>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Lent for T
where
    Box<T>: DeserializeOwned + Send,
{
    fn decode(name: &str, value: Option<&[u8]>) -> Result<Box<Self>, Mismatch> {
        decode(name, value)
    }

    fn decode_option(name: &str, value: Option<&[u8]>) -> Result<Option<Box<Self>>, Mismatch> {
        decode(name, value)
    }
}

/// How an argument travels, from the `B` that the caller passes to the `O` that the server decodes.
/// Neither type has a bound.
pub struct Codec<B, O> {
    erase: fn(&B) -> &dyn Encode,
    decode: fn(&str, Option<&[u8]>) -> Result<O, Mismatch>,
}

fn decode<T: DeserializeOwned>(name: &str, value: Option<&[u8]>) -> Result<T, Mismatch> {
    named_arguments::decode_argument(name, value).map_err(Mismatch)
}

/// An argument `T`. It may be a `Cow`, which is always decoded as owned.
#[must_use]
pub fn owned<T: Argument>() -> Codec<T, T> {
    Codec {
        erase: |value| value,
        decode,
    }
}

/// An argument `&T`.
#[must_use]
pub fn lent<'a, T: Lent + ?Sized>() -> Codec<&'a T, Box<T>> {
    Codec {
        erase: |value| value,
        decode: T::decode,
    }
}

/// An argument `Option<&T>`.
#[must_use]
pub fn lent_option<'a, T: Lent + ?Sized>() -> Codec<Option<&'a T>, Option<Box<T>>> {
    Codec {
        erase: |value| value,
        decode: T::decode_option,
    }
}

impl<B, O> Codec<B, O> {
    /// The argument as the caller encodes it.
    pub fn of<'a>(&self, value: &'a B) -> &'a dyn Encode {
        (self.erase)(value)
    }
}

impl<B, O> fmt::Debug for Codec<B, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").finish_non_exhaustive()
    }
}

/// A value that can be encoded into the body of a call.
pub trait Encode {
    #[doc(hidden)]
    fn encode(&self, body: &mut Vec<u8>) -> serde_json::Result<()>;
}

impl<T: Serialize> Encode for T {
    fn encode(&self, body: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(body, self)
    }
}

/// Encodes the body of a call.
pub(crate) fn encode(method: &MethodDescriptor, values: &[&dyn Encode]) -> Result<Vec<u8>, Reason> {
    let mut body = Vec::with_capacity(USUAL_SIZE);
    body.push(b'{');
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
        let start = write().map_err(|error: serde_json::Error| {
            Reason::new(format!("`{}`: {error}", argument.name), Cause::new(error))
        })?;
        // An optional argument decodes as `None` both from `null` and when it is absent.
        if argument.optional && body[start..] == *b"null" {
            body.truncate(end);
        }
    }
    body.push(b'}');
    Ok(body)
}

/// Most bodies fit. Growing the buffer from empty would take longer than writing into it.
const USUAL_SIZE: usize = 128;

/// How a server decodes the arguments of a method: a list of `Codec`s such as `(a, (b, ()))`, or
/// `Fields`.
pub trait Arguments: Send + Sync + 'static {
    /// `(A, (B, ()))`, or the struct whose fields are the arguments.
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
        let values = named_arguments::split_args(body, method.arguments).map_err(Mismatch)?;
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

impl<B: 'static, O: 'static, R: List> List for (Codec<B, O>, R) {
    type Values = (O, R::Values);

    fn decode_each(&self, raw: &mut Raw<'_>) -> Result<Self::Values, Mismatch> {
        let (codec, rest) = self;
        Ok((raw.decode_next(codec)?, rest.decode_each(raw)?))
    }
}

/// The arguments of a call as JSON, in the order of the method's signature.
#[derive(Debug)]
pub struct Raw<'a> {
    arguments: &'a [ArgumentDescriptor],
    values: Vec<Option<&'a [u8]>>,
    next: usize,
}

impl Raw<'_> {
    fn decode_next<B, O>(&mut self, codec: &Codec<B, O>) -> Result<O, Mismatch> {
        let name = self.arguments.get(self.next).map_or("", |arg| arg.name);
        let value = self.values.get(self.next).copied().flatten();
        self.next += 1;
        (codec.decode)(name, value)
    }
}

/// The arguments of a method as the fields of a struct. Used if an argument has a serde attribute.
pub struct Fields<A> {
    decode: fn(&[u8]) -> Result<A, Mismatch>,
    /// The names that the flattened arguments take, if there are some and none takes any name.
    flattened: Option<Vec<&'static str>>,
}

/// Decodes the arguments as the fields of the struct `A`.
#[must_use]
pub fn fields<A: DeserializeOwned>() -> Fields<A> {
    Fields {
        decode: |body| codec::decode_args(body).map_err(Mismatch),
        flattened: None,
    }
}

impl<A> Fields<A> {
    /// The same with these names for each flattened argument, beside which serde itself refuses no
    /// unknown argument.
    #[must_use]
    pub fn flattening<const N: usize>(self, names: [Option<&[&'static str]>; N]) -> Self {
        let names: Option<Vec<_>> = names.into_iter().collect();
        Self {
            flattened: names.map(|names| {
                let mut names = names.concat();
                names.sort_unstable();
                names.dedup();
                names
            }),
            ..self
        }
    }
}

impl<A: 'static> Arguments for Fields<A> {
    type Values = A;

    fn decode(&self, body: &[u8], method: &MethodDescriptor) -> Result<A, Mismatch> {
        let values = (self.decode)(body)?;
        if let Some(flattened) = &self.flattened {
            named_arguments::check_names(body, method.arguments, flattened).map_err(Mismatch)?;
        }
        Ok(values)
    }
}

impl<A> fmt::Debug for Fields<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").finish_non_exhaustive()
    }
}
