//! What client and server processes have in common.

use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rpc_core::{Rpc, RpcBuilder};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::ledger::Ledger;
use crate::record::{Event, processor_time};

/// The place of a process in the soak.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
    /// Its number, which no other process has.
    pub(crate) process: u32,
    pub(crate) seed: u64,
}

impl Role {
    /// Reads what [`Role::arguments`] wrote.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut next = || arguments.next().context("an argument is missing");
        Ok(Self {
            url: next()?,
            folder: next()?.into(),
            process: next()?.parse()?,
            seed: next()?.parse()?,
        })
    }

    pub(crate) fn arguments(&self) -> [String; 4] {
        [
            self.url.clone(),
            self.folder.display().to_string(),
            self.process.to_string(),
            self.seed.to_string(),
        ]
    }

    /// Writes down when this process has no processor. A call may then be late, and it is nobody's
    /// fault.
    ///
    /// A thread of its own sleeps a little, again and again. It wakes late if the machine is busy
    /// or stands still; that it was not late tells that the process could run, whatever its other
    /// threads and tasks waited for. What the process itself has used of that time does not count:
    /// one that keeps all processors busy must not seem to have none.
    pub(crate) fn watch_for_stalls(&self, ledger: &Arc<Ledger>) {
        let ledger = Arc::clone(ledger);
        std::thread::spawn(move || {
            loop {
                let (due, used) = (Instant::now() + TICK, processor_time());
                std::thread::sleep(TICK);
                let used = processor_time().saturating_sub(used);
                let time = due.elapsed().saturating_sub(used);
                if time >= STALL {
                    ledger.write(0, Event::Stalled { time });
                }
            }
        });
    }
}

/// Connects, as often as it takes: the broker may be away at this moment.
pub(crate) async fn connect(builder: impl Fn() -> RpcBuilder) -> Rpc {
    loop {
        match builder().connect().await {
            Ok(rpc) => return rpc,
            Err(error) => eprintln!("cannot connect yet: {error}"),
        }
        sleep(RETRY).await;
    }
}

/// The lines of the standard input. Its end is that of the orchestrator, and ends this process,
/// too.
pub(crate) fn orders() -> mpsc::Receiver<String> {
    let (send, orders) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            // Fails in a server, which takes no orders.
            drop(send.blocking_send(line));
        }
        std::process::exit(ABANDONED);
    });
    orders
}

const TICK: Duration = Duration::from_millis(10);
/// Longer gaps than this are written down. Half of what a call may be late.
const STALL: Duration = Duration::from_millis(25);
const RETRY: Duration = Duration::from_millis(100);
const ABANDONED: i32 = 3;
