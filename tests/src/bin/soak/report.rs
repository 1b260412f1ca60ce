//! The report that is printed at the end.

use std::fmt::{self, Display};
use std::time::Duration;

use crate::proof::{Proof, Violation};
use crate::vitals::Vitals;

/// What was left when all had ended.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// Calls in flight when none was.
    pub(crate) pending: usize,
    pub(crate) reply_queues: usize,
    /// Of the client that was never killed, before and after.
    pub(crate) tasks: (usize, usize),
    pub(crate) vitals: (Vitals, Vitals),
    /// What went wrong with a whole process.
    pub(crate) mishaps: Vec<String>,
}

impl Ending {
    /// Whether the client has more tasks or open files than before; memory is only shown.
    pub(crate) fn has_grown(&self) -> bool {
        self.tasks.1 > self.tasks.0 || self.vitals.1.descriptors > self.vitals.0.descriptors
    }
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    pub(crate) broker: String,
    pub(crate) processes: u32,
    pub(crate) proof: Proof,
    pub(crate) ending: Ending,
}

impl Report {
    /// Whether zeros are where they belong.
    pub(crate) fn is_clean(&self) -> bool {
        let Ending {
            pending,
            reply_queues,
            mishaps,
            ..
        } = &self.ending;
        self.proof.violations.is_empty()
            && !self.is_too_busy()
            && *pending == 0
            && *reply_queues == 0
            && mishaps.is_empty()
            && !self.ending.has_grown()
            // A soak in which nothing happened proves nothing.
            && self.proof.calls > 0
            && !self.proof.faults.is_empty()
    }

    /// Whether a client was without a processor for so much of the time that nothing was shown of
    /// the others' promises to be in time.
    fn is_too_busy(&self) -> bool {
        self.proof.stalled > self.time / 5
    }

    fn rows(&self) -> Vec<(String, String)> {
        let Self { proof, ending, .. } = self;
        let mut rows = Vec::new();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        row("calls", proof.calls.to_string());
        row("their executions", proof.executions.to_string());
        row(
            "faults",
            sums(
                proof
                    .faults
                    .iter()
                    .map(|(kind, count)| (kind.words(), *count)),
            ),
        );
        row(
            "outcomes",
            sums(
                proof
                    .outcomes
                    .iter()
                    .map(|(outcome, count)| (outcome.words(), *count)),
            ),
        );
        row(
            "calls that went with their client",
            proof.abandoned.to_string(),
        );
        let repeats = format!(
            "{}, one message {} times at the most",
            proof.repeats, proof.most_times
        );
        row("executions of idempotent calls beyond the first", repeats);
        row(
            "calls given up, kept as dead letters",
            proof.buried.to_string(),
        );
        for violation in Violation::ALL {
            row(
                violation.words(),
                format!("**{}**", proof.count(*violation)),
            );
        }
        row("worst lateness of a call", format!("{:?}", proof.worst));
        let lateness = format!(
            "{}; {} by their process' own time, the worst {:?}",
            proof.late, proof.late_own, proof.worst_own
        );
        row("calls more than 50 ms late", lateness);
        row("calls more than 1 s late", proof.starved.to_string());
        let stalls = format!("{:?}, {:?} in all", proof.worst_stall, proof.stalled);
        row("longest time of a client without a processor", stalls);
        row(
            "worst lateness of a handler's start",
            format!("{:?}", proof.worst_start),
        );
        row(
            "handlers at whose very start their process was stopped",
            proof.at_their_start.values().sum::<usize>().to_string(),
        );
        row("pending calls leaked", format!("**{}**", ending.pending));
        row("reply queues left", format!("**{}**", ending.reply_queues));
        row(
            "processes that failed",
            format!("**{}**", ending.mishaps.len()),
        );
        row(
            "tasks of the client that lived through it",
            from_to(Some(ending.tasks.0), Some(ending.tasks.1)),
        );
        let (before, after) = ending.vitals;
        row(
            "its file descriptors",
            from_to(before.descriptors, after.descriptors),
        );
        row("its memory, in KiB", from_to(before.memory, after.memory));
        rows
    }
}

fn sums<'a>(counts: impl Iterator<Item = (&'a str, usize)>) -> String {
    let mut all = 0;
    let parts: Vec<_> = counts
        .map(|(words, count)| {
            all += count;
            format!("{words} {count}")
        })
        .collect();
    format!("{all}: {}", parts.join(", "))
}

fn from_to<T: Display>(before: Option<T>, after: Option<T>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("{before} before, {after} after"),
        _ => "not known here".into(),
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (violation, stories) in &self.proof.violations {
            writeln!(f, "{}: {}", violation.words(), stories.len())?;
            for story in stories.iter().take(SHOWN) {
                writeln!(f, "- {story}")?;
            }
        }
        for mishap in &self.ending.mishaps {
            writeln!(f, "- {mishap}")?;
        }
        let minutes = self.time.as_secs_f64() / 60.0;
        writeln!(
            f,
            "| {minutes} minutes, seed {}, {} processes, RabbitMQ {} | |\n|---|---|",
            self.seed, self.processes, self.broker
        )?;
        for (name, value) in self.rows() {
            writeln!(f, "| {name} | {value} |")?;
        }
        let verdict = match self.is_clean() {
            true => "as promised",
            false if self.is_too_busy() => "NOT shown, since the machine was too busy",
            false => "NOT as promised",
        };
        write!(f, "\nsoak: {verdict}")
    }
}

/// How many violations of each kind are shown in full.
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::FaultKind;

    fn report(stalled: Duration) -> Report {
        Report {
            time: Duration::from_secs(60),
            seed: 1,
            broker: String::new(),
            processes: 1,
            proof: Proof {
                calls: 1,
                faults: [(FaultKind::Alarm, 1)].into(),
                stalled,
                ..Proof::default()
            },
            ending: Ending::default(),
        }
    }

    #[test]
    fn a_soak_on_a_machine_that_was_too_busy_shows_nothing() {
        let quiet = report(Duration::from_secs(12));
        assert!(quiet.is_clean());
        assert!(quiet.to_string().ends_with("soak: as promised"));
        let busy = report(Duration::from_secs(13));
        assert!(!busy.is_clean());
        assert!(busy.to_string().ends_with("the machine was too busy"));
    }

    #[test]
    fn nothing_may_be_left_over() {
        let with = |change: fn(&mut Report)| {
            let mut report = report(Duration::ZERO);
            change(&mut report);
            report.is_clean()
        };
        assert!(with(|_| {}));
        assert!(!with(|report| report.ending.pending = 1));
        assert!(!with(|report| report.ending.reply_queues = 1));
        assert!(!with(|report| report.ending.tasks = (3, 4)));
        assert!(!with(|report| report.ending.mishaps.push(String::new())));
        assert!(!with(|report| report.proof.calls = 0));
        assert!(!with(|report| report.proof.faults.clear()));
        let hang = |report: &mut Report| {
            let violations = &mut report.proof.violations;
            violations.insert(Violation::Hang, vec![String::new()]);
        };
        assert!(!with(hang));
    }
}
