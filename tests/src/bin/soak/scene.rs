//! The scene: a broker of its own, two networks and the crew. It carries out the faults.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use rpc_tests::{RabbitNode, TcpRelay};
use rustix::process::Signal;
use tokio::time::sleep;

use crate::crew::Crew;
use crate::kinds::FaultKind;
use crate::ledger::Ledger;
use crate::plan::{Fault, Step};
use crate::record::{Event, Moment, Record};

#[derive(Debug)]
pub(crate) struct Scene {
    // Before the node: fields are dropped in order.
    pub(crate) crew: Crew,
    pub(crate) clients: TcpRelay,
    pub(crate) servers: TcpRelay,
    pub(crate) node: RabbitNode,
    pub(crate) ledger: Arc<Ledger>,
}

impl Scene {
    /// Makes one step of the plan happen. All is well again when it returns, apart from what
    /// processes need to come back.
    pub(crate) async fn play(&mut self, step: &Step) -> Result<()> {
        let Step { fault, within, .. } = step;
        let from = Moment::now();
        if is_sudden(fault.kind) {
            if self.strike(fault).await? {
                self.note(fault.kind, from);
            }
            return Ok(());
        }
        let paused = self.begin(fault).await?;
        sleep(fault.hold / 2).await;
        let struck = match within {
            Some(within) => {
                let since = Moment::now();
                self.strike(within).await?.then_some((within.kind, since))
            }
            None => None,
        };
        sleep(fault.hold / 2).await;
        self.end(fault, paused).await?;
        self.note(fault.kind, from);
        // What it does may be felt only when the other fault is over.
        if let Some((kind, since)) = struck {
            self.note(kind, since);
        }
        Ok(())
    }

    /// A fault that is no part of the plan.
    pub(crate) async fn cut_clients(&self) -> Result<()> {
        let from = Moment::now();
        self.clients.cut().await?;
        self.note(FaultKind::CutClients, from);
        Ok(())
    }

    fn note(&self, kind: FaultKind, from: Moment) {
        let until = Moment::now();
        self.ledger.put(Record {
            call: 0,
            process: 0,
            at: from,
            event: Event::Fault { kind, until },
        });
    }

    /// A fault that is over at once; whether there was something to break.
    async fn strike(&mut self, fault: &Fault) -> Result<bool> {
        match fault.kind {
            FaultKind::KillServer => {
                self.crew.kill_server(fault.target).await?;
                sleep(fault.hold / SOON).await;
                self.crew.start_server()?;
            }
            FaultKind::StopServer => {
                self.crew.ask_server_to_leave(fault.target)?;
                sleep(fault.hold / SOON).await;
                self.crew.start_server()?;
            }
            FaultKind::KillClient => {
                self.crew.kill_client(fault.target).await?;
                sleep(fault.hold / SOON).await;
                self.crew.start_client()?;
            }
            FaultKind::CutClients => self.clients.cut().await?,
            FaultKind::CutServers => self.servers.cut().await?,
            FaultKind::CloseConnections => {
                self.node.ctl(&["close_all_connections", "soak"]).await?;
            }
            FaultKind::DeleteReplyQueue => {
                let queues = self.reply_queues().await?;
                let Some(queue) = queues.get(fault.target % queues.len().max(1)) else {
                    return Ok(false);
                };
                // Its owner may go, and the queue with it, at this moment.
                return Ok(self.node.ctl(&["delete_queue", queue]).await.is_ok());
            }
            lasting => bail!("{lasting:?} is not over at once"),
        }
        Ok(true)
    }

    /// Begins what lasts; the number of the server that was stopped, if it is that.
    async fn begin(&mut self, fault: &Fault) -> Result<Option<u32>> {
        match fault.kind {
            FaultKind::PauseServer => {
                let servers = &self.crew.servers;
                let server = &servers[fault.target % servers.len()];
                server.signal(Signal::STOP)?;
                return Ok(Some(server.number));
            }
            FaultKind::PauseBroker => self.node.pause()?,
            FaultKind::FreezeClients | FaultKind::SilenceClients => self.clients.freeze(),
            FaultKind::FreezeServers | FaultKind::SilenceServers => self.servers.freeze(),
            FaultKind::RefuseClients => {
                self.clients.refuse().await?;
                self.clients.cut().await?;
            }
            FaultKind::RefuseServers => {
                self.servers.refuse().await?;
                self.servers.cut().await?;
            }
            FaultKind::KillBroker => self.node.kill().await?,
            FaultKind::Alarm => {
                self.node
                    .ctl(&["set_vm_memory_high_watermark", "absolute", "1"])
                    .await?;
            }
            sudden => bail!("{sudden:?} does not last"),
        }
        Ok(None)
    }

    async fn end(&mut self, fault: &Fault, paused: Option<u32>) -> Result<()> {
        match fault.kind {
            FaultKind::PauseBroker => self.node.resume()?,
            FaultKind::FreezeClients | FaultKind::SilenceClients => self.clients.thaw(),
            FaultKind::FreezeServers | FaultKind::SilenceServers => self.servers.thaw(),
            FaultKind::RefuseClients => self.clients.accept().await?,
            FaultKind::RefuseServers => self.servers.accept().await?,
            FaultKind::KillBroker => self.node.restart().await?,
            FaultKind::Alarm => {
                self.node
                    .ctl(&["set_vm_memory_high_watermark", "0.4"])
                    .await?;
            }
            _ => {}
        }
        // It may have been killed meanwhile.
        if let Some(server) = paused.and_then(|number| self.crew.server(number)) {
            server.signal(Signal::CONT)?;
        }
        Ok(())
    }

    /// The queues of the broker with the number of messages in them, taken or not.
    pub(crate) async fn queues(&self) -> Result<Vec<(String, u64)>> {
        let arguments = [
            "list_queues",
            "--quiet",
            "--no-table-headers",
            "name",
            "messages",
        ];
        let list = self.node.ctl(&arguments).await?;
        let queues = list.lines().filter_map(|line| {
            let (name, messages) = line.split_once('\t')?;
            // A queue whose process is gone or busy has no number.
            Some((name.to_owned(), messages.trim().parse().unwrap_or(u64::MAX)))
        });
        Ok(queues.collect())
    }

    pub(crate) async fn reply_queues(&self) -> Result<Vec<String>> {
        let names = self.queues().await?.into_iter().map(|(name, _)| name);
        Ok(names
            .filter(|name| name.starts_with("rpc.reply."))
            .collect())
    }

    /// Waits until no call is left in a queue; those of the dead letters stay.
    pub(crate) async fn drained(&self, limit: Duration) -> Result<()> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let queues = self.queues().await?;
            let full: Vec<_> = queues
                .iter()
                .filter(|(name, messages)| *messages > 0 && name != crate::server::DEAD_LETTERS)
                .collect();
            if full.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                bail!("calls stay in their queues: {full:?}");
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Whether a fault is over when it has happened.
pub(crate) fn is_sudden(kind: FaultKind) -> bool {
    crate::plan::SUDDEN
        .iter()
        .any(|(sudden, _)| *sudden == kind)
}

/// A killed process is replaced after this part of a fault's length.
const SOON: u32 = 4;
