//! A peer that writes its frames byte by byte, for messages that no AMQP library would send.

use anyhow::{Context, Result, bail};
use lapin::uri::AMQPUri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::raw_peer::LIMIT;

/// One connection, without TLS and heartbeats, and one channel in confirm mode.
#[derive(Debug)]
pub struct RawFrames {
    stream: TcpStream,
}

/// A method by its class and its own number.
type Id = (u16, u16);

impl RawFrames {
    /// Connects.
    ///
    /// # Errors
    /// If the broker refuses, or does not answer in 10 s.
    pub async fn connect(url: &str) -> Result<Self> {
        let uri: AMQPUri = url.parse().map_err(anyhow::Error::msg)?;
        let address = (uri.authority.host.as_str(), uri.authority.port);
        let mut peer = Self {
            stream: TcpStream::connect(address).await?,
        };
        peer.stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        peer.expect((10, 10)).await?;
        let login = &uri.authority.userinfo;
        let response = format!("\0{}\0{}", login.username, login.password);
        let start_ok = [
            &sized(b"")[..],
            &short(b"PLAIN"),
            &sized(response.as_bytes()),
            &short(b"en_US"),
        ];
        peer.method(0, (10, 11), &start_ok.concat()).await?;
        let tune = peer.expect((10, 30)).await?;
        // As the broker proposes, but for heartbeats.
        let sizes = tune.get(..6).context("cut short")?;
        peer.method(0, (10, 31), &[sizes, &[0, 0]].concat()).await?;
        let open = [&short(uri.vhost.as_bytes())[..], &short(b""), &[0]].concat();
        peer.method(0, (10, 40), &open).await?;
        peer.expect((10, 41)).await?;
        peer.method(1, (20, 10), &short(b"")).await?;
        peer.expect((20, 11)).await?;
        peer.method(1, (85, 10), &[0]).await?;
        peer.expect((85, 11)).await?;
        Ok(peer)
    }

    /// Publishes a message. `properties` are two bytes of flags and the fields that they announce.
    /// When it returns, the broker has routed the message, if to no queue too.
    ///
    /// # Errors
    /// If the broker does not take it, with what it says; the connection is of no more use then.
    pub async fn publish(
        &mut self,
        exchange: &str,
        routing_key: &[u8],
        properties: &[u8],
        body: &[u8],
    ) -> Result<()> {
        let publish = [
            &[0, 0][..],
            &short(exchange.as_bytes()),
            &short(routing_key),
            &[0],
        ];
        self.method(1, (60, 40), &publish.concat()).await?;
        let size = u64::try_from(body.len())?.to_be_bytes();
        let header = [&[0, 60, 0, 0][..], &size, properties].concat();
        self.frame(2, 1, &header).await?;
        for part in body.chunks(LARGEST_PART) {
            self.frame(3, 1, part).await?;
        }
        self.expect((60, 80)).await.map(drop)
    }

    async fn method(&mut self, channel: u16, (class, method): Id, arguments: &[u8]) -> Result<()> {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        self.frame(1, channel, &payload).await
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) -> Result<()> {
        let mut frame = vec![kind];
        frame.extend(channel.to_be_bytes());
        frame.extend(sized(payload));
        frame.push(0xCE);
        Ok(self.stream.write_all(&frame).await?)
    }

    /// The arguments of the next method, which must be this one.
    async fn expect(&mut self, wanted: Id) -> Result<Vec<u8>> {
        let reading = timeout(LIMIT, self.read());
        let payload = reading.await.context("the broker does not answer")??;
        let &[a, b, c, d, ref arguments @ ..] = &payload[..] else {
            bail!("no method: {payload:?}");
        };
        let id = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        if id != wanted {
            let words = String::from_utf8_lossy(arguments);
            bail!("the broker says {id:?} rather than {wanted:?}: {words}");
        }
        Ok(arguments.to_vec())
    }

    async fn read(&mut self) -> Result<Vec<u8>> {
        // Type, channel, length of the payload.
        let mut head = [0; 7];
        self.stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let mut payload = vec![0; usize::try_from(length)?];
        self.stream.read_exact(&mut payload).await?;
        self.stream.read_u8().await?;
        Ok(payload)
    }
}

/// How much of a body fits a frame, by default.
const LARGEST_PART: usize = 131_072 - 8;

/// A string with a length of one byte.
///
/// # Panics
/// If it is longer than 255 bytes.
#[must_use]
pub fn short(text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short string");
    [&[length][..], text].concat()
}

/// Bytes with a length of four bytes: a long string, an array or a table.
///
/// # Panics
/// If it is longer than 4 GiB.
#[must_use]
pub fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("less than a frame");
    [&length.to_be_bytes()[..], bytes].concat()
}
