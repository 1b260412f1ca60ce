//! Compares rpc-core with its alternatives, in turn in a single run. See `benches/compare --help`.
//!
//! Each point has processes of its own (`child`), so it is not affected by the point before. This
//! process starts the brokers, measures their processor time and shows the results. The brokers are
//! fresh and used by this run only.

mod brokers;
mod child;
mod cpu;
mod echo;
mod load;
mod machine;
mod measure;
mod options;
mod peer;
mod peers;
mod plan;
mod plot;
mod report;
mod results;
mod run;
mod targets;

use anyhow::{Context, Result};

use crate::options::Options;
use crate::results::Results;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "child") {
        let task = arguments.nth(1).context("a child needs a task")?;
        return child::run(&serde_json::from_str(&task)?).await;
    }
    let command: Vec<_> = arguments.collect();
    let options = Options::parse(command.iter().cloned())?;
    std::fs::create_dir_all(&options.out)?;
    let results = match &options.from {
        Some(file) => Results::read(file)?,
        None => {
            let file = options.out.join("results.json");
            let results = run::run(command, options.clone()).await?;
            results.write(&file)?;
            println!("{}", file.display());
            results
        }
    };
    report::draw(&results, &options.out)?;
    report::print(&results);
    Ok(())
}
