//! The command line.

use std::env;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::peer::{Layout, Peer, names};

/// What to measure, and how long.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Options {
    pub(crate) peers: Vec<Peer>,
    pub(crate) layouts: Vec<Layout>,
    pub(crate) callers: Vec<usize>,
    /// Lengths of the echoed text, in bytes.
    pub(crate) payloads: Vec<usize>,
    pub(crate) rounds: usize,
    /// For each point, in each round.
    pub(crate) seconds: f64,
    /// Where the results go.
    pub(crate) out: PathBuf,
    /// Results to show again, instead of measuring.
    pub(crate) from: Option<PathBuf>,
}

impl Options {
    /// # Errors
    ///
    /// Also for `--help`, with the help text.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let program = env::current_exe()?;
        let target = program.ancestors().nth(2).context("no target folder")?;
        let mut options = Self {
            peers: Peer::ALL.to_vec(),
            layouts: Layout::ALL.to_vec(),
            callers: vec![1, 10, 100, 1_000, 10_000],
            payloads: vec![64, 1024, 64 * 1024],
            rounds: 5,
            seconds: 2.0,
            out: target.join("compare"),
            from: None,
        };
        while let Some(name) = arguments.next() {
            if name == "--quick" {
                options.callers = vec![1, 10, 100, 1_000];
                options.payloads = vec![64];
                options.layouts = vec![Layout::Together, Layout::Naps];
                options.rounds = 1;
                options.seconds = 1.0;
                continue;
            }
            ensure!(name != "--help", "{}", help());
            let value = arguments.next();
            let value = value.with_context(|| format!("{name} has no value\n{}", help()))?;
            match &*name {
                "--peers" => options.peers = list(&value)?,
                "--layouts" => options.layouts = list(&value)?,
                "--callers" => options.callers = list(&value)?,
                "--payloads" => options.payloads = list(&value)?,
                "--rounds" => options.rounds = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                "--out" => options.out = value.into(),
                "--from" => options.from = Some(value.into()),
                _ => bail!("unknown option {name}\n{}", help()),
            }
        }
        ensure!(
            !options.callers.contains(&0),
            "there is no load without callers"
        );
        ensure!(
            options.seconds > 0.0,
            "--seconds must be more than 0, not {}",
            options.seconds
        );
        Ok(options)
    }
}

fn list<T: FromStr<Err: Into<Error>>>(value: &str) -> Result<Vec<T>> {
    let parse = |one: &str| {
        let parsed = one.replace('_', "").parse().map_err(Into::into);
        parsed.with_context(|| format!("in {value:?}"))
    };
    value.split(',').map(parse).collect()
}

fn help() -> String {
    format!(
        "\
usage: benches/compare [OPTION VALUE]...
  --quick           64 B, up to 1,000 callers, together and naps, 1 round of 1 s; options after it change that
  --peers LIST      of {}
  --layouts LIST    of {}
  --callers LIST    how many call at a time (1,10,100,1000,10000)
  --payloads LIST   bytes of the text that goes to and fro (64,1024,65536)
  --rounds N        how often all is measured, in turn; what counts is the median (5)
  --seconds S       for each point in each round, after a quarter of it to warm up; more where calls take long (2)
  --out FOLDER      for results.json and the plots (compare, in cargo's target folder)
  --from FILE       measures nothing, and makes table and plots of that results.json",
        names(Peer::ALL),
        names(Layout::ALL)
    )
}
