//! A private RabbitMQ node.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lapin::{Connection, ConnectionProperties};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

use crate::config::{Config, TlsListener};
use crate::epmd::epmd_port;
use crate::guard::Guard;
use crate::handshake::{Greeting, greeting};
use crate::installation::Installation;
use crate::percent::percent_encoded;
use crate::port::free_port;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);
const CTL: Duration = Duration::from_secs(60);
const GREETING: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

static COUNT: AtomicU32 = AtomicU32::new(1);

/// A RabbitMQ node of the test's own: its ports, name, folder and cookie are nobody else's.
///
/// It listens on 127.0.0.1 only. It has no plugins, except the one for client certificates if it
/// has TLS. Dropping this kills the node and removes its folder; so does the end of the test
/// process, however that ends.
#[derive(Debug)]
pub struct RabbitNode {
    // Before the folder: fields are dropped in order, and a live node would write into a removed
    // folder.
    guard: Option<Guard>,
    folder: TempDir,
    installation: Installation,
    config: Config,
    greeting: Greeting,
    /// Set once the node accepts commands, which is a moment after it accepts clients. The check
    /// takes most of a second of processor time, so nodes that get no command are not checked.
    takes_commands: OnceCell<()>,
}

impl RabbitNode {
    /// Starts a node and waits until it takes AMQP connections.
    ///
    /// # Errors
    /// If RabbitMQ is not installed (the error says how to get it), or the node does not come up in
    /// 60 s (the error ends with the node's log).
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same, with settings of the application `rabbit`: a key and its value as an Erlang term,
    /// such as `("vm_memory_high_watermark", "{absolute, 1000000}")`.
    ///
    /// # Errors
    /// As [`RabbitNode::start`].
    pub async fn start_with(settings: &[(&str, &str)]) -> Result<Self> {
        Self::launch(settings, None).await
    }

    /// The same, with a listener that speaks TLS beside the plain one.
    ///
    /// # Errors
    /// As [`RabbitNode::start`].
    pub async fn start_with_tls(listener: TlsListener) -> Result<Self> {
        Self::launch(&[], Some((listener, free_port()?))).await
    }

    async fn launch(settings: &[(&str, &str)], tls: Option<(TlsListener, u16)>) -> Result<Self> {
        let installation = Installation::find()?;
        let folder = tempfile::Builder::new().prefix("rpc-rabbit-").tempdir()?;
        let config = Config {
            name: format!(
                "rpc-{}-{}@localhost",
                std::process::id(),
                COUNT.fetch_add(1, Ordering::Relaxed)
            ),
            port: free_port()?,
            dist_port: free_port()?,
            epmd_port: epmd_port(&installation.epmd)?,
            settings: settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            tls,
        };
        let greeting = Greeting {
            version: String::new(),
            cluster: String::new(),
        };
        let mut node = Self {
            guard: None,
            folder,
            installation,
            config,
            greeting,
            takes_commands: OnceCell::new(),
        };
        node.boot().await?;
        // Until it joins a cluster it names that after itself, at the machine's full name.
        let owner = |name: &str| name.split('@').next().map(str::to_owned);
        if owner(&node.greeting.cluster) != owner(&node.config.name) {
            bail!(
                "another broker, {}, answers on port {} that was picked for {}; run the test again",
                node.greeting.cluster,
                node.config.port,
                node.config.name
            );
        }
        Ok(node)
    }

    /// The URL of the virtual host `/`, as the user `guest`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for("guest", "guest", "/")
    }

    /// The URL for another user, password or virtual host.
    #[must_use]
    pub fn url_for(&self, user: &str, password: &str, vhost: &str) -> String {
        let [user, password, vhost] = [user, password, vhost].map(percent_encoded);
        format!(
            "amqp://{user}:{password}@127.0.0.1:{}/{vhost}",
            self.config.port
        )
    }

    /// The port of 127.0.0.1 on which it speaks AMQP in TLS.
    ///
    /// # Panics
    /// If it was started without.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        match self.config.tls {
            Some((_, port)) => port,
            None => panic!("the node was not started with TLS"),
        }
    }

    /// The port of 127.0.0.1 on which it speaks AMQP.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.config.port
    }

    /// Its process.
    ///
    /// # Errors
    /// If it does not run.
    pub fn id(&self) -> Result<u32> {
        Ok(self.guard.as_ref().context("the node does not run")?.id())
    }

    /// The node's name, as `rabbitmqctl join_cluster` takes it. All nodes of a process share a
    /// cookie.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Where the node keeps its data and logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The broker's version, such as `3.10.8`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.greeting.version
    }

    /// The first two numbers of the version.
    ///
    /// # Errors
    /// If the version is not numbers.
    pub fn major_minor(&self) -> Result<(u32, u32)> {
        self.greeting.major_minor()
    }

    /// Runs `rabbitmqctl` of the same installation on this node, and returns what it printed.
    ///
    /// # Errors
    /// If it fails, or takes more than a minute; with all that it said.
    pub async fn ctl(&self, arguments: &[&str]) -> Result<String> {
        let starts = || async { self.run_ctl(&["await_startup"]).await.map(|_| ()) };
        self.takes_commands.get_or_try_init(starts).await?;
        self.run_ctl(arguments).await
    }

    async fn run_ctl(&self, arguments: &[&str]) -> Result<String> {
        let name = format!("rabbitmqctl {}", arguments.join(" "));
        let mut command = std::process::Command::new(&self.installation.ctl);
        self.config.apply(self.folder.path(), &mut command);
        command.args(arguments).stdin(std::process::Stdio::null());
        let output = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .output();
        let output = timeout(CTL, output)
            .await
            .with_context(|| format!("{name} took more than {CTL:?}"))?;
        let output =
            output.with_context(|| format!("cannot run {}", self.installation.ctl.display()))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!(
                "{name}: {}\n{said}{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(said)
    }

    /// Makes virtual hosts, users and permissions, as many as there are, at the price of one
    /// command: a JSON object as `rabbitmqctl import_definitions` takes it.
    ///
    /// # Errors
    /// As [`RabbitNode::ctl`].
    pub async fn import(&self, definitions: &Value) -> Result<()> {
        let mut file = NamedTempFile::new_in(self.folder())?;
        serde_json::to_writer(&mut file, definitions)?;
        let path = file.path().to_string_lossy();
        self.ctl(&["import_definitions", &path]).await?;
        Ok(())
    }

    /// Kills the node with SIGKILL, as a power cut would, and waits until it is gone.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.end(Signal::KILL).await
    }

    /// Asks the node to stop (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// If it does not run, or not stop within 30 s.
    pub async fn stop(&mut self) -> Result<()> {
        self.end(Signal::TERM).await
    }

    /// Starts the node again with the same ports and data; a running one is stopped first.
    ///
    /// # Errors
    /// As [`RabbitNode::start`].
    pub async fn restart(&mut self) -> Result<()> {
        if self.guard.is_some() {
            self.stop().await?;
        }
        self.boot().await
    }

    /// Stops the node's processor time (SIGSTOP): its connections stay open and nothing answers.
    ///
    /// # Errors
    /// If it does not run.
    pub fn pause(&mut self) -> Result<()> {
        self.running()?.signal(Signal::STOP)
    }

    /// Lets a paused node go on (SIGCONT).
    ///
    /// # Errors
    /// If it does not run.
    pub fn resume(&mut self) -> Result<()> {
        self.running()?.signal(Signal::CONT)
    }

    fn running(&mut self) -> Result<&mut Guard> {
        self.guard.as_mut().context("the node does not run")
    }

    async fn end(&mut self, signal: Signal) -> Result<()> {
        let guard = self.running()?;
        guard.signal(signal)?;
        guard.wait(STOP).await?;
        self.guard = None;
        // The kernel closes the listener of a dead process a moment later.
        let deadline = Instant::now() + STOP;
        while TcpStream::connect(("127.0.0.1", self.config.port))
            .await
            .is_ok()
        {
            if Instant::now() >= deadline {
                bail!(
                    "something still listens on port {} of the ended node",
                    self.config.port
                );
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    async fn boot(&mut self) -> Result<()> {
        self.takes_commands = OnceCell::new();
        let folder = self.folder.path();
        self.config.write(folder)?;
        let guard = Guard::spawn(
            &self.installation.server,
            [""; 0],
            |command| self.config.apply(folder, command),
            folder,
            &folder.join("console.log"),
        )?;
        let guard = self.guard.insert(guard);
        let started = Instant::now();
        let greeted = loop {
            let failure = match greeting(self.config.port, GREETING).await {
                Ok(greeting) => break Ok(greeting),
                Err(error) => error,
            };
            if let Some(status) = guard.ended()? {
                break Err(failure.context(format!("the node ended: {status}")));
            }
            if started.elapsed() >= START {
                break Err(failure.context(format!("the node did not answer within {START:?}")));
            }
            sleep(POLL).await;
        };
        let opened = async {
            self.greeting = greeted?;
            let url = self.url();
            let connecting = Connection::connect(&url, ConnectionProperties::default());
            let connection = timeout(START, connecting)
                .await
                .context("no AMQP connection")??;
            connection.close(200, "ready".into()).await?;
            anyhow::Ok(())
        };
        if let Err(error) = opened.await {
            let tail = Config::log_tail(self.folder.path());
            self.guard = None;
            return Err(error.context(format!(
                "RabbitMQ ({}) did not start:{tail}",
                self.installation.server.display()
            )));
        }
        Ok(())
    }
}
