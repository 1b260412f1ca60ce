//! What this process uses.

use std::fs;

use anyhow::{Context, Result};

/// The memory that it has now, in KiB.
pub(crate) fn memory() -> Result<i64> {
    let status = fs::read_to_string("/proc/self/status").context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    Ok(figure.context("/proc names no VmRSS")?.parse()?)
}

/// The processor time that it has spent so far, in seconds.
pub(crate) fn processor() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("times are read from /proc")?;
    // The name of the program, in parentheses, may itself contain spaces.
    let (_, fields) = stat.rsplit_once(')').context("/proc has another form")?;
    let times: Vec<f64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    // Linux shows them in hundredths.
    Ok(times.iter().sum::<f64>() / 100.0)
}
