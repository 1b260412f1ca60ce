//! A private NATS server, which the benchmarks compare with.

use std::env;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::guard::Guard;
use crate::installation::in_path;
use crate::port::free_port;

const START: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// A NATS server with its defaults, on a port of its own on 127.0.0.1. It ends when this is
/// dropped, and with the process.
#[derive(Debug)]
pub struct NatsServer {
    guard: Guard,
    folder: TempDir,
    port: u16,
}

impl NatsServer {
    /// Starts `$NATS_SERVER`, else the `nats-server` in `$PATH`, and waits until it takes
    /// connections.
    ///
    /// # Errors
    /// If NATS is not installed (the error says how to get it), or the server does not come up in
    /// 10 s.
    pub async fn start() -> Result<Self> {
        let named = env::var_os("NATS_SERVER").map(PathBuf::from);
        let program = named.or_else(|| in_path("nats-server")).context(
            "no nats-server was found: run `tests/install nats-server`, or set NATS_SERVER to one",
        )?;
        let folder = tempfile::Builder::new().prefix("rpc-nats-").tempdir()?;
        let port = free_port()?;
        let console = folder.path().join("console.log");
        let arguments = ["--addr", "127.0.0.1", "--port", &port.to_string()];
        let guard = Guard::spawn(&program, arguments, |_| (), folder.path(), &console)?;
        let mut server = Self {
            guard,
            folder,
            port,
        };
        let deadline = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if server.guard.ended()?.is_some() || Instant::now() >= deadline {
                let words = std::fs::read_to_string(console)?;
                bail!("{} did not start:\n{words}", program.display());
            }
            sleep(POLL).await;
        }
        Ok(server)
    }

    /// Where clients reach it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.guard.id()
    }

    /// Its version, as printed when it starts.
    ///
    /// # Errors
    /// If it printed none.
    pub fn version(&self) -> Result<String> {
        let words = std::fs::read_to_string(self.folder.path().join("console.log"))?;
        let version = words.split("Version:").nth(1);
        let version = version.and_then(|rest| rest.split_whitespace().next());
        Ok(version.context("nats-server says no version")?.to_owned())
    }
}
