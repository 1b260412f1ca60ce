//! `aio-pika` as the peer.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const READY: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(10);

/// A running script of `tests/python`. It ends when its standard input does, so it never outlives
/// the test.
#[derive(Debug)]
struct Script {
    name: &'static str,
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Script {
    async fn start(name: &'static str, url: &str, options: &[&str]) -> Result<Self> {
        let python = python()?;
        let folder = tempfile::Builder::new().prefix("rpc-python-").tempdir()?;
        let mut process = Command::new(&python)
            .arg(
                Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("python")
                    .join(name),
            )
            .args(["--url", url])
            .args(options)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("stderr"))?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", python.display()))?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().context("the script has no output")?);
        let mut script = Self {
            name,
            process,
            input,
            output,
            folder,
        };
        let ready = script.line(READY).await?;
        if ready != "ready" {
            bail!("{name} said {ready:?} instead of \"ready\"");
        }
        Ok(script)
    }

    async fn line(&mut self, limit: Duration) -> Result<String> {
        let mut line = String::new();
        let read = timeout(limit, self.output.read_line(&mut line)).await;
        let failure = match read {
            Ok(Ok(1..)) => return Ok(line.trim_end().to_owned()),
            Ok(Ok(0)) => format!("{} ended", self.name),
            Ok(Err(error)) => format!("{}: {error}", self.name),
            Err(_) => format!("{} said nothing within {limit:?}", self.name),
        };
        let errors = std::fs::read_to_string(self.folder.path().join("stderr"))?;
        bail!("{failure}; it wrote:\n{errors}")
    }

    async fn stop(mut self) -> Result<ExitStatus> {
        self.input = None;
        let ended = timeout(STOP, self.process.wait()).await;
        Ok(ended.with_context(|| format!("{} has not ended within {STOP:?}", self.name))??)
    }

    async fn kill(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// `tests/python/server.py`: the methods are there. Dropping it kills it.
#[derive(Debug)]
pub struct PythonServer(Script);

impl PythonServer {
    /// Starts it, and waits until it serves. Its options are those of `server.py --help`; the
    /// queues must have the same flags as those of the Rust servers that share them, so these
    /// usually include `--durable`.
    ///
    /// # Errors
    /// If there is no Python with `aio-pika`, or the script fails, with what it wrote.
    pub async fn start(url: &str, options: &[&str]) -> Result<Self> {
        Ok(Self(Script::start("server.py", url, options).await?))
    }

    /// Closes its connection, which hands back unanswered calls, and waits until it has ended.
    ///
    /// # Errors
    /// If that takes more than 10 s.
    pub async fn stop(self) -> Result<ExitStatus> {
        self.0.stop().await
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn kill(self) -> Result<()> {
        self.0.kill().await
    }

    /// Waits until it has ended by itself, such as by its method `kill`.
    ///
    /// # Errors
    /// If it has not in 10 s.
    pub async fn ended(mut self) -> Result<ExitStatus> {
        let ended = timeout(STOP, self.0.process.wait()).await;
        Ok(ended.with_context(|| format!("server.py has not ended within {STOP:?}"))??)
    }
}

/// `tests/python/client.py`. Dropping it kills it.
#[derive(Debug)]
pub struct PythonClient(Script);

/// What an `aio-pika` caller gets: a value, or an exception.
pub type Outcome = Result<Value, PythonError>;

/// An exception.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PythonError {
    /// The name of its class, such as `JsonRPCError`.
    pub class: String,
    /// Its arguments; those that JSON cannot hold as their `repr`.
    pub args: Vec<Value>,
}

/// A call that the client makes.
#[derive(Debug, Clone)]
pub struct PythonCall(Value);

impl PythonCall {
    /// A call without expiration.
    #[must_use]
    pub fn new(method: &str, kwargs: Value) -> Self {
        Self(json!({ "method": method, "kwargs": kwargs }))
    }

    /// Lets it expire after so many seconds in the queue.
    #[must_use]
    pub fn expiration(mut self, seconds: f64) -> Self {
        self.0["expiration"] = json!(seconds);
        self
    }
}

impl PythonClient {
    /// Starts it, and waits until it can call. Its options are those of `client.py --help`.
    ///
    /// # Errors
    /// As [`PythonServer::start`].
    pub async fn start(url: &str, options: &[&str]) -> Result<Self> {
        Ok(Self(Script::start("client.py", url, options).await?))
    }

    /// Makes one call.
    ///
    /// # Errors
    /// If the script fails or the call does not end within 30 s. What the call ends with is in the
    /// value.
    pub async fn call(&mut self, method: &str, kwargs: Value) -> Result<Outcome> {
        let outcomes = self.call_all(&[PythonCall::new(method, kwargs)]).await?;
        outcomes
            .into_iter()
            .next()
            .context("client.py gave no outcome")
    }

    /// Makes calls at the same time, and returns their outcomes in the same order.
    ///
    /// # Errors
    /// As [`PythonClient::call`].
    pub async fn call_all(&mut self, calls: &[PythonCall]) -> Result<Vec<Outcome>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Answer {
            Ok(Value),
            Error(PythonError),
        }
        let calls: Vec<_> = calls.iter().map(|call| &call.0).collect();
        let line = format!("{}\n", serde_json::to_string(&calls)?);
        let input = self
            .0
            .input
            .as_mut()
            .context("client.py has been stopped")?;
        timeout(ANSWER, input.write_all(line.as_bytes()))
            .await
            .context("client.py does not read")??;
        let answers: Vec<Answer> = serde_json::from_str(&self.0.line(ANSWER).await?)?;
        if answers.len() != calls.len() {
            bail!("{} calls, {} outcomes", calls.len(), answers.len());
        }
        let outcome = |answer| match answer {
            Answer::Ok(value) => Ok(value),
            Answer::Error(error) => Err(error),
        };
        Ok(answers.into_iter().map(outcome).collect())
    }

    /// Closes its connection, and waits until it has ended.
    ///
    /// # Errors
    /// If that takes more than 10 s.
    pub async fn stop(self) -> Result<ExitStatus> {
        self.0.stop().await
    }
}

/// The Python that has `aio-pika`: `$RPC_TESTS_PYTHON`, else that of `tests/.venv`.
///
/// # Errors
/// If there is none. The error says how to get one.
pub fn python() -> Result<PathBuf> {
    if let Some(named) = env::var_os("RPC_TESTS_PYTHON") {
        return Ok(named.into());
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    if !python.exists() {
        bail!(
            "aio-pika is needed, and {} does not exist. Run tests/install, or set RPC_TESTS_PYTHON to a \
             Python that has the packages of tests/python/requirements.txt",
            python.display()
        );
    }
    Ok(python)
}
