//! Opens connections. The host is reached first, and only then is lapin involved.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_rs::Runtime;
use async_rs::traits::Reactor;
use futures_util::future::BoxFuture;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties};

use super::edge::Edge;
use super::runtime::{EdgedTokio, Socket};
use super::taps::Taps;

/// Opens an AMQP connection over the stream that `connect` returns. Its messages go to `taps`.
///
/// lapin connects on a thread of its own. If that fails, it leaks a task (4.12.3: `InternalRPC` is
/// not stopped). A broker may be down for days, so lapin is given a stream that is already
/// connected.
pub(super) async fn open(
    uri: AMQPUri,
    properties: ConnectionProperties,
    taps: Arc<Taps>,
    connect: impl Fn(AMQPUri) -> Connecting + Send + Sync + 'static,
) -> Result<Connection, lapin::Error> {
    let first = Mutex::new(Some(connect(uri.clone()).await?));
    let connect = async move |uri, _: Runtime<EdgedTokio>| {
        let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stream = match first {
            Some(stream) => stream,
            // lapin asks again if the stream ends before the broker has sent anything.
            None => connect(uri).await?,
        };
        // Always plain for lapin: TLS is handled inside of the stream.
        Ok(AsyncTcpStream::Plain(Edge::new(stream, Arc::clone(&taps))))
    };
    Connection::connector(uri, EdgedTokio::current(), connect, properties).await
}

/// A socket that is being connected.
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
