//! What a server serves: methods, each a name and a handler from bytes to bytes.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::argument::{Arguments, Mismatch};
use crate::codec;
use crate::descriptor::MethodDescriptor;
use crate::fault::Fault;
use crate::options::MethodOptions;
use crate::returns::{Encoded, Is};

/// A set of methods that [`Rpc::serve`](crate::Rpc::serve) registers together.
///
/// [`rpc_service`](macro@crate::rpc_service) implements it for the server type it generates; there is
/// seldom a reason to do so by hand.
pub trait Service: Send + 'static {
    /// The methods of the service.
    fn into_methods(self) -> Vec<Method>;
}

/// One method: its name, which is also that of its queue, and its handler.
#[derive(Clone)]
pub struct Method {
    pub(crate) name: Cow<'static, str>,
    pub(crate) handler: Handler,
    pub(crate) options: MethodOptions,
}

/// From the body of a call to the body of its result.
pub(crate) type Handler =
    Arc<dyn Fn(Bytes) -> BoxFuture<'static, Result<Vec<u8>, Fault>> + Send + Sync>;

/// Runs a method of a trait on the service. A plain function and a boxed future, since closures and futures
/// of types of their own take the compiler far longer.
pub type Run<S, A, O> = for<'a> fn(&'a S, A) -> BoxFuture<'a, O>;

impl Method {
    /// A method of a trait, with the options that it declares.
    pub(crate) fn described<S, A, R, O>(
        service: Arc<S>,
        descriptor: &'static MethodDescriptor,
        arguments: A,
        run: Run<S, A::Values, R>,
        encode: fn(&O) -> Result<Vec<u8>, Encoded>,
    ) -> Self
    where
        S: Send + Sync + 'static,
        A: Arguments,
        R: Is<O> + 'static,
        O: 'static,
    {
        let shared = Arc::new((service, arguments));
        let mut method = Self::new(descriptor.name.into(), move |body| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (service, arguments) = &*shared;
                let values = arguments
                    .decode(&body, descriptor)
                    .map_err(|Mismatch(fault)| fault)?;
                drop(body);
                encode(run(service, values).await.get()).map_err(|Encoded(fault)| fault)
            })
        });
        method.options = MethodOptions::from(descriptor);
        method
    }

    /// A method that a function serves; its error reaches the caller as the value it is.
    pub(crate) fn untyped<A, T, E, F, Fut>(name: Cow<'static, str>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize,
        E: Serialize + fmt::Display,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(name, move |body| {
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

    fn new<F>(name: Cow<'static, str>, handler: F) -> Self
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

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
