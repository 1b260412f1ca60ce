//! A child process that never outlives the test process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal};

const POLL: Duration = Duration::from_millis(10);

// Statics are not dropped, and a killed process drops nothing. The shell between the test process
// and the child therefore waits for the end of its standard input: the system closes it when the
// test process is gone, however that went. (Linux' parent death signal would fire when the *thread*
// that started the child ends, and every test has its own thread.)
const SCRIPT: &str = r#"
folder=$1
shift
rm -f "$folder/ended"
exec 3<&0
"$@" 3<&- </dev/null >&2 &
child=$!
echo "$child"
exec >&2
(
    cat <&3 >&2
    [ -e "$folder/ended" ] || kill -s KILL "$child"
    while ! [ -e "$folder/ended" ] && kill -s 0 "$child"; do sleep 0.05; done
    rm -rf "$folder"
) 2>/dev/null &
exec 3<&-
wait "$child"
status=$?
: >"$folder/ended"
exit "$status"
"#;

/// The child, the shell that guards it, and the pipe that stays open as long as this process lives.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
    lifeline: Option<ChildStdin>,
    child: Pid,
    name: String,
}

impl Guard {
    /// Starts `program` in a process group of its own, its output appended to `console`.
    ///
    /// When this process is gone the child is killed and `folder` removed.
    pub(crate) fn spawn(
        program: &Path,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
        environment: impl FnOnce(&mut Command),
        folder: &Path,
        console: &Path,
    ) -> Result<Self> {
        let name = program.display().to_string();
        let console = File::options()
            .create(true)
            .append(true)
            .open(console)
            .with_context(|| format!("cannot write {}", console.display()))?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "guard"])
            .arg(folder)
            .arg(program)
            .args(arguments.into_iter().map(Into::into))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(console)
            .process_group(0);
        environment(&mut command);
        let mut shell = command
            .spawn()
            .with_context(|| format!("cannot start /bin/sh for {name}"))?;
        let lifeline = shell.stdin.take();
        let output = shell
            .stdout
            .take()
            .context("the shell has no standard output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let child = line
            .trim()
            .parse()
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| anyhow!("cannot start {name}: the shell said {line:?}"))?;
        Ok(Self {
            shell,
            lifeline,
            child,
            name,
        })
    }

    /// The child's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_raw_nonzero().get().unsigned_abs()
    }

    /// How the child ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.shell.try_wait()?)
    }

    /// Sends a signal to the child; an error when it has ended.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        // Until the shell has ended it has not yet reaped the child, so the id cannot be another
        // process'.
        if let Some(status) = self.ended()? {
            bail!("{} has ended already: {status}", self.name);
        }
        rustix::process::kill_process(self.child, signal)
            .with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits until the child has ended.
    pub(crate) async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!(
                    "{} (process {}) has not ended within {limit:?}",
                    self.name,
                    self.id()
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn kill(&mut self) -> std::io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.shell.try_wait()?.is_none() && Instant::now() < deadline {
            rustix::process::kill_process(self.child, Signal::KILL).or_else(ignore_gone)?;
            std::thread::sleep(POLL);
        }
        // The shell's helper, and what a child that is a wrapper has left behind. While the
        // lifeline is open the helper lives, so the group's id cannot be another group's.
        let group = Pid::from_child(&self.shell);
        rustix::process::kill_process_group(group, Signal::KILL).or_else(ignore_gone)?;
        self.shell.wait()?;
        self.lifeline = None;
        Ok(())
    }
}

fn ignore_gone(error: rustix::io::Errno) -> rustix::io::Result<()> {
    if error == rustix::io::Errno::SRCH {
        Ok(())
    } else {
        Err(error)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("cannot end {} (process {}): {error}", self.name, self.id());
        }
    }
}
