//! Free TCP ports of this machine.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, bail};

// Below the range from which systems take the ports of outgoing connections: while a node is down,
// such a connection could otherwise take its port.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

// A random start, because several test processes may pick at the same time.
static NEXT: LazyLock<AtomicU64> =
    LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(0) >> 1));

/// A port of 127.0.0.1 on which nothing listens now, and which this process picks only once.
///
/// For a program that takes a while to listen. A process that is just being started holds a copy of
/// what is open here until it runs its program, so that this port may still be taken at once.
pub(crate) fn free_port() -> Result<u16> {
    Ok(listen()?.local_addr()?.port())
}

/// Listens on such a port.
pub(crate) fn listen() -> Result<TcpListener> {
    for _ in 0..COUNT {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed) % u64::from(COUNT);
        let port = FIRST + u16::try_from(offset)?;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok(listener);
        }
    }
    bail!("no free TCP port between {FIRST} and {}", FIRST + COUNT)
}

/// The port in a URL.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn port_of(url: &str) -> u16 {
    let authority = url.rsplit('@').next().unwrap_or(url);
    let authority = authority.split(['/', '?']).next().unwrap_or(authority);
    let port = authority.rsplit_once(':').map(|(_, port)| port.parse());
    port.expect("a port").expect("a number")
}
