//! Made-up ledgers: each violation must be found, and none in a clean ledger.

use super::*;

const MILLI: u64 = 1_000_000;
const LIMIT: u64 = 1000;
const CLIENT: u32 = 4;
const SERVER: u32 = 1;

/// A record of call 1 at a millisecond.
fn at(millis: u64, event: Event) -> Record {
    let process = if matches!(event, Event::Started { .. }) {
        SERVER
    } else {
        CLIENT
    };
    Record {
        call: 1,
        process,
        at: Moment(millis * MILLI),
        event,
    }
}

fn begun(method: Method) -> Record {
    let limit = Duration::from_millis(LIMIT);
    at(10_000, Event::Begun { method, limit })
}

fn ended(millis: u64, outcome: Outcome) -> Record {
    at(millis, Event::Ended { outcome })
}

fn started(millis: u64, message: u64) -> Record {
    let event = Event::Started {
        message,
        redelivered: false,
    };
    at(millis, event)
}

fn fault(kind: FaultKind, from: u64, until: u64) -> Record {
    let until = Moment(until * MILLI);
    Record {
        call: 0,
        ..at(from, Event::Fault { kind, until })
    }
}

/// A good call of another number.
fn other() -> [Record; 3] {
    [
        Record {
            at: Moment(9_000 * MILLI),
            ..begun(Method::Echo)
        },
        started(9_001, 7),
        ended(9_002, Outcome::Answered),
    ]
    .map(|record| Record { call: 2, ..record })
}

fn found(records: &[Record]) -> Vec<Violation> {
    let mut records = [records, &other()].concat();
    records.sort_by_key(|record| record.at);
    prove(&records).violations.into_keys().collect()
}

#[test]
fn a_good_call_is_good() {
    for method in [Method::Echo, Method::Look] {
        let records = [
            begun(method),
            started(10_010, 1),
            ended(10_020, Outcome::Answered),
        ];
        assert_eq!(found(&records), []);
    }
    assert_eq!(
        found(&[begun(Method::Note), ended(10_020, Outcome::Answered)]),
        []
    );
    let proof = prove(&other());
    assert_eq!(
        (proof.calls, proof.executions, proof.repeats, proof.late),
        (1, 1, 0, 0)
    );
    assert_eq!(proof.outcomes[&Outcome::Answered], 1);
}

#[test]
fn a_call_without_an_end_hangs_unless_its_client_was_killed() {
    assert_eq!(found(&[begun(Method::Pay)]), [Violation::Hang]);
    let killed = Record {
        call: 0,
        ..at(10_500, Event::Killed)
    };
    assert_eq!(found(&[begun(Method::Pay), killed]), []);
    assert_eq!(prove(&[begun(Method::Pay), killed]).abandoned, 1);
    let other = Record {
        process: 5,
        ..killed
    };
    assert_eq!(found(&[begun(Method::Pay), other]), [Violation::Hang]);
}

#[test]
fn a_call_that_ends_late_is_late_or_hangs() {
    let end = |millis| [begun(Method::Pay), ended(millis, Outcome::TimedOut)];
    assert_eq!(found(&end(11_040)), []);
    let late = prove(&end(11_051));
    assert_eq!((late.late, late.late_own), (1, 1));
    assert_eq!(late.worst, Duration::from_millis(51));
    assert!(late.violations.is_empty());
    assert_eq!(found(&end(12_001)), [Violation::Hang]);
}

#[test]
fn time_without_a_processor_does_not_count_but_no_end_is_a_hang() {
    let stall = |until, millis| Record {
        call: 0,
        ..at(
            until,
            Event::Stalled {
                time: Duration::from_millis(millis),
            },
        )
    };
    let end = |millis| [begun(Method::Pay), ended(millis, Outcome::TimedOut)];
    let records = [&end(12_001)[..], &[stall(12_010, 1000)]].concat();
    let proof = prove(&records);
    assert_eq!((proof.late, proof.late_own, proof.starved), (1, 0, 1));
    assert_eq!(proof.worst_own, Duration::from_millis(10));
    assert_eq!(found(&records), []);
    // A stall of less than what is missing, of another process, or before the deadline.
    assert_eq!(
        found(&[&end(12_101)[..], &[stall(11_500, 100)]].concat()),
        [Violation::Hang]
    );
    let other = Record {
        process: 5,
        ..stall(12_001, 1000)
    };
    assert_eq!(
        found(&[&end(12_001)[..], &[other]].concat()),
        [Violation::Hang]
    );
    assert_eq!(
        found(&[&end(12_001)[..], &[stall(11_000, 1000)]].concat()),
        [Violation::Hang]
    );
    let never = [begun(Method::Pay), stall(16_001, 5000)];
    assert_eq!(found(&never), [Violation::Hang]);
    assert_eq!(prove(&never).stalled, Duration::from_secs(5));
}

#[test]
fn two_ends_are_one_too_many() {
    let end = ended(10_020, Outcome::Answered);
    assert_eq!(
        found(&[begun(Method::Pay), started(10_010, 1), end, end]),
        [Violation::EndedTwice]
    );
}

#[test]
fn an_answer_needs_an_execution_before_it() {
    for outcome in [Outcome::Answered, Outcome::Refused] {
        let end = ended(10_020, outcome);
        assert_eq!(found(&[begun(Method::Pay), end]), [Violation::Wrong]);
        assert_eq!(
            found(&[begun(Method::Pay), end, started(10_021, 1)]),
            [Violation::Wrong]
        );
    }
    assert_eq!(
        found(&[begun(Method::Pay), ended(11_000, Outcome::Stopped)]),
        [Violation::Wrong]
    );
}

#[test]
fn what_says_that_it_did_not_run_has_not_run() {
    for outcome in Outcome::ALL
        .iter()
        .filter(|outcome| outcome.excludes_a_run())
    {
        let end = ended(11_000, *outcome);
        let ran = found(&[begun(Method::Pay), started(10_010, 1), end]);
        assert_eq!(ran, [Violation::Wrong], "{outcome:?}");
        // Nor runs it later.
        let runs = found(&[begun(Method::Note), end, started(20_000, 1)]);
        assert_eq!(runs, [Violation::Wrong], "{outcome:?}");
        let expected: &[_] = if outcome.is_never_right() {
            &[Violation::Wrong]
        } else {
            &[]
        };
        assert_eq!(found(&[begun(Method::Pay), end]), expected, "{outcome:?}");
    }
}

#[test]
fn some_ends_are_never_right() {
    for outcome in Outcome::ALL
        .iter()
        .filter(|outcome| outcome.is_never_right())
    {
        assert_eq!(
            found(&[begun(Method::Pay), ended(11_000, *outcome)]),
            [Violation::Wrong]
        );
    }
}

#[test]
fn a_call_that_expired_ran_only_if_a_server_was_lost() {
    let records = [
        begun(Method::Pay),
        started(10_010, 1),
        ended(11_001, Outcome::Expired),
    ];
    assert_eq!(found(&records), [Violation::Wrong]);
    let lost = fault(FaultKind::KillServer, 10_500, 10_600);
    assert_eq!(found(&[&records[..], &[lost]].concat()), []);
    let before = fault(FaultKind::KillServer, 5_000, 5_100);
    assert_eq!(
        found(&[&records[..], &[before]].concat()),
        [Violation::Wrong]
    );
    let other = fault(FaultKind::PauseBroker, 10_500, 10_600);
    assert_eq!(
        found(&[&records[..], &[other]].concat()),
        [Violation::Wrong]
    );
}

#[test]
fn a_call_that_was_given_up_took_two_servers_with_it() {
    let given_up = |kind, faults| {
        let records = [
            begun(Method::Look),
            started(10_010, 1),
            ended(10_900, Outcome::Poisoned),
        ];
        let faults = [fault(kind, 10_100, 10_100), fault(kind, 10_200, 10_200)][..faults].to_vec();
        found(&[&records[..], &faults].concat())
    };
    assert_eq!(given_up(FaultKind::KillServer, 2), []);
    assert_eq!(given_up(FaultKind::KillServer, 1), [Violation::Wrong]);
    assert_eq!(given_up(FaultKind::CutServers, 1), []);
    assert_eq!(given_up(FaultKind::CutClients, 2), [Violation::Wrong]);
}

#[test]
fn no_call_ends_for_lack_of_time_before_its_deadline() {
    for outcome in [Outcome::TimedOut, Outcome::NotConnected, Outcome::Blocked] {
        assert_eq!(
            found(&[begun(Method::Pay), ended(10_999, outcome)]),
            [Violation::Early]
        );
        assert_eq!(found(&[begun(Method::Pay), ended(11_000, outcome)]), []);
    }
    assert_eq!(
        found(&[begun(Method::Pay), ended(10_500, Outcome::Lost)]),
        []
    );
}

mod runs;

#[test]
fn an_execution_of_no_call_is_a_stray() {
    assert_eq!(found(&[started(10_010, 1)]), [Violation::Stray]);
    assert_eq!(
        found(&[ended(10_010, Outcome::Answered)]),
        [Violation::Stray]
    );
}

#[test]
fn a_violation_tells_what_happened() {
    let records = [
        begun(Method::Pay),
        fault(FaultKind::Alarm, 10_500, 10_600),
        ended(12_900, Outcome::Answered),
    ];
    let proof = prove(&records);
    let story = &proof.violations[&Violation::Hang][0];
    for part in ["1.9s late", "call 1", "Pay", "memory alarm", "process 4"] {
        assert!(story.contains(part), "{part}: {story}");
    }
}
