//! Builders of descriptors for generated code. They work in constants, and a new field breaks no
//! generated code.

use std::marker::PhantomData;
use std::time::Duration;

use crate::contract::call_options::CallOptions;
use crate::contract::descriptor::{ArgumentDescriptor, MethodDescriptor, ServiceDescriptor};
use crate::wire::queue_options::QueueOptions;

/// A [`ServiceDescriptor`].
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

/// Starts the descriptor of a method, without arguments, documentation and options.
#[must_use]
pub const fn describe(name: &'static str, returns: &'static str) -> DescriptorBuilder {
    DescriptorBuilder(MethodDescriptor {
        name,
        docs: "",
        arguments: &[],
        returns,
        options: CallOptions::DEFAULT,
        concurrency: None,
        queue: None,
    })
}

/// A [`MethodDescriptor`] that is being made.
#[derive(Clone, Copy, Debug)]
pub struct DescriptorBuilder(MethodDescriptor);

impl DescriptorBuilder {
    #[must_use]
    pub const fn args(mut self, arguments: &'static [ArgumentDescriptor]) -> Self {
        self.0.arguments = arguments;
        self
    }

    #[must_use]
    pub const fn docs(mut self, docs: &'static str) -> Self {
        self.0.docs = docs;
        self
    }

    #[must_use]
    pub const fn timeout_millis(mut self, millis: u64) -> Self {
        self.0.options.timeout = Some(Duration::from_millis(millis));
        self
    }

    #[must_use]
    pub const fn priority(mut self, priority: u8) -> Self {
        self.0.options.priority = Some(priority);
        self
    }

    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.0.options.idempotent = true;
        self
    }

    #[must_use]
    pub const fn one_way(mut self) -> Self {
        self.0.options.one_way = true;
        self
    }

    #[must_use]
    pub const fn concurrency(mut self, calls: u16) -> Self {
        self.0.concurrency = Some(calls);
        self
    }

    #[must_use]
    pub const fn queue(mut self, options: fn() -> QueueOptions) -> Self {
        self.0.queue = Some(options);
        self
    }

    /// The descriptor.
    #[must_use]
    pub const fn build(self) -> MethodDescriptor {
        self.0
    }
}

/// Starts the descriptor of an argument that has no documentation and is not optional.
#[must_use]
pub const fn arg(name: &'static str, ty: &'static str) -> ArgumentBuilder {
    ArgumentBuilder(ArgumentDescriptor {
        name,
        ty,
        docs: "",
        optional: false,
        flattened: false,
    })
}

/// An [`ArgumentDescriptor`] that is being made.
#[derive(Clone, Copy, Debug)]
pub struct ArgumentBuilder(ArgumentDescriptor);

impl ArgumentBuilder {
    #[must_use]
    pub const fn docs(mut self, docs: &'static str) -> Self {
        self.0.docs = docs;
        self
    }

    #[must_use]
    pub const fn optional(mut self, optional: bool) -> Self {
        self.0.optional = optional;
        self
    }

    #[must_use]
    pub const fn flattened(mut self) -> Self {
        self.0.flattened = true;
        self
    }
}

/// The descriptors of these arguments.
#[must_use]
pub const fn args<const N: usize>(builders: [ArgumentBuilder; N]) -> [ArgumentDescriptor; N] {
    let mut args = [arg("", "").0; N];
    let mut index = 0;
    while index < N {
        args[index] = builders[index].0;
        index += 1;
    }
    args
}

/// The type of a returned value, as written in the source. It must not be a `Result`, because a
/// `Result` would reach callers as a value, together with its errors.
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

/// Distinguishes the real `Option` and `Result` from types that only share their names, and
/// recognises them behind aliases with other names: `TypeOf::<T>::IS_OPTION`, with [`Other`] in
/// scope.
///
/// It works because an inherent associated item takes precedence over a trait's.
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

/// The answers of [`TypeOf`] for all other types.
pub trait Other {
    /// It is none.
    const IS_OPTION: bool = false;
    /// It is none.
    const IS_RESULT: bool = false;

    /// An argument that is not an `Option` is always present.
    fn left_out<V>(_value: &V) -> bool {
        false
    }
}

impl<T: ?Sized> Other for TypeOf<T> {}
