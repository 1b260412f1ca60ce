//! Descriptions of services as data, for documentation, discovery and other tools.

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
    /// The documentation of the trait, without the comment's indentation.
    pub docs: &'static str,
    /// The methods in the order of the trait.
    pub methods: &'static [MethodDescriptor],
}

/// A method of a service.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MethodDescriptor {
    /// The name on the wire, which is also the name of its queue, without the prefix of an
    /// [`Rpc`](crate::Rpc::with_prefix).
    pub name: &'static str,
    /// The documentation of the method.
    pub docs: &'static str,
    /// The arguments in the order of the signature.
    pub arguments: &'static [ArgumentDescriptor],
    /// The returned type, as written in the source; `()` if the method returns nothing.
    pub returns: &'static str,
    /// The options of its calls, unless a call sets its own.
    pub options: CallOptions,
    /// How many of its calls a server runs at a time; `None` means the default.
    pub concurrency: Option<u16>,
    /// How its queue is declared; `None` means the default.
    pub queue: Option<fn() -> QueueOptions>,
}

/// An argument of a method.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ArgumentDescriptor {
    /// The name on the wire.
    pub name: &'static str,
    /// The type, as written in the source.
    pub ty: &'static str,
    /// The documentation of the argument: a comment before it in the signature.
    pub docs: &'static str,
    /// Whether it may be omitted, because it is an `Option` or has a default.
    pub optional: bool,
    /// Whether it is not a single argument but collects all arguments that have no other place
    /// (serde's `flatten`).
    pub flattened: bool,
}
