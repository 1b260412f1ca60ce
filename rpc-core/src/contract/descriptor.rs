//! What a service is, as data: for documentation, discovery and other tools.

use crate::contract::call_options::CallOptions;
use crate::wire::queue_options::QueueOptions;

/// A service as its trait declares it: `SleepClient::DESCRIPTOR` of `trait Sleep`.
///
/// ```
/// # use rpc_core::rpc_service;
/// /// A till.
/// #[rpc_service(prefix = "till.")]
/// trait Till {
///     /// Takes money out.
///     #[rpc(timeout = "5s")]
///     async fn pay(
///         &self,
///         /// How much, in cents.
///         cents: u64,
///         to: Option<String>,
///     ) -> bool;
/// }
///
/// let till = TillClient::DESCRIPTOR;
/// assert_eq!((till.name, till.docs), ("Till", "A till."));
/// let pay = till.methods[0];
/// assert_eq!((pay.name, pay.docs, pay.returns), ("till.pay", "Takes money out.", "bool"));
/// let arguments: Vec<_> = pay.arguments.iter().map(|arg| (arg.name, arg.ty, arg.optional)).collect();
/// assert_eq!(arguments, [("cents", "u64", false), ("to", "Option<String>", true)]);
/// assert_eq!(pay.arguments[0].docs, "How much, in cents.");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServiceDescriptor {
    /// The name of the trait, or the one given by `name = ".."`.
    pub name: &'static str,
    /// The documentation of the trait, without the indentation of its comment.
    pub docs: &'static str,
    /// The methods in the order of the trait.
    pub methods: &'static [MethodDescriptor],
}

/// A method of a service.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MethodDescriptor {
    /// The name on the wire, which is that of its queue, without the prefix of an
    /// [`Rpc`](crate::Rpc::with_prefix).
    pub name: &'static str,
    /// The documentation of the method.
    pub docs: &'static str,
    /// The arguments in the order of the signature.
    pub arguments: &'static [ArgumentDescriptor],
    /// The type that is returned, as it is written; `()` for nothing.
    pub returns: &'static str,
    /// How its calls are made where they say nothing else.
    pub options: CallOptions,
    /// How many of its calls a server runs at a time; `None` is the default.
    pub concurrency: Option<u16>,
    /// How its queue is declared; `None` is the default.
    pub queue: Option<fn() -> QueueOptions>,
}

/// An argument of a method.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ArgumentDescriptor {
    /// The name on the wire.
    pub name: &'static str,
    /// The type, as it is written.
    pub ty: &'static str,
    /// The documentation of the argument: a comment before it in the signature.
    pub docs: &'static str,
    /// Whether it may be left out: it is an `Option`, or has a default.
    pub optional: bool,
    /// Whether it is not one argument, but has those that the others leave over (serde's `flatten`).
    pub flattened: bool,
}
