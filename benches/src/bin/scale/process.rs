//! The memory of this process.

use std::fs;

use anyhow::{Context, Result};

/// The memory that it uses now, in KiB.
pub(crate) fn memory() -> Result<i64> {
    let status = fs::read_to_string("/proc/self/status").context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    Ok(figure.context("/proc names no VmRSS")?.parse()?)
}
