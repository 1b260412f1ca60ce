//! What a server serves: methods, each a name and a handler from bytes to bytes.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec;
use crate::fault::Fault;
use crate::options::MethodOptions;

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
    Arc<dyn Fn(Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, Fault>> + Send + Sync>;

impl Method {
    /// A method whose handler cannot fail.
    pub(crate) fn infallible<A, T, F, Fut>(name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = T> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(name.into(), move |body| {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let args = codec::decode_args(&body)?;
                drop(body);
                codec::encode_result(&handler(args).await)
            })
        })
    }

    /// A method whose handler returns a `Result`; its error reaches the caller as the value it is.
    pub(crate) fn fallible<A, T, E, F, Fut>(name: impl Into<Cow<'static, str>>, handler: F) -> Self
    where
        A: DeserializeOwned + Send + 'static,
        T: Serialize,
        E: Serialize + fmt::Display,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(name.into(), move |body| {
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
        F: Fn(Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, Fault>> + Send + Sync + 'static,
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
