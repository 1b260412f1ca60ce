//! What a service is, as data: for documentation, discovery and other tools.

use std::marker::PhantomData;
use std::time::Duration;

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
///     async fn pay(&self, cents: u64, to: Option<String>) -> bool;
/// }
///
/// let till = TillClient::DESCRIPTOR;
/// assert_eq!((till.name, till.docs), ("Till", "A till."));
/// let pay = till.methods[0];
/// assert_eq!((pay.name, pay.docs, pay.returns), ("till.pay", "Takes money out.", "bool"));
/// let arguments: Vec<_> = pay.arguments.iter().map(|arg| (arg.name, arg.ty, arg.optional)).collect();
/// assert_eq!(arguments, [("cents", "u64", false), ("to", "Option<String>", true)]);
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
    /// Whether it may be left out: it is an `Option`, or has a default.
    pub optional: bool,
    /// Whether it is not one argument, but has those that the others leave over (serde's `flatten`).
    pub flattened: bool,
}

// What follows is how generated code makes them. Not public: a field that is added must break nobody.

/// A service.
#[must_use]
pub const fn describe_service(
    name: &'static str,
    docs: &'static str,
    methods: &'static [MethodDescriptor],
) -> ServiceDescriptor {
    ServiceDescriptor {
        name,
        docs,
        methods,
    }
}

/// A method without arguments, documentation and options.
#[must_use]
pub const fn describe(name: &'static str, returns: &'static str) -> MethodDescriptor {
    MethodDescriptor {
        name,
        docs: "",
        arguments: &[],
        returns,
        options: CallOptions::DEFAULT,
        concurrency: None,
        queue: None,
    }
}

/// The type of a returned value, as it is written. A `Result` would reach callers as a value too, with its errors.
#[must_use]
#[track_caller]
pub const fn value_type(ty: &'static str, is_result: bool) -> &'static str {
    assert!(
        !is_result,
        "this is a `Result` by another name, which its caller would get as a value: write `Result<T, E>`, or name the \
         alias `Result`"
    );
    ty
}

/// An argument that is not optional.
#[must_use]
pub const fn arg(name: &'static str, ty: &'static str) -> ArgumentDescriptor {
    ArgumentDescriptor {
        name,
        ty,
        optional: false,
        flattened: false,
    }
}

/// Arguments of which none is optional, each by its name and its type.
#[must_use]
pub const fn args<const N: usize>(
    names: [(&'static str, &'static str); N],
) -> [ArgumentDescriptor; N] {
    let mut args = [arg("", ""); N];
    let mut index = 0;
    while index < N {
        args[index] = arg(names[index].0, names[index].1);
        index += 1;
    }
    args
}

#[doc(hidden)]
impl MethodDescriptor {
    #[must_use]
    pub const fn args(mut self, arguments: &'static [ArgumentDescriptor]) -> Self {
        self.arguments = arguments;
        self
    }

    #[must_use]
    pub const fn docs(mut self, docs: &'static str) -> Self {
        self.docs = docs;
        self
    }

    #[must_use]
    pub const fn timeout_millis(mut self, millis: u64) -> Self {
        self.options.timeout = Some(Duration::from_millis(millis));
        self
    }

    #[must_use]
    pub const fn priority(mut self, priority: u8) -> Self {
        self.options.priority = Some(priority);
        self
    }

    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.options.idempotent = true;
        self
    }

    #[must_use]
    pub const fn one_way(mut self) -> Self {
        self.options.one_way = true;
        self
    }

    #[must_use]
    pub const fn concurrency(mut self, calls: u16) -> Self {
        self.concurrency = Some(calls);
        self
    }

    #[must_use]
    pub const fn queue(mut self, options: fn() -> QueueOptions) -> Self {
        self.queue = Some(options);
        self
    }
}

#[doc(hidden)]
impl ArgumentDescriptor {
    #[must_use]
    pub const fn optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }

    #[must_use]
    pub const fn flattened(mut self) -> Self {
        self.flattened = true;
        self
    }
}

/// Tells the real `Option` and `Result` from types that only have their names, and from aliases of other names:
/// `TypeOf::<T>::IS_OPTION`, with [`Other`] in scope.
///
/// What an `impl` of the type itself has goes before what a trait has.
#[derive(Debug)]
pub struct TypeOf<T: ?Sized>(PhantomData<T>);

impl<T> TypeOf<Option<T>> {
    /// It is one.
    pub const IS_OPTION: bool = true;

    /// Whether the argument is left out.
    #[must_use]
    pub const fn left_out(value: &Option<T>) -> bool {
        value.is_none()
    }
}

impl<T, E> TypeOf<Result<T, E>> {
    /// It is one.
    pub const IS_RESULT: bool = true;
}

/// What [`TypeOf`] says of all other types.
pub trait Other {
    /// It is none.
    const IS_OPTION: bool = false;
    /// It is none.
    const IS_RESULT: bool = false;

    /// An argument that is no `Option` is always there.
    fn left_out<V>(_value: &V) -> bool {
        false
    }
}

impl<T: ?Sized> Other for TypeOf<T> {}
