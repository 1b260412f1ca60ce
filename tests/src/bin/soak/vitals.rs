//! The system resources that a process holds.

use std::fs;

/// The file descriptors and the memory of a process; nothing where the system has no `/proc`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vitals {
    pub(crate) descriptors: Option<usize>,
    /// Resident, in KiB.
    pub(crate) memory: Option<u64>,
}

impl Vitals {
    pub(crate) fn of(process: u32) -> Self {
        let folder = format!("/proc/{process}");
        let descriptors = fs::read_dir(format!("{folder}/fd"))
            .ok()
            .map(Iterator::count);
        let memory = fs::read_to_string(format!("{folder}/status"))
            .ok()
            .and_then(|status| {
                let line = status
                    .lines()
                    .find_map(|line| line.strip_prefix("VmRSS:"))?;
                line.split_whitespace().next()?.parse().ok()
            });
        Self {
            descriptors,
            memory,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts() {
        let own = std::process::id();
        let before = Vitals::of(own);
        assert!(before.memory > Some(0));
        // Other tests open and close files meanwhile.
        let files: Vec<_> = (0..100)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        let after = Vitals::of(own);
        assert!(after.descriptors > before.descriptors.map(|count| count + 50));
        drop(files);
    }
}
