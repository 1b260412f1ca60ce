//! Which faults happen when. The seed determines all of it.

use std::time::Duration;

use crate::kinds::FaultKind;

/// A fault, and what is known of it before it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// Which of several processes or queues it meets; modulo how many there are.
    pub(crate) target: usize,
    /// How long it lasts, where it does.
    pub(crate) hold: Duration,
}

/// One step of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The quiet before.
    pub(crate) pause: Duration,
    pub(crate) fault: Fault,
    /// What happens while that lasts.
    pub(crate) within: Option<Fault>,
}

/// The faults of one seed, without an end.
#[derive(Debug)]
pub(crate) struct Plan {
    random: fastrand::Rng,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
        }
    }

    fn fault(&mut self, kinds: &[(FaultKind, u32)]) -> Fault {
        let all: u32 = kinds.iter().map(|(_, weight)| weight).sum();
        let mut lot = self.random.u32(0..all);
        let mut kind = kinds[0].0;
        for (candidate, weight) in kinds {
            kind = *candidate;
            match lot.checked_sub(*weight) {
                Some(rest) => lot = rest,
                None => break,
            }
        }
        let hold = Duration::from_millis(self.random.u64(500..=3000));
        Fault {
            kind,
            target: self.random.usize(..),
            hold: match kind {
                FaultKind::SilenceClients | FaultKind::SilenceServers => SILENCE,
                _ => hold,
            },
        }
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let pause = Duration::from_millis(self.random.u64(1000..=3000));
        let all: Vec<_> = [SUDDEN, LASTING].concat();
        let fault = self.fault(&all);
        let lasts = LASTING.iter().any(|(kind, _)| *kind == fault.kind);
        let within = (lasts && self.random.u8(0..3) == 0).then(|| self.fault(SUDDEN));
        let within = within
            .filter(|within| !(needs_the_broker(within.kind) && stops_the_broker(fault.kind)));
        Some(Step {
            pause,
            fault,
            within,
        })
    }
}

/// Whether it is done by the broker itself.
fn needs_the_broker(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::DeleteReplyQueue | FaultKind::CloseConnections
    )
}

fn stops_the_broker(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::PauseBroker | FaultKind::KillBroker)
}

/// Faults that are over at once, each with how often it is drawn.
pub(crate) const SUDDEN: &[(FaultKind, u32)] = &[
    (FaultKind::KillServer, 8),
    (FaultKind::StopServer, 8),
    (FaultKind::KillClient, 6),
    (FaultKind::CutClients, 6),
    (FaultKind::CutServers, 6),
    (FaultKind::DeleteReplyQueue, 4),
    (FaultKind::CloseConnections, 4),
];

/// Faults that last. The broker's own take their time, and come seldom.
const LASTING: &[(FaultKind, u32)] = &[
    (FaultKind::PauseServer, 6),
    (FaultKind::PauseBroker, 4),
    (FaultKind::FreezeClients, 4),
    (FaultKind::FreezeServers, 4),
    (FaultKind::SilenceClients, 1),
    (FaultKind::SilenceServers, 1),
    (FaultKind::RefuseClients, 4),
    (FaultKind::RefuseServers, 4),
    (FaultKind::KillBroker, 4),
    (FaultKind::Alarm, 4),
];

/// Longer than the 20 s after which a connection that is silent counts as lost.
const SILENCE: Duration = Duration::from_secs(25);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan() {
        let steps = |seed| Plan::new(seed).take(100).collect::<Vec<_>>();
        assert_eq!(steps(1), steps(1));
        assert_ne!(steps(1), steps(2));
    }

    #[test]
    fn every_fault_comes_in_time_and_some_meet() {
        let steps: Vec<_> = Plan::new(1).take(1000).collect();
        for kind in FaultKind::ALL {
            assert!(
                steps.iter().any(|step| step.fault.kind == *kind),
                "{kind:?}"
            );
        }
        assert!(steps.iter().any(|step| step.within.is_some()));
    }
}
