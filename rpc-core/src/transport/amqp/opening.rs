//! How connections are opened: to hosts that were reached before lapin has to do with them.

use std::sync::{Mutex, PoisonError};

use lapin::runtime::default_runtime;
use lapin::tcp::{AMQPUriTcpExt, TLSConfig};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};

/// Opens a connection without TLS.
pub(super) async fn open(
    uri: AMQPUri,
    properties: ConnectionProperties,
) -> Result<Connection, lapin::Error> {
    let runtime = default_runtime()?;
    let connect = connecting_on(&runtime, async |uri: AMQPUri, runtime| {
        let connecting = uri.connect_with_config_async(TLSConfig::default(), &runtime);
        Ok(connecting.await?)
    });
    let stream = connect(uri.clone(), runtime.clone()).await?;
    Connection::connector(uri, runtime, starting_with(stream, connect), properties).await
}

/// Gives a closure the type of lapin's runtime, which has no name outside of lapin.
pub(super) fn connecting_on<R, S, F>(_: &R, connect: F) -> F
where
    F: AsyncFn(AMQPUri, R) -> Result<S, lapin::Error>,
{
    connect
}

/// What lapin connects by to a host that was reached already.
///
/// It connects on a thread of its own, and where that fails it leaves a task behind for good (4.12.3: `InternalRPC`
/// is not stopped). A broker may be away for days, so it gets a stream that stands.
pub(super) fn starting_with<R, S>(
    first: S,
    connect: impl AsyncFn(AMQPUri, R) -> Result<S, lapin::Error>,
) -> impl AsyncFn(AMQPUri, R) -> Result<S, lapin::Error> {
    let first = Mutex::new(Some(first));
    async move |uri, runtime| {
        let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        match first {
            Some(stream) => Ok(stream),
            // It asks again if the stream ends before the broker has said anything.
            None => connect(uri, runtime).await,
        }
    }
}
