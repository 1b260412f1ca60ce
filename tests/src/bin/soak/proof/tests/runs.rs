//! How often a call runs, and when it starts.

use super::*;

#[test]
fn what_must_happen_once_happens_once() {
    for method in [Method::Echo, Method::Nap, Method::Pay, Method::Note] {
        let end = ended(10_040, Outcome::Answered);
        let records = [begun(method), started(10_010, 1), started(10_020, 1), end];
        assert_eq!(found(&records), [Violation::Doubled], "{method:?}");
        // Also if its client is no more, and whatever was lost.
        let killed = Record {
            call: 0,
            ..at(10_500, Event::Killed)
        };
        let lost = fault(FaultKind::KillBroker, 10_000, 10_600);
        let records = [
            begun(method),
            started(10_010, 1),
            started(10_020, 2),
            killed,
            lost,
        ];
        assert_eq!(found(&records), [Violation::Doubled], "{method:?}");
    }
}

fn runs(method: Method, messages: &[u64]) -> Vec<Record> {
    let mut records = vec![begun(method)];
    let runs = (10_010..).zip(messages);
    records.extend(runs.map(|(at, message)| started(at, *message)));
    records.push(ended(10_040, Outcome::Answered));
    records
}

fn look(messages: &[u64]) -> Vec<Record> {
    runs(Method::Look, messages)
}

#[test]
fn a_message_of_a_one_way_call_runs_again_only_if_servers_are_lost() {
    let remind = |messages: &[u64]| runs(Method::Remind, messages);
    assert_eq!(found(&remind(&[1, 1])), [Violation::Doubled]);
    let with = |kind, messages: &[u64]| {
        found(&[&remind(messages)[..], &[fault(kind, 10_010, 10_010)]].concat())
    };
    assert_eq!(with(FaultKind::KillServer, &[1, 1]), []);
    assert_eq!(
        with(FaultKind::KillServer, &[1, 1, 1]),
        [Violation::Doubled]
    );
    assert_eq!(with(FaultKind::CutServers, &[1, 1, 1]), []);
    assert_eq!(
        with(FaultKind::CutServers, &[1, 1, 1, 1, 1]),
        [Violation::Doubled]
    );
    assert_eq!(with(FaultKind::CutClients, &[1, 1]), [Violation::Doubled]);
    let after = fault(FaultKind::KillServer, 10_030, 10_035);
    assert_eq!(
        found(&[&remind(&[1, 1])[..], &[after]].concat()),
        [Violation::Doubled]
    );
    let proof = prove(&remind(&[1, 1, 1, 2]));
    assert_eq!((proof.repeats, proof.most_times), (3, 3));
}

#[test]
fn no_message_of_a_call_that_is_sent_again_runs_twice() {
    for kind in [FaultKind::KillServer, FaultKind::CutServers] {
        let lost = fault(kind, 10_010, 10_010);
        let with = |messages| found(&[&look(messages)[..], &[lost]].concat());
        assert_eq!(with(&[1, 1]), [Violation::Doubled]);
        assert_eq!(with(&[1, 2]), []);
        // However many servers: after the second it is given up.
        assert_eq!(with(&[1, 2, 3]), [Violation::Doubled]);
    }
}

#[test]
fn an_idempotent_call_is_sent_again_only_if_connections_are_lost() {
    assert_eq!(found(&look(&[1, 2])), [Violation::Doubled]);
    let with = |messages: &[u64], from, until| {
        let lost = fault(FaultKind::CutClients, from, until);
        found(&[&look(messages)[..], &[lost]].concat())
    };
    assert_eq!(with(&[1, 2], 10_011, 10_011), []);
    assert_eq!(with(&[1, 2, 3], 10_011, 10_011), [Violation::Doubled]);
    assert_eq!(with(&[1, 2], 10_050, 10_060), [Violation::Doubled]);
}

#[test]
fn no_handler_starts_after_the_deadline() {
    let start = |millis| {
        [
            begun(Method::Pay),
            ended(11_010, Outcome::TimedOut),
            started(millis, 1),
        ]
    };
    assert_eq!(found(&start(11_015)), []);
    assert_eq!(found(&start(11_030)), [Violation::StartedLate]);
    // Two may be at their start when their server is stopped, and no more; and none starts long
    // after.
    let stopped = Record {
        call: 0,
        process: SERVER,
        ..at(
            11_229,
            Event::Stalled {
                time: Duration::from_millis(500),
            },
        )
    };
    let with = |calls: u64, millis| {
        let calls = (1..=calls).flat_map(|call| {
            let call = move |record| Record { call, ..record };
            start(millis).map(call)
        });
        let records: Vec<_> = calls.chain([stopped]).collect();
        let proof = prove(&records);
        (proof.count(Violation::StartedLate), proof.stalled)
    };
    assert_eq!(with(2, 11_230), (0, Duration::ZERO));
    assert_eq!(with(5, 11_230), (3, Duration::ZERO));
    assert_eq!(with(1, 11_260), (1, Duration::ZERO));
    // One-way calls have no deadline there.
    assert_eq!(
        found(&[
            begun(Method::Note),
            ended(10_010, Outcome::Answered),
            started(99_000, 1)
        ]),
        []
    );
}

#[test]
fn what_the_broker_has_taken_runs_or_is_kept() {
    let taken = [begun(Method::Remind), ended(10_020, Outcome::Answered)];
    assert_eq!(found(&taken), [Violation::Vanished]);
    assert_eq!(found(&[&taken[..], &[started(60_000, 1)]].concat()), []);
    assert_eq!(
        found(&[&taken[..], &[at(60_000, Event::Buried)]].concat()),
        []
    );
    // It may be that the broker had it not.
    assert_eq!(
        found(&[begun(Method::Remind), ended(10_020, Outcome::Lost)]),
        []
    );
}
