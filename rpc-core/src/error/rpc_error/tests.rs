use std::error::Error;
use std::io;

use super::*;

/// One error of each variant, and one for each answer that the variant gives to whether the call
/// may have run.
pub(crate) fn samples() -> Vec<RpcError> {
    let second = Duration::from_secs(1);
    vec![
        RpcError::encode("pay", "the key must be a string"),
        RpcError::too_large("pay", "body", 9, 8),
        RpcError::not_connected("pay", second, "refused"),
        RpcError::blocked("pay", "low on memory"),
        RpcError::no_such_method("pay"),
        RpcError::overloaded("pay", false, "all are in flight"),
        RpcError::overloaded("pay", true, "its queue is full"),
        RpcError::expired("pay", second, Some(1), Some(2)),
        RpcError::rejected("pay"),
        RpcError::timeout("pay", second, Progress::NotSent),
        RpcError::timeout("pay", second, Progress::Unknown),
        RpcError::connection_lost("pay", false, "reset"),
        RpcError::connection_lost("pay", true, "reset"),
        RpcError::interrupted("pay"),
        RemoteError::new("pay", kind::CALL_TOO_LARGE, "it is 9 bytes").into(),
        RpcError::decode("pay", "u8", "it is a string"),
        RpcError::closed("pay"),
    ]
}

#[test]
fn a_lost_connection_says_whether_the_call_may_have_run() {
    let lost = |sent| RpcError::connection_lost("pay", sent, "reset");
    assert!(lost(true).to_string().contains("may have run"));
    assert!(lost(false).to_string().contains("was not sent"));
}

#[test]
fn what_is_retryable_has_not_run() {
    let retryable: Vec<_> = samples()
        .into_iter()
        .filter(RpcError::is_retryable)
        .collect();
    assert!(!retryable.iter().any(RpcError::may_have_run));
    let kinds: Vec<_> = retryable.iter().map(RpcError::kind).collect();
    assert_eq!(
        kinds,
        [
            kind::NOT_CONNECTED,
            kind::BLOCKED,
            kind::NO_SUCH_METHOD,
            kind::OVERLOADED,
            kind::TIMEOUT,
            kind::CONNECTION_LOST,
        ]
    );
}

#[test]
fn every_progress_but_not_sent_may_have_run() {
    for progress in [
        Progress::Queued {
            calls: 1,
            servers: 1,
        },
        Progress::Taken { servers: 1 },
        Progress::Stopped,
        Progress::NoQueue,
        Progress::Unknown,
    ] {
        let error = RpcError::timeout("pay", Duration::ZERO, progress);
        assert!(error.may_have_run() && !error.is_retryable(), "{error}");
    }
}

#[test]
fn a_timeout_is_one_of_waiting_for_a_server() {
    let samples = samples();
    let timeouts = samples.iter().filter(|error| error.is_timeout());
    let kinds: Vec<_> = timeouts.map(RpcError::kind).collect();
    assert_eq!(kinds, [kind::EXPIRED, kind::TIMEOUT, kind::TIMEOUT]);
}

#[test]
fn every_error_names_its_method() {
    for error in samples() {
        assert_eq!(error.method(), "pay", "{error:?}");
        assert!(error.to_string().contains("`pay`"), "{error}");
    }
}

#[test]
fn the_cause_is_the_source_and_of_its_own_type() {
    let reset = || Some(Cause::new(io::Error::from(io::ErrorKind::ConnectionReset)));
    let mut with_source = Vec::new();
    for error in samples() {
        let caused = error.clone().caused_by(reset());
        assert_eq!(caused, error.clone().caused_by(reset()));
        let source = caused.source().and_then(|source| source.downcast_ref());
        match source.map(io::Error::kind) {
            Some(kind) => {
                assert_eq!(kind, io::ErrorKind::ConnectionReset);
                assert_ne!(caused, error);
                with_source.push(error.kind().to_owned());
            }
            None => assert_eq!(caused, error),
        }
    }
    with_source.dedup();
    assert_eq!(
        with_source,
        [
            kind::ENCODE,
            kind::NOT_CONNECTED,
            kind::CONNECTION_LOST,
            kind::DECODE
        ]
    );
}

/// Above this size, clippy's `result_large_err` fires on every user's function that returns an
/// `RpcError`.
#[test]
fn an_error_is_small() {
    assert!(size_of::<RpcError>() <= 128, "{}", size_of::<RpcError>());
}
