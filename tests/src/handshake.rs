//! The greeting of a broker, as far as it identifies the broker.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What the broker says about itself in `connection.start`.
#[derive(Debug, Clone)]
pub(crate) struct Greeting {
    pub(crate) version: String,
    pub(crate) cluster: String,
}

impl Greeting {
    /// The first two numbers of the version.
    pub(crate) fn major_minor(&self) -> Result<(u32, u32)> {
        let mut numbers = self.version.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
            _ => bail!("the broker calls its version {:?}", self.version),
        }
    }
}

/// Connects, sends the protocol header, and reads the broker's greeting.
pub(crate) async fn greeting(port: u16, limit: Duration) -> Result<Greeting> {
    timeout(limit, greet(port))
        .await
        .with_context(|| format!("no greeting within {limit:?}"))?
}

async fn greet(port: u16) -> Result<Greeting> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    // A frame: type (1 is a method), channel, length of the payload.
    let mut header = [0; 7];
    stream.read_exact(&mut header).await?;
    let length = u32::from_be_bytes([header[3], header[4], header[5], header[6]]);
    if header[0] != 1 || length > 100_000 {
        bail!("port {port} does not speak AMQP 0-9-1: {header:?}");
    }
    let mut payload = vec![0; usize::try_from(length)?];
    stream.read_exact(&mut payload).await?;
    Ok(Greeting {
        version: field(&payload, "version")?,
        cluster: field(&payload, "cluster_name")?,
    })
}

// A whole table decoder for two strings would be more than is needed: a key is a short string,
// followed by `S` and a long string.
fn field(payload: &[u8], key: &str) -> Result<String> {
    let mut wanted = vec![u8::try_from(key.len())?];
    wanted.extend_from_slice(key.as_bytes());
    wanted.push(b'S');
    let start = payload
        .windows(wanted.len())
        .position(|window| window == wanted)
        .with_context(|| format!("the broker's greeting has no {key}"))?
        + wanted.len();
    let rest = &payload[start..];
    let length = rest
        .first_chunk::<4>()
        .map(|bytes| u32::from_be_bytes(*bytes))
        .context("cut short")?;
    let value = rest
        .get(4..4 + usize::try_from(length)?)
        .context("cut short")?;
    Ok(String::from_utf8_lossy(value).into_owned())
}
