//! The ledger: one file for each process, all in one folder.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::record::{Event, Moment, Record, SIZE};

/// A process' own file.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: File,
    process: u32,
}

impl Ledger {
    pub(crate) fn open(folder: &Path, process: u32) -> Result<Self> {
        let path = folder.join(format!("{process}.{SUFFIX}"));
        let file = File::options().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, process })
    }

    /// Writes what happened now, and returns when that was.
    ///
    /// # Panics
    /// If it cannot be written: without the record nothing can be proved.
    pub(crate) fn write(&self, call: u64, event: Event) -> Moment {
        let at = Moment::now();
        self.put(Record {
            call,
            process: self.process,
            at,
            event,
        });
        at
    }

    /// Writes a record as it is.
    ///
    /// # Panics
    /// As [`Ledger::write`].
    pub(crate) fn put(&self, record: Record) {
        // One write for each record and no buffer: what the kernel has outlives SIGKILL, and writes
        // that append do not mix.
        if let Err(error) = (&self.file).write_all(&record.encode()) {
            panic!("the ledger cannot be written: {error}");
        }
    }
}

/// All records of all processes, by time.
pub(crate) fn read_all(folder: &Path) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|suffix| suffix != SUFFIX) {
            continue;
        }
        let bytes = fs::read(&path)?;
        let (whole, rest) = bytes.as_chunks::<SIZE>();
        if !rest.is_empty() {
            bail!("{} ends within a record", path.display());
        }
        for bytes in whole {
            records.push(Record::decode(bytes).with_context(|| path.display().to_string())?);
        }
    }
    records.sort_by_key(|record| record.at);
    Ok(records)
}

const SUFFIX: &str = "ledger";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_processes_wrote_is_read_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (
            Ledger::open(folder.path(), 1).unwrap(),
            Ledger::open(folder.path(), 2).unwrap(),
        );
        one.write(7, Event::Finished);
        two.write(8, Event::Finished);
        one.write(9, Event::Killed);
        let calls: Vec<_> = read_all(folder.path())
            .unwrap()
            .iter()
            .map(|record| record.call)
            .collect();
        assert_eq!(calls, [7, 8, 9]);
    }

    #[test]
    fn a_torn_record_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1.ledger"), [0; SIZE + 1]).unwrap();
        assert!(read_all(folder.path()).is_err());
    }
}
