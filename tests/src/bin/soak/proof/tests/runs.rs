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

fn look(messages: &[u64]) -> Vec<Record> {
    let mut records = vec![begun(Method::Look)];
    let runs = (10_010..).zip(messages);
    records.extend(runs.map(|(at, message)| started(at, *message)));
    records.push(ended(10_040, Outcome::Answered));
    records
}

#[test]
fn an_idempotent_message_runs_again_only_if_servers_are_lost() {
    assert_eq!(found(&look(&[1, 1])), [Violation::Doubled]);
    let with = |kind, messages: &[u64]| {
        found(&[&look(messages)[..], &[fault(kind, 10_010, 10_010)]].concat())
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
        found(&[&look(&[1, 1])[..], &[after]].concat()),
        [Violation::Doubled]
    );
    let proof = prove(&look(&[1, 1, 1, 2]));
    assert_eq!((proof.repeats, proof.most_times), (3, 3));
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
fn a_server_may_be_wrong_about_a_clock_that_it_does_not_know() {
    let late = [
        begun(Method::Pay),
        ended(11_010, Outcome::TimedOut),
        started(11_500, 1),
    ];
    let proof = prove(&late);
    assert!(proof.violations.is_empty());
    assert_eq!(
        (proof.late_starts, proof.worst_start),
        (1, Duration::from_millis(500))
    );
    // Another server knows, or this one knows of another connection: that helps nobody.
    for other in [
        Record {
            process: 2,
            ..known()[1]
        },
        Record {
            event: Event::Started {
                message: 7,
                caller: 2,
                redelivered: false,
            },
            ..known()[1]
        },
    ] {
        let records = [&[known()[0], other, known()[2]], &late[..]].concat();
        assert!(prove(&records).violations.is_empty());
    }
    assert_eq!(found(&late), [Violation::StartedLate]);
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
