//! The Erlang port mapper that the nodes of this process share.

use std::net::TcpStream;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::guard::Guard;
use crate::port::free_port;

struct Epmd {
    guard: Guard,
    port: u16,
    folder: TempDir,
}

// Without one of its own a node starts a daemon on the system's usual port, which listens on every
// address and stays for good.
static SHARED: Mutex<Option<Epmd>> = Mutex::new(None);

/// The port of this process' own epmd, which is started by the first call.
pub(crate) fn epmd_port(program: &Path) -> Result<u16> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(epmd) = shared.as_mut() {
        if let Some(status) = epmd.guard.ended()? {
            bail!(
                "epmd ({}) has ended: {status}",
                epmd.folder.path().display()
            );
        }
        return Ok(epmd.port);
    }
    let epmd = start(program).context("cannot start epmd")?;
    Ok(shared.insert(epmd).port)
}

fn start(program: &Path) -> Result<Epmd> {
    let folder = tempfile::Builder::new().prefix("rpc-epmd-").tempdir()?;
    let console = folder.path().join("console.log");
    let port = free_port()?;
    let arguments = ["-port", &port.to_string(), "-address", "127.0.0.1"];
    let mut guard = Guard::spawn(program, arguments, |_| (), folder.path(), &console)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if guard.ended()?.is_some() || Instant::now() >= deadline {
            bail!(
                "it does not listen on port {port}: {}",
                std::fs::read_to_string(&console)?
            );
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Epmd {
        guard,
        port,
        folder,
    })
}
