//! The machine and the versions that were measured.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

/// The machine. Fields that the system does not report are empty.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split(':').nth(1));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cpu: model.unwrap_or_default().trim().to_owned(),
            cores: available_parallelism().map_or(0, usize::from),
            kernel: kernel.trim().to_owned(),
        }
    }
}

/// The load average over 1, 5 and 15 minutes, which shows whether the machine had other work.
pub(crate) fn load_average() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let times: Vec<_> = load.split_whitespace().take(3).collect();
    times.join(" ")
}

/// Names and versions of the compared libraries, without the brokers.
pub(crate) fn versions() -> Vec<(String, String)> {
    let mut versions: Vec<_> = CRATES
        .iter()
        .filter_map(|name| {
            let (_, rest) = LOCK.split_once(&format!("\nname = \"{name}\"\nversion = \""))?;
            let (version, _) = rest.split_once('"')?;
            Some(((*name).to_owned(), version.to_owned()))
        })
        .collect();
    if let Some((name, version)) = PYTHON.trim().split_once("==") {
        versions.push((name.to_owned(), version.to_owned()));
    }
    let rustc = Command::new("rustc").arg("--version").output();
    if let Ok(output) = rustc
        && let Some(version) = String::from_utf8_lossy(&output.stdout).split(' ').nth(1)
    {
        versions.push(("rustc".to_owned(), version.to_owned()));
    }
    versions
}

const CRATES: [&str; 5] = ["rpc-core", "lapin", "async-nats", "tarpc", "tokio"];
const LOCK: &str = include_str!("../../../../Cargo.lock");
const PYTHON: &str = include_str!("../../../../tests/python/requirements.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_versions_are_found() {
        let names: Vec<_> = versions().into_iter().map(|(name, _)| name).collect();
        for name in CRATES.iter().chain(&["aio-pika"]) {
            assert!(names.iter().any(|found| found == name), "{names:?}");
        }
    }
}
