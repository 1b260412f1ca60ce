//! Measures one point: starts its processes, measures them and ends them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::brokers::Brokers;
use crate::child::{Role, Task};
use crate::cpu;
use crate::load::{LONGEST, Outcome};
use crate::peer::{Layout, Peer};
use crate::plan::Point;

/// The results of a point's processes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Sample {
    pub(crate) point: Point,
    pub(crate) outcome: Outcome,
    /// Seconds of processor time in the measured time; `None` if the system does not report it.
    pub(crate) cpu: Option<Cpu>,
}

/// Processor time, in seconds. A client that has the server in its process counts for both.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Cpu {
    pub(crate) client: f64,
    pub(crate) servers: f64,
    pub(crate) broker: f64,
}

impl Sample {
    pub(crate) fn calls_per_second(&self) -> f64 {
        self.outcome.calls as f64 / self.outcome.seconds
    }

    /// Seconds of processor time for 100,000 calls.
    pub(crate) fn cpu_per_100k(&self) -> Option<f64> {
        let Cpu {
            client,
            servers,
            broker,
        } = self.cpu?;
        Some((client + servers + broker) * 100_000.0 / self.outcome.calls as f64)
    }
}

/// Measures the point.
///
/// # Errors
///
/// If a process does not start, prints something unexpected, or takes far too long.
pub(crate) async fn measure(point: &Point, brokers: &Brokers) -> Result<Sample> {
    let mut task = Task {
        role: Role::Both,
        peer: point.peer,
        layout: point.layout,
        url: brokers.url(point.peer)?,
        payload: point.payload,
        load: point.load,
    };
    let servers = match point.layout {
        Layout::Together => 0,
        Layout::Apart => 1,
        Layout::Naps => 2,
    };
    let mut running = Vec::new();
    for number in 0..servers {
        task.role = Role::Server(number);
        let mut server = Process::start(&task)?;
        let ready = server.line(START).await?;
        let url = ready.strip_prefix("ready ");
        url.with_context(|| format!("a server said {ready:?}"))?
            .clone_into(&mut task.url);
        running.push(server);
    }
    if servers > 0 {
        task.role = Role::Client;
    }
    let mut client = Process::start(&task)?;
    let (client_id, broker) = (client.id, brokers.process(point.peer)?);
    let spent = || -> Option<Cpu> {
        let servers: Option<Vec<f64>> = running
            .iter()
            .map(|server| cpu::seconds(server.id?))
            .collect();
        Some(Cpu {
            client: cpu::seconds(client_id?)?,
            servers: servers?.iter().sum(),
            broker: broker.map_or(Some(0.0), cpu::seconds)?,
        })
    };
    let time = Duration::try_from_secs_f64(point.load.seconds)?;
    client.expect("begin", time + WARM).await?;
    let before = spent();
    client.expect("end", time + LONGEST + START).await?;
    let after = spent();
    let outcome = client.line(WARM).await?;
    let outcome = serde_json::from_str(&outcome).with_context(|| format!("it said {outcome:?}"))?;
    client.end().await?;
    for server in running {
        server.end().await?;
    }
    let cpu = before.zip(after).map(|(before, after)| Cpu {
        client: after.client - before.client,
        servers: after.servers - before.servers,
        broker: after.broker - before.broker,
    });
    Ok(Sample {
        point: *point,
        outcome,
        cpu,
    })
}

/// A client or a server. Dropping it kills it.
struct Process {
    child: Child,
    id: Option<u32>,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(task: &Task) -> Result<Self> {
        let mut command = if task.peer == Peer::AioPika {
            let mut command = Command::new(rpc_tests::python()?);
            command.arg(script());
            command
        } else {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("child");
            command
        };
        let mut child = command
            .arg(serde_json::to_string(task)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("the process has no output")?;
        Ok(Self {
            id: child.id(),
            child,
            stdout: BufReader::new(output).lines(),
        })
    }

    async fn line(&mut self, limit: Duration) -> Result<String> {
        let line = timeout(limit, self.stdout.next_line()).await;
        let line = line.with_context(|| format!("it said nothing for {limit:?}"))??;
        line.context("it ended; what it wrote is above")
    }

    async fn expect(&mut self, word: &str, limit: Duration) -> Result<()> {
        let line = self.line(limit).await?;
        if line != word {
            bail!("it said {line:?} instead of {word:?}");
        }
        Ok(())
    }

    /// Asks the process to end. It must exit successfully.
    async fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = timeout(START, self.child.wait()).await;
        let status = status.with_context(|| format!("it has not ended within {START:?}"))??;
        if !status.success() {
            bail!("it ended with {status}");
        }
        Ok(())
    }
}

fn script() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "python", "peer.py"]
        .iter()
        .collect()
}

const START: Duration = Duration::from_secs(30);
/// The time limit for every caller to get its first answer, and for every caller to get its last.
const WARM: Duration = Duration::from_secs(90);
