//! The records of a ledger, which all have the same size.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};

use crate::kinds::{FaultKind, Method, Outcome};

/// The size of a record in its file.
pub(crate) const SIZE: usize = 32;

/// Something that happened to a call, or to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The call's number, which is no other call's; 0 for what concerns a whole process.
    pub(crate) call: u64,
    /// The process that wrote it, or that it is about.
    pub(crate) process: u32,
    pub(crate) at: Moment,
    pub(crate) event: Event,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A client is about to make the call.
    Begun { method: Method, limit: Duration },
    /// The call ended at its caller.
    Ended { outcome: Outcome },
    /// A handler started. `message` distinguishes the messages of a call that was resent.
    Started { message: u64, redelivered: bool },
    /// It came to its end.
    Finished,
    /// The call was given up and kept in the dead-letter queue.
    Buried,
    /// The process had no processor for so long just now, which no promise can cover.
    Stalled { time: Duration },
    /// A client process was killed: its calls end with it.
    Killed,
    /// A fault, and when it was over.
    Fault { kind: FaultKind, until: Moment },
}

/// A moment by the clock that all processes of the machine share, in nanoseconds. It never jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(read(ClockId::Monotonic))
    }

    /// The time since an earlier moment; zero if that is the later one.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(nanos(time)))
    }

    pub(crate) fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(time)))
    }
}

/// The time for which this process had a processor, all its threads together.
pub(crate) fn processor_time() -> Duration {
    Duration::from_nanos(read(ClockId::ProcessCPUTime))
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // Neither is ever negative.
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds * 1_000_000_000 + nanos
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Record {
    pub(crate) fn encode(&self) -> [u8; SIZE] {
        let (event, detail, number) = match self.event {
            Event::Begun { method, limit } => (0, method as u8, nanos(limit)),
            Event::Ended { outcome } => (1, outcome as u8, 0),
            Event::Started {
                message,
                redelivered,
            } => (2, u8::from(redelivered), message),
            Event::Finished => (3, 0, 0),
            Event::Buried => (4, 0, 0),
            Event::Stalled { time } => (5, 0, nanos(time)),
            Event::Killed => (6, 0, 0),
            Event::Fault { kind, until } => (7, kind as u8, until.0),
        };
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(&self.call.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.at.0.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.process.to_le_bytes());
        bytes[20] = event;
        bytes[21] = detail;
        bytes[24..].copy_from_slice(&number.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; SIZE]) -> Result<Self> {
        let field = |from: usize| {
            let mut field = [0; 8];
            field.copy_from_slice(&bytes[from..from + 8]);
            u64::from_le_bytes(field)
        };
        let (number, detail) = (field(24), bytes[21]);
        let event = match bytes[20] {
            0 => Event::Begun {
                method: nth(Method::ALL, detail)?,
                limit: Duration::from_nanos(number),
            },
            1 => Event::Ended {
                outcome: nth(Outcome::ALL, detail)?,
            },
            2 => Event::Started {
                message: number,
                redelivered: detail != 0,
            },
            3 => Event::Finished,
            4 => Event::Buried,
            5 => Event::Stalled {
                time: Duration::from_nanos(number),
            },
            6 => Event::Killed,
            7 => Event::Fault {
                kind: nth(FaultKind::ALL, detail)?,
                until: Moment(number),
            },
            other => bail!("there is no event {other}"),
        };
        Ok(Self {
            call: field(0),
            at: Moment(field(8)),
            process: u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]),
            event,
        })
    }
}

fn nth<T: Copy>(all: &[T], code: u8) -> Result<T> {
    let found = all.get(usize::from(code)).copied();
    found.with_context(|| format!("there is no kind {code} of this event"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were() {
        let limit = Duration::from_millis(1234);
        let mut events = vec![
            Event::Started {
                message: u64::MAX,
                redelivered: true,
            },
            Event::Finished,
            Event::Buried,
            Event::Stalled { time: limit },
            Event::Killed,
        ];
        let until = Moment(77);
        let methods = Method::ALL.iter().copied();
        let outcomes = Outcome::ALL.iter().copied();
        let kinds = FaultKind::ALL.iter().copied();
        events.extend(methods.map(|method| Event::Begun { method, limit }));
        events.extend(outcomes.map(|outcome| Event::Ended { outcome }));
        events.extend(kinds.map(|kind| Event::Fault { kind, until }));
        for event in events {
            let record = Record {
                call: 1 << 40,
                process: 9,
                at: Moment(u64::MAX - 1),
                event,
            };
            assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        }
        assert!(Record::decode(&[99; SIZE]).is_err());
    }
}
