//! The proof: what the ledger must and must not contain.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::kinds::{FaultKind, Method, Outcome, kinds};
use crate::record::{Event, Moment, Record};
use crate::world::World;

kinds! {
    /// What must not be.
    Violation {
        Hang = "hangs (not ended, or late by more than 1 s in which its process had a processor)",
        EndedTwice = "calls that ended twice",
        Wrong = "wrong outcomes",
        Early = "calls out of time before their deadline",
        Doubled = "doubled executions",
        StartedLate = "handlers started after the deadline",
        Vanished = "one-way calls that were taken and never ran",
        Stray = "executions of calls that nobody made",
    }
}

/// The sums of a ledger.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    pub(crate) calls: usize,
    pub(crate) executions: usize,
    /// Executions of idempotent calls beyond their first.
    pub(crate) repeats: usize,
    /// The most executions of one message of an idempotent call.
    pub(crate) most_times: usize,
    /// Calls that were given up for the servers that they took with them.
    pub(crate) buried: usize,
    /// Calls whose client was killed.
    pub(crate) abandoned: usize,
    pub(crate) outcomes: BTreeMap<Outcome, usize>,
    pub(crate) faults: BTreeMap<FaultKind, usize>,
    /// Calls that ended more than [`PROMISE`] after their deadline, and those of them that still
    /// did so when only the time with a processor is counted.
    pub(crate) late: usize,
    pub(crate) late_own: usize,
    pub(crate) worst: Duration,
    pub(crate) worst_own: Duration,
    /// Calls that ended more than [`HANG`] after their deadline, for whatever reason.
    pub(crate) starved: usize,
    /// The longest time that a client had no processor, at a stretch and in total.
    pub(crate) worst_stall: Duration,
    pub(crate) stalled: Duration,
    /// The longest time after its deadline at which a handler started; and, for each stop of a
    /// process, the number of handlers that were being started when it came.
    pub(crate) worst_start: Duration,
    pub(crate) at_their_start: BTreeMap<(u32, Moment), usize>,
    /// Each violation, with what happened to the call.
    pub(crate) violations: BTreeMap<Violation, Vec<String>>,
}

/// All that is known of one call.
#[derive(Debug, Default)]
struct Call {
    begun: Option<Begun>,
    ends: Vec<(Moment, Outcome)>,
    runs: Vec<Run>,
    is_buried: bool,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Moment,
    process: u32,
    method: Method,
    limit: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    at: Moment,
    process: u32,
    message: u64,
}

/// Adds a ledger up.
pub(crate) fn prove(records: &[Record]) -> Proof {
    let mut calls: BTreeMap<u64, Call> = BTreeMap::new();
    let mut world = World::default();
    for record in records {
        if !world.add(record) {
            calls.entry(record.call).or_default().add(record);
        }
    }
    let mut proof = Proof::default();
    for (kind, ..) in &world.faults {
        *proof.faults.entry(*kind).or_default() += 1;
    }
    // Servers are stopped on purpose, too.
    let begun = calls.values().filter_map(|call| call.begun);
    let clients: BTreeSet<_> = begun.map(|begun| begun.process).collect();
    for stalls in clients.iter().filter_map(|client| world.stalls.get(client)) {
        let times = stalls.iter().map(|(from, to)| to.since(*from));
        proof.worst_stall = proof
            .worst_stall
            .max(times.clone().max().unwrap_or_default());
        proof.stalled = proof.stalled.max(times.sum());
    }
    for (number, call) in &calls {
        for (violation, words) in proof.add(call, &world) {
            let story = format!("{words}\n{}", world.story(*number, records));
            proof.violations.entry(violation).or_default().push(story);
        }
    }
    proof
}

impl Call {
    fn add(&mut self, record: &Record) {
        let Record { process, at, .. } = *record;
        match record.event {
            Event::Begun { method, limit } => {
                self.begun = Some(Begun {
                    at,
                    process,
                    method,
                    limit,
                });
            }
            Event::Ended { outcome } => self.ends.push((at, outcome)),
            Event::Started { message, .. } => self.runs.push(Run {
                at,
                process,
                message,
            }),
            Event::Buried => self.is_buried = true,
            Event::Finished | Event::Stalled { .. } | Event::Killed | Event::Fault { .. } => {}
        }
    }

    /// How often each message of the call ran.
    fn times(&self) -> BTreeMap<u64, usize> {
        let mut times = BTreeMap::new();
        for run in &self.runs {
            *times.entry(run.message).or_default() += 1;
        }
        times
    }
}

impl Proof {
    pub(crate) fn count(&self, violation: Violation) -> usize {
        self.violations.get(&violation).map_or(0, Vec::len)
    }

    fn add(&mut self, call: &Call, world: &World) -> Vec<(Violation, String)> {
        self.executions += call.runs.len();
        self.buried += usize::from(call.is_buried);
        let Some(begun) = call.begun else {
            return vec![(Violation::Stray, format!("{call:?}"))];
        };
        self.calls += 1;
        if begun.method.is_idempotent() {
            self.repeats += call.runs.len().saturating_sub(1);
            let most = call.times().into_values().max();
            self.most_times = self.most_times.max(most.unwrap_or_default());
        }
        let mut found = Vec::new();
        let deadline = begun.at.plus(begun.limit);
        match call.ends[..] {
            [] if world.killed.contains(&begun.process) => self.abandoned += 1,
            [] => found.push((Violation::Hang, "it has no end".into())),
            [(at, outcome), ref more @ ..] => {
                *self.outcomes.entry(outcome).or_default() += 1;
                if !more.is_empty() {
                    found.push((Violation::EndedTwice, format!("{} ends", 1 + more.len())));
                }
                found.extend(self.check_time(begun, at, outcome, world));
                found.extend(check_outcome(call, begun, at, outcome, world));
            }
        }
        found.extend(check_runs(call, begun, world));
        for run in call.runs.iter().filter(|_| !begun.method.is_one_way()) {
            let late = run.at.since(deadline);
            if late > GRANULARITY && !self.was_at_its_start(run, deadline, world) {
                found.push((Violation::StartedLate, format!("started {late:?} late")));
            }
            self.worst_start = self.worst_start.max(late);
        }
        found
    }

    /// Whether the process was stopped between the server's check of its clock and the handler's
    /// first line. A server that continues after a stop checks the time again, so this can only
    /// affect as many calls as the server has threads.
    fn was_at_its_start(&mut self, run: &Run, deadline: Moment, world: &World) -> bool {
        let Some(stop) = world.stall_over(run.process, deadline) else {
            return false;
        };
        if run.at.since(stop) > GRANULARITY {
            return false;
        }
        let calls = self.at_their_start.entry((run.process, stop)).or_default();
        *calls += 1;
        *calls <= THREADS
    }

    fn check_time(
        &mut self,
        begun: Begun,
        at: Moment,
        outcome: Outcome,
        world: &World,
    ) -> Option<(Violation, String)> {
        let deadline = begun.at.plus(begun.limit);
        let late = at.since(deadline);
        self.worst = self.worst.max(late);
        let own = late.saturating_sub(world.stalled(begun.process, deadline, at));
        self.worst_own = self.worst_own.max(own);
        self.late += usize::from(late > PROMISE);
        self.late_own += usize::from(own > PROMISE);
        self.starved += usize::from(late > HANG);
        let early = deadline.since(at);
        if own > HANG {
            Some((Violation::Hang, format!("it ended {late:?} late")))
        } else if outcome.is_for_lack_of_time() && early > Duration::ZERO {
            Some((Violation::Early, format!("{early:?} early")))
        } else {
            None
        }
    }
}

fn check_outcome(
    call: &Call,
    begun: Begun,
    at: Moment,
    outcome: Outcome,
    world: &World,
) -> Option<(Violation, String)> {
    let wrong = |words: &str| Some((Violation::Wrong, words.to_owned()));
    if outcome.is_never_right() {
        return wrong("no call of the soak may end so");
    }
    if outcome.excludes_a_run() && !call.runs.is_empty() {
        return wrong("it ran after all");
    }
    let has_expired_after_all = outcome == Outcome::Expired && !call.runs.is_empty();
    if has_expired_after_all && world.sum(begun.at, at, FaultKind::servers_lost) == 0 {
        return wrong("it ran, and no server was lost");
    }
    if begun.method.is_one_way() {
        let is_kept = begun.method.is_idempotent() && outcome == Outcome::Answered;
        if is_kept && call.runs.is_empty() && !call.is_buried {
            return Some((Violation::Vanished, "the broker had it".into()));
        }
        return None;
    }
    if outcome == Outcome::Poisoned && world.sum(begun.at, at, FaultKind::servers_lost) < 2 {
        return wrong("it was given up, and no two servers were lost");
    }
    if outcome.needs_a_run() && !call.runs.iter().any(|run| run.at <= at) {
        return wrong("it has not run");
    }
    None
}

/// A call runs at most once, unless it is idempotent. An idempotent call is sent once more for each
/// loss of its caller's connection, and once more for the first server that is lost with it; after
/// the second it is given up. Each message runs once.
///
/// One-way calls are different: their caller does not wait, so it does not resend them. Their
/// message runs once more for each server that is lost with it. They are given up too, but not
/// every loss can be counted: if a server has sent the copy with the count, but has not acked the
/// original, its loss is not counted.
fn check_runs(call: &Call, begun: Begun, world: &World) -> Option<(Violation, String)> {
    let runs = call.runs.len();
    if !begun.method.is_idempotent() {
        return (runs > 1).then(|| {
            (
                Violation::Doubled,
                format!("{runs} times, and may run once"),
            )
        });
    }
    let times = call.times();
    for (message, times) in &times {
        let last = call.runs.iter().rfind(|run| run.message == *message);
        let last = last.map_or(begun.at, |run| run.at);
        let lost = world.sum(begun.at, last, FaultKind::servers_lost);
        let may_run_again = if begun.method.is_one_way() { lost } else { 0 };
        if *times > 1 + may_run_again {
            let words = format!("one message ran {times} times, with {lost} servers lost");
            return Some((Violation::Doubled, words));
        }
    }
    let given_up = begun.at.plus(begun.limit);
    let end = call.ends.first().map_or(given_up, |(at, _)| *at);
    let losses = world.sum(begun.at, end, |kind| {
        usize::from(kind.takes_clients_connections())
    });
    let lost = world.sum(begun.at, end, FaultKind::servers_lost);
    (times.len() > 1 + losses + lost.min(1)).then(|| {
        let words = format!(
            "{} messages of it ran, with {losses} connections and {lost} servers lost",
            times.len()
        );
        (Violation::Doubled, words)
    })
}

/// A call ends within this time after its deadline.
const PROMISE: Duration = Duration::from_millis(50);

/// A call that ends later than this counts as a hang. Only time in which its process had a
/// processor counts. Machines are noisy, and no process can measure all of the noise, so this is
/// more than the promise. Calls between the two are counted and shown.
///
/// So a machine that stalls does not turn a call into a hang; if it stalls too often, the soak
/// fails for that reason (`Report::is_too_busy`). A true hang is always found: a call that never
/// ends has no end in the ledger, however long its process was stalled, and a call that ends only
/// with the next event takes longer than the time that is subtracted.
const HANG: Duration = Duration::from_secs(1);

/// Times travel in milliseconds, and other threads may run between the server's check of its clock
/// and the handler's first line.
const GRANULARITY: Duration = Duration::from_millis(20);

/// How many handlers of a process can be at their start at the same time: one for each thread,
/// because starting a handler does not yield. With more processors there may be more, and the soak
/// would then count them as violations.
const THREADS: usize = 2;

#[cfg(test)]
mod tests;
