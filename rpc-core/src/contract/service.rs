//! What a server serves: methods, each with a name and a handler from bytes to bytes.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::contract::argument::{Arguments, Mismatch};
use crate::contract::descriptor::MethodDescriptor;
use crate::contract::method_options::MethodOptions;
use crate::contract::returns::EncodeOutput;
use crate::wire::codec;
use crate::wire::fault::Fault;
use crate::wire::queue_options::QueueOptions;

/// A set of methods that [`Rpc::serve`](crate::Rpc::serve) registers together.
///
/// [`rpc_service`](macro@crate::rpc_service) implements it for the server type that it generates.
/// For methods that are known only at run time, such as those of a gateway, use a `Vec` of
/// [`Method`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be served: it is no set of methods",
    label = "wrap an implementation of a trait `Bank` in the server of that trait: `BankServer::new(..)`",
    note = "`#[rpc_service]` generates the server: `trait Bank` has a `BankServer`"
)]
pub trait Service: Send + 'static {
    /// The methods of the service.
    fn into_methods(self) -> Vec<Method>;
}

/// One method: its name, which is also the name of its queue, and its handler.
#[derive(Clone)]
pub struct Method {
    pub(crate) name: Cow<'static, str>,
    pub(crate) handler: Handler,
    pub(crate) options: MethodOptions,
}

/// Maps the body of a call to the body of its result.
pub(crate) type Handler =
    Arc<dyn Fn(Bytes) -> BoxFuture<'static, Result<Vec<u8>, Fault>> + Send + Sync>;

/// Runs a method of a trait on the service and encodes its output. It is a plain function that
/// returns a boxed future, because closures and futures of distinct types take far longer to
/// compile.
pub type Run<S, A, O> = fn(Arc<S>, A, EncodeOutput<O>) -> HandlerFuture;

/// The future of a handler: the only boxed future of a call.
pub struct HandlerFuture(pub(crate) BoxFuture<'static, Result<Vec<u8>, Fault>>);

impl fmt::Debug for HandlerFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerFuture").finish_non_exhaustive()
    }
}

impl Method {
    /// A method of a trait, with the options that the trait declares.
    pub(crate) fn described<S, A, O>(
        service: Arc<S>,
        descriptor: &'static MethodDescriptor,
        arguments: A,
        run: Run<S, A::Values, O>,
        encode: EncodeOutput<O>,
    ) -> Self
    where
        S: Send + Sync + ?Sized + 'static,
        A: Arguments,
        O: 'static,
    {
        let mut method = Self::of(descriptor.name.into(), move |body| {
            match arguments.decode(&body, descriptor) {
                Ok(values) => run(Arc::clone(&service), values, encode).0,
                Err(Mismatch(fault)) => Box::pin(ready(Err(fault))),
            }
        });
        let MethodOptions {
            idempotent,
            concurrency,
            queue,
            ..
        } = &mut method.options;
        *idempotent = descriptor.options.idempotent;
        *concurrency = descriptor.concurrency.unwrap_or(*concurrency);
        if let Some(declared) = descriptor.queue {
            *queue = declared();
        }
        method
    }

    /// A method of this name, served by a function from its arguments to a `Result`.
    ///
    /// The argument is any type that decodes from a JSON object; [`serde_json::Value`] accepts
    /// every object, and `()` one without fields. The error travels to the caller as a value. See
    /// [`Rpc::register`](crate::Rpc::register) for what is checked.
    ///
    /// ```
    /// # use rpc_core::{Method, Rpc};
    /// # use serde_json::{Value, json};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Methods whose names are known only when the program runs.
    /// let methods = ["left", "right"]
    ///     .map(|name| Method::new(name, move |_: Value| async move { Ok::<_, String>(name) }));
    /// let rpc = Rpc::connect("memory://").await?;
    /// rpc.serve(methods).await?;
    /// assert_eq!(rpc.call("left", ()).await?, json!("left"));
    /// # Ok(()) }
    /// ```
    pub fn new<A, T, E, F, Fut>(name: impl Into<String>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize,
        E: Serialize + fmt::Display,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::of(name.into().into(), move |body| {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let args = codec::decode_args(&body)?;
                drop(body);
                match handler(args).await {
                    Ok(value) => codec::encode_result(&value),
                    Err(error) => Err(Fault::service(&error)),
                }
            })
        })
    }

    fn of<F>(name: Cow<'static, str>, handler: F) -> Self
    where
        F: Fn(Bytes) -> BoxFuture<'static, Result<Vec<u8>, Fault>> + Send + Sync + 'static,
    {
        Self {
            name,
            handler: Arc::new(handler),
            options: MethodOptions::default(),
        }
    }
}

/// How this method is served. The setters of [`Serve`](crate::Serve) do the same for all methods of
/// a service.
impl Method {
    /// Its name, without the prefix of an [`Rpc`](crate::Rpc::with_prefix).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Like [`Serve::idempotent`](crate::Serve::idempotent), for this method.
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.options.idempotent = idempotent;
        self
    }

    /// Like [`Serve::concurrency`](crate::Serve::concurrency), for this method.
    #[must_use]
    pub fn concurrency(mut self, calls: u16) -> Self {
        self.options.concurrency = calls.max(1);
        self
    }

    /// Like [`Serve::queue`](crate::Serve::queue), for this method.
    #[must_use]
    pub fn queue(mut self, options: QueueOptions) -> Self {
        self.options.queue = options;
        self
    }
}

impl Service for Method {
    fn into_methods(self) -> Vec<Method> {
        vec![self]
    }
}

impl<const N: usize> Service for [Method; N] {
    fn into_methods(self) -> Vec<Method> {
        self.into()
    }
}

impl Service for Vec<Method> {
    fn into_methods(self) -> Vec<Method> {
        self
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
