//! The whole soak: starts all processes, carries out the faults, ends all in order, and reads the
//! ledger.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rpc_tests::{RabbitNode, RawPeer, TcpRelay};
use rustix::process::Signal;
use tokio::time::{Instant, sleep, sleep_until};

use crate::crew::Crew;
use crate::kinds::SERVERS;
use crate::ledger::{self, Ledger};
use crate::plan::Plan;
use crate::proof::prove;
use crate::record::Event;
use crate::report::{Ending, Report};
use crate::scene::Scene;
use crate::server::DEAD_LETTERS;
use crate::vitals::Vitals;

/// What the user said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    time: Duration,
    seed: u64,
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            time: Duration::ZERO,
            seed: 1,
        };
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{name} has no value"))?;
            match &*name {
                "--minutes" => {
                    let minutes: f64 = value.parse().context("--minutes is no number")?;
                    options.time = Duration::try_from_secs_f64(minutes * 60.0)?;
                }
                "--seed" => options.seed = value.parse().context("--seed is no number")?,
                _ => bail!("unknown option {name}; there are --minutes N and --seed S"),
            }
        }
        if options.time.is_zero() {
            bail!("--minutes N is missing");
        }
        Ok(options)
    }
}

/// Runs the soak and prints its report; whether all was as promised.
pub(crate) async fn run(options: Options) -> Result<bool> {
    let folder = tempfile::Builder::new().prefix("rpc-soak-").tempdir()?;
    let ended = soak(options, folder.path()).await;
    if matches!(ended, Ok(true)) {
        return Ok(true);
    }
    println!(
        "the ledgers and the words of all processes stay in {}",
        folder.keep().display()
    );
    ended
}

async fn soak(options: Options, folder: &Path) -> Result<bool> {
    let Options { time, seed } = options;
    let mut scene = set_up(folder, seed).await?;
    println!(
        "soak: {time:?} with seed {seed} on RabbitMQ {}",
        scene.node.version()
    );
    let (tasks, before) = first_words(&mut scene).await?;

    let end = Instant::now() + time;
    let mut deaths = Vec::new();
    for step in Plan::new(seed) {
        sleep_until(end.min(Instant::now() + step.pause)).await;
        if Instant::now() >= end {
            break;
        }
        scene
            .play(&step)
            .await
            .with_context(|| format!("{step:?}"))?;
        deaths.extend(scene.crew.deaths()?);
        if !deaths.is_empty() {
            break;
        }
    }
    let mut ending = finish(&mut scene, tasks, before).await?;
    ending.mishaps.extend(deaths);
    ending.mishaps.extend(panics(folder)?);
    let records = ledger::read_all(folder)?;
    let report = Report {
        time,
        seed,
        broker: scene.node.version().to_owned(),
        processes: scene.crew.started,
        proof: prove(&records),
        ending,
    };
    println!("{report}");
    Ok(report.is_clean())
}

async fn set_up(folder: &Path, seed: u64) -> Result<Scene> {
    let node = RabbitNode::start().await?;
    let (clients, servers) = (
        TcpRelay::start(node.port()).await?,
        TcpRelay::start(node.port()).await?,
    );
    let ledger = Arc::new(Ledger::open(folder, 0)?);
    let mut crew = Crew {
        folder: folder.to_owned(),
        seed,
        ledger: Arc::clone(&ledger),
        url_for_clients: clients.url(&node.url()),
        url_for_servers: servers.url(&node.url()),
        clients: Vec::new(),
        servers: Vec::new(),
        leaving: Vec::new(),
        started: 0,
    };
    for _ in 0..SERVERS {
        crew.start_server()?;
    }
    for server in &mut crew.servers {
        server.ask("", "ready", START).await?;
    }
    for _ in 0..CLIENTS {
        crew.start_client()?;
    }
    Ok(Scene {
        crew,
        clients,
        servers,
        node,
        ledger,
    })
}

/// What the client that is never killed has when all is up: its tasks, and of the system's.
async fn first_words(scene: &mut Scene) -> Result<(usize, Vitals)> {
    for client in &mut scene.crew.clients {
        client.ask("", "ready", START).await?;
    }
    // After one loss: the AMQP library makes a runtime of its own for the first connection that is
    // made anew, and keeps it.
    scene.cut_clients().await?;
    let client = scene
        .crew
        .clients
        .first_mut()
        .context("there are no clients")?;
    let measured = client.ask("measure", "measured", START).await?;
    let id = client.id().context("the first client has ended")?;
    Ok((number_in(&measured)?, Vitals::of(id)))
}

/// Stops all in order, and writes down what is left.
async fn finish(scene: &mut Scene, tasks: usize, before: Vitals) -> Result<Ending> {
    let mut ending = Ending {
        tasks: (tasks, 0),
        vitals: (before, before),
        ..Ending::default()
    };
    for client in &mut scene.crew.clients {
        let ended = client.ask("stop", "ended", END).await?;
        ending.pending += number_in(&ended)?;
    }
    // The one that is never killed comes last.
    let first = scene.crew.clients[0].number;
    for mut client in scene.crew.clients.drain(..).rev() {
        if client.number == first {
            // What lost connections leave behind may take its time to end.
            let deadline = Instant::now() + SETTLE;
            loop {
                let measured = client.ask("measure", "measured", END).await?;
                let id = client.id().context("the first client has ended")?;
                ending.tasks.1 = number_in(&measured)?;
                ending.vitals.1 = Vitals::of(id);
                if !ending.has_grown() || Instant::now() >= deadline {
                    break;
                }
                sleep(Duration::from_millis(500)).await;
            }
        }
        let closed = client.ask("close", "closed", END).await?;
        ending.pending += number_in(&closed)?;
        ending
            .mishaps
            .extend(client.leave(END).await.err().map(|error| error.to_string()));
    }
    if let Err(error) = scene.drained(END).await {
        ending.mishaps.push(error.to_string());
    }
    read_dead_letters(scene).await?;
    for server in scene.crew.servers.drain(..) {
        server.signal(Signal::TERM)?;
        scene.crew.leaving.push(server);
    }
    for server in scene.crew.leaving.drain(..) {
        ending
            .mishaps
            .extend(server.leave(END).await.err().map(|error| error.to_string()));
    }
    // The broker removes the queues of closed connections a moment later.
    let deadline = Instant::now() + SETTLE;
    loop {
        ending.reply_queues = scene.reply_queues().await?.len();
        if ending.reply_queues == 0 || Instant::now() >= deadline {
            return Ok(ending);
        }
    }
}

/// Writes down which calls were given up.
async fn read_dead_letters(scene: &Scene) -> Result<()> {
    let peer = RawPeer::connect(&scene.node.url()).await?;
    let (letters, _) = peer.counts(DEAD_LETTERS).await?;
    let mut consumer = peer.consume(DEAD_LETTERS).await?;
    for _ in 0..letters {
        let arguments = consumer.next().await?.json()?;
        let call = arguments["call"].as_u64();
        scene
            .ledger
            .write(call.context("a dead letter has no number")?, Event::Buried);
    }
    peer.close().await
}

/// Panics in what processes wrote: they end a task, not its process.
fn panics(folder: &Path) -> Result<Vec<String>> {
    let mut panics = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "log") {
            let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
            let lines = text.lines().filter(|line| line.contains("panicked at"));
            panics.extend(lines.map(|line| format!("{}: {line}", path.display())));
        }
    }
    Ok(panics)
}

fn number_in(line: &str) -> Result<usize> {
    let (_, number) = line
        .split_once('=')
        .with_context(|| format!("no number in {line:?}"))?;
    Ok(number.parse()?)
}

const CLIENTS: u32 = 3;
const START: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(90);
/// Longer than rpc-core waits for a host that accepts a connection and then says nothing.
const SETTLE: Duration = Duration::from_secs(30);
