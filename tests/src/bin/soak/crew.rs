//! The processes of clients and servers.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::ledger::Ledger;
use crate::record::{Event, Moment, Record};
use crate::role::Role;

/// One process.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) number: u32,
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Member {
    fn start(role: &Role, kind: &str) -> Result<Self> {
        let words = role.folder.join(format!("{}.{kind}.log", role.process));
        let mut child = Command::new(std::env::current_exe()?)
            .arg(kind)
            .args(role.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(words)?)
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().context("no standard input")?;
        let output = child.stdout.take().context("no standard output")?;
        Ok(Self {
            number: role.process,
            child,
            orders,
            lines: BufReader::new(output).lines(),
        })
    }

    /// The system's number for it; nothing when it has ended.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        // Not reaped yet, so the id is no other process'.
        let id = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let id = id.with_context(|| format!("process {} has ended", self.number))?;
        Ok(kill_process(id, signal)?)
    }

    async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Gives an order, if it is not empty, and waits for a line that begins with `wanted`.
    pub(crate) async fn ask(
        &mut self,
        order: &str,
        wanted: &str,
        limit: Duration,
    ) -> Result<String> {
        let number = self.number;
        let asking = async {
            if !order.is_empty() {
                self.orders
                    .write_all(format!("{order}\n").as_bytes())
                    .await?;
            }
            while let Some(line) = self.lines.next_line().await? {
                if line.starts_with(wanted) {
                    return Ok(line);
                }
            }
            bail!("process {number} ended before it said {wanted:?}")
        };
        timeout(limit, asking)
            .await
            .with_context(|| format!("process {number} did not say {wanted:?} within {limit:?}"))?
    }

    /// Waits until it has ended well.
    pub(crate) async fn leave(mut self, limit: Duration) -> Result<()> {
        let number = self.number;
        let status = timeout(limit, self.child.wait())
            .await
            .with_context(|| format!("process {number} did not end within {limit:?}"))??;
        if !status.success() {
            bail!("process {number} ended badly: {status}");
        }
        Ok(())
    }

    /// How it ended, if it did so by itself.
    fn death(&mut self) -> Result<Option<String>> {
        let status = self.child.try_wait()?;
        Ok(status.map(|status| format!("process {} ended by itself: {status}", self.number)))
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Crew {
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) url_for_clients: String,
    pub(crate) url_for_servers: String,
    /// The first is never killed.
    pub(crate) clients: Vec<Member>,
    pub(crate) servers: Vec<Member>,
    /// Servers that were asked to leave and may not have left.
    pub(crate) leaving: Vec<Member>,
    /// How many were started. The orchestrator has the number 0.
    pub(crate) started: u32,
}

impl Crew {
    fn role(&mut self, url: &str) -> Role {
        self.started += 1;
        Role {
            url: url.to_owned(),
            folder: self.folder.clone(),
            process: self.started,
            seed: self.seed.wrapping_add(u64::from(self.started)),
        }
    }

    pub(crate) fn start_client(&mut self) -> Result<()> {
        let role = self.role(&self.url_for_clients.clone());
        self.clients.push(Member::start(&role, "client")?);
        Ok(())
    }

    pub(crate) fn start_server(&mut self) -> Result<()> {
        let role = self.role(&self.url_for_servers.clone());
        self.servers.push(Member::start(&role, "server")?);
        Ok(())
    }

    pub(crate) async fn kill_server(&mut self, target: usize) -> Result<()> {
        let mut server = self.servers.remove(target % self.servers.len());
        server.kill().await
    }

    pub(crate) fn ask_server_to_leave(&mut self, target: usize) -> Result<()> {
        let server = self.servers.remove(target % self.servers.len());
        server.signal(Signal::TERM)?;
        self.leaving.push(server);
        Ok(())
    }

    pub(crate) async fn kill_client(&mut self, target: usize) -> Result<()> {
        let mut client = self.clients.remove(1 + target % (self.clients.len() - 1));
        client.kill().await?;
        self.ledger.put(Record {
            call: 0,
            process: client.number,
            at: Moment::now(),
            event: Event::Killed,
        });
        Ok(())
    }

    /// The server of this number, if it is there yet.
    pub(crate) fn server(&self, number: u32) -> Option<&Member> {
        self.servers
            .iter()
            .chain(&self.leaving)
            .find(|server| server.number == number)
    }

    /// The processes that ended without being asked to.
    pub(crate) fn deaths(&mut self) -> Result<Vec<String>> {
        let mut deaths = Vec::new();
        for members in [&mut self.clients, &mut self.servers] {
            for member in members {
                deaths.extend(member.death()?);
            }
        }
        Ok(deaths)
    }
}
