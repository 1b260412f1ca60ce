//! How connections are opened: to hosts that were reached before lapin has to do with them.

use std::io;
use std::sync::{Mutex, PoisonError};

use async_rs::Runtime;
use async_rs::traits::Reactor;
use futures_util::future::BoxFuture;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties};

use super::runtime::{SanitizedTokio, Socket};
use super::sanitizer::FrameSanitizer;

/// Opens a connection over what `connect` brings.
///
/// lapin connects on a thread of its own, and where that fails it leaves a task behind for good (4.12.3: `InternalRPC`
/// is not stopped). A broker may be away for days, so it gets a stream that stands.
pub(super) async fn open(
    uri: AMQPUri,
    properties: ConnectionProperties,
    connect: impl Fn(AMQPUri) -> Connecting + Send + Sync + 'static,
) -> Result<Connection, lapin::Error> {
    let first = Mutex::new(Some(connect(uri.clone()).await?));
    let connect = async move |uri, _: Runtime<SanitizedTokio>| {
        let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stream = match first {
            Some(stream) => stream,
            // It asks again if the stream ends before the broker has said anything.
            None => connect(uri).await?,
        };
        // Beyond TLS, so it is plain for lapin in any case.
        Ok(AsyncTcpStream::Plain(FrameSanitizer::new(stream)))
    };
    Connection::connector(uri, SanitizedTokio::current(), connect, properties).await
}

/// A connection on its way.
pub(super) type Connecting = BoxFuture<'static, io::Result<Socket>>;

/// Connects without TLS.
pub(super) fn plain(uri: AMQPUri) -> Connecting {
    let authority = uri.authority;
    Box::pin(async move {
        let runtime = Runtime::tokio_current();
        let address = runtime.to_socket_addrs((authority.host, authority.port));
        let stream = runtime.tcp_connect(address).await?;
        Ok(Box::new(stream) as Socket)
    })
}
