//! Processor time of processes.

use std::fs;

/// The seconds that all threads of a process have used so far; `None` if the system has no `/proc`.
pub(crate) fn seconds(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, in parentheses, may itself contain spaces and parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

/// Linux reports times to programs in hundredths of a second, whatever its internal tick is.
const TICKS: f64 = 100.0;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn work_counts() {
        let own = std::process::id();
        let before = seconds(own).unwrap();
        let start = Instant::now();
        while seconds(own).unwrap() < before + 0.05 {
            assert!(start.elapsed() < Duration::from_secs(60));
        }
    }
}
