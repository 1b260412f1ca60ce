//! Runs the peers of `examples/peers`, which are written in other languages than Rust.

use std::env;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::python;

const READY: Duration = Duration::from_secs(30);
const END: Duration = Duration::from_secs(60);
/// The first build compiles Go's own library.
const BUILD: Duration = Duration::from_secs(300);
/// Where Debian and Ubuntu put the source of libraries for Go.
const GO_LIBRARIES: &str = "/usr/share/gocode";
const WITHOUT: &str = "RPC_TESTS_WITHOUT";

/// A language in which there is a server of the method `divide`, and a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// With pika.
    Python,
    /// With amqplib.
    JavaScript,
    /// With amqp091-go.
    Go,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Go => "go",
        })
    }
}

impl Language {
    /// Whether `RPC_TESTS_WITHOUT`, as in `javascript,go`, leaves it out.
    #[must_use]
    pub fn left_out(self) -> bool {
        let without = env::var(WITHOUT).unwrap_or_default();
        without.split(',').any(|name| name == self.to_string())
    }

    /// Starts its server, and waits until it serves. Dropping that kills it.
    ///
    /// # Errors
    /// If the language or its library is not installed, or the server ends.
    pub async fn serve(self, url: &str) -> Result<PeerServer> {
        let mut process = self.command("server").await?;
        let mut process = process
            .env("RABBITMQ_URL", url)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| self.advice())?;
        let output = process.stdout.take().context("it has no output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        timeout(READY, output.read_line(&mut line))
            .await
            .with_context(|| format!("the server in {self} is not ready within {READY:?}"))??;
        ensure!(
            line.trim_end() == "ready",
            "the server in {self} said {line:?} instead of \"ready\". {}",
            self.advice()
        );
        Ok(PeerServer {
            process,
            _output: output,
        })
    }

    /// Runs its client, which calls a method once for each of these arguments. Returns what it printed: the results, or
    /// on its error output why it ended without one.
    ///
    /// # Errors
    /// If the language is not installed, or the client takes more than a minute.
    pub async fn call(
        self,
        url: &str,
        method: &str,
        calls: &[Value],
    ) -> Result<Result<String, String>> {
        let mut command = self.command("client").await?;
        let running = command
            .arg(method)
            .args(calls.iter().map(Value::to_string))
            .env("RABBITMQ_URL", url)
            .output();
        let output = timeout(END, running)
            .await
            .with_context(|| format!("the client in {self} still runs after {END:?}"))?
            .with_context(|| self.advice())?;
        Ok(if output.status.success() {
            Ok(String::from_utf8(output.stdout)?)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        })
    }

    async fn command(self, role: &str) -> Result<Command> {
        let mut command = match self {
            Self::Python => {
                let mut command = Command::new(python()?);
                command
                    .arg(sources().join("python").join(role).with_extension("py"))
                    .env("PYTHONDONTWRITEBYTECODE", "1")
                    .stdin(Stdio::null());
                command
            }
            Self::JavaScript => {
                let source = sources().join("javascript").join(role);
                let source = File::open(source.with_extension("mjs"))?;
                let mut command = Command::new("node");
                // Node.js looks for a module's imports beside its file. Those of its input it finds from here.
                command
                    .args(["--input-type=module", "-"])
                    .current_dir(tests().join("javascript"))
                    .stdin(source);
                command
            }
            Self::Go => {
                let mut command = Command::new(programs_of_go().await?.join(role));
                command.stdin(Stdio::null());
                command
            }
        };
        command.kill_on_drop(true);
        Ok(command)
    }

    fn advice(self) -> String {
        format!(
            "If {self} or its library is missing: run `tests/install`{}",
            match self {
                Self::Python => "",
                Self::JavaScript => ", or leave it out with RPC_TESTS_WITHOUT=javascript",
                Self::Go => ", or leave it out with RPC_TESTS_WITHOUT=go",
            }
        )
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct PeerServer {
    process: Child,
    // Open, or what the server prints would end it.
    _output: BufReader<ChildStdout>,
}

impl PeerServer {
    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// If it still runs after a minute.
    pub async fn ended(mut self) -> Result<()> {
        let ended = timeout(END, self.process.wait()).await;
        ended.with_context(|| format!("the server still runs after {END:?}"))??;
        Ok(())
    }
}

/// The folder with the server and the client in Go, built once for each run of the tests.
async fn programs_of_go() -> Result<&'static Path> {
    static FOLDER: LazyLock<std::io::Result<TempDir>> =
        LazyLock::new(|| tempfile::Builder::new().prefix("rpc-go-").tempdir());
    static BUILT: OnceCell<()> = OnceCell::const_new();
    let folder = match &*FOLDER {
        Ok(folder) => folder.path(),
        Err(error) => bail!("no folder for the programs in Go: {error}"),
    };
    BUILT.get_or_try_init(|| build_go(folder)).await?;
    Ok(folder)
}

async fn build_go(folder: &Path) -> Result<()> {
    let building = Command::new("go")
        .args(["build", "-o"])
        .arg(folder)
        .args(["./server", "./client"])
        .current_dir(sources().join("go"))
        // The library is found in a folder: no module is looked up on the network.
        .env("GO111MODULE", "off")
        .env("GOPATH", GO_LIBRARIES)
        .env_remove("GOFLAGS")
        .kill_on_drop(true)
        .output();
    let output = timeout(BUILD, building)
        .await
        .with_context(|| format!("`go build` still runs after {BUILD:?}"))?
        .with_context(|| Language::Go.advice())?;
    ensure!(
        output.status.success(),
        "`go build` failed. {}\n{}",
        Language::Go.advice(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> PathBuf {
    tests().join("../examples/peers")
}
