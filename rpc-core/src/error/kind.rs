//! The kinds of this library's errors, as [`RpcError::kind`](crate::RpcError::kind) returns them.
//!
//! A program maps them to HTTP statuses or metric names. All of them start with [`PREFIX`]. No Rust
//! type and no Python class has such a name, so any other kind is that of a service's own error.
//!
//! | Kind | May the call have run? | What happened |
//! |---|---|---|
//! | [`rpc.Encode`](ENCODE) | no | The arguments cannot be encoded. |
//! | [`rpc.CallTooLarge`](CALL_TOO_LARGE) | no | The call is larger than this caller may send, or than its server takes. |
//! | [`rpc.NotConnected`](NOT_CONNECTED) | no | There was no connection. |
//! | [`rpc.Blocked`](BLOCKED) | no | The broker accepted no messages. |
//! | [`rpc.NoSuchMethod`](NO_SUCH_METHOD) | no | No server has registered the method. |
//! | [`rpc.Overloaded`](OVERLOADED) | see there | There are too many calls. |
//! | [`rpc.Expired`](EXPIRED) | yes | The deadline passed in the method's queue. |
//! | [`rpc.Rejected`](REJECTED) | yes | A server rejected the call. |
//! | [`rpc.Timeout`](TIMEOUT) | see there | No answer came in time. |
//! | [`rpc.ConnectionLost`](CONNECTION_LOST) | see there | The connection was lost before the answer came. |
//! | [`rpc.Interrupted`](INTERRUPTED) | yes | The server was lost, and the method is not idempotent. |
//! | [`rpc.Decode`](DECODE) | yes | The answer cannot be decoded. |
//! | [`rpc.Closed`](CLOSED) | yes | The `Rpc` was closed before the answer came. |
//! | [`rpc.Malformed`](MALFORMED) | no | A server could not read the body of the call. |
//! | [`rpc.InvalidArguments`](INVALID_ARGUMENTS) | no | An argument is unknown, missing or of a wrong type. |
//! | [`rpc.Poisoned`](POISONED) | yes | Servers were lost while they ran the call. |
//! | [`rpc.Panicked`](PANICKED) | yes | The handler panicked. |
//! | [`rpc.EncodeFailed`](ENCODE_FAILED) | yes | The handler's result cannot be encoded. |
//! | [`rpc.TooLarge`](REPLY_TOO_LARGE) | yes | The reply is larger than a message may be. |
//! | [`rpc.DeadlineExceeded`](DEADLINE_EXCEEDED) | yes | The handler was stopped at the deadline. |
//!
//! `rpc.DeadlineExceeded` is sent to callers in other languages. A caller that uses this library
//! gets [`TIMEOUT`] instead.
//!
//! ```
//! use rpc_core::{RpcError, kind};
//!
//! fn status(error: &RpcError) -> u16 {
//!     match error.kind() {
//!         kind::NO_SUCH_METHOD => 404,
//!         kind::INVALID_ARGUMENTS | kind::ENCODE => 400,
//!         kind::CALL_TOO_LARGE => 413,
//!         kind::NOT_CONNECTED | kind::BLOCKED | kind::OVERLOADED => 503,
//!         kind::TIMEOUT | kind::EXPIRED => 504,
//!         kind if kind.starts_with(kind::PREFIX) => 500,
//!         // The service's own.
//!         _ => 422,
//!     }
//! }
//!
//! assert_eq!(status(&RpcError::no_such_method("pay")), 404);
//! ```

use std::any::type_name;

/// The prefix of all of this library's kinds.
pub const PREFIX: &str = "rpc.";

/// The arguments cannot be encoded: [`RpcError::Encode`](crate::RpcError::Encode).
pub const ENCODE: &str = "rpc.Encode";
/// The call exceeds a limit of AMQP or of the caller
/// ([`RpcError::TooLarge`](crate::RpcError::TooLarge)), or is larger than its server accepts.
pub const CALL_TOO_LARGE: &str = "rpc.CallTooLarge";
/// There was no connection: [`RpcError::NotConnected`](crate::RpcError::NotConnected).
pub const NOT_CONNECTED: &str = "rpc.NotConnected";
/// The broker accepted no messages: [`RpcError::Blocked`](crate::RpcError::Blocked).
pub const BLOCKED: &str = "rpc.Blocked";
/// No server has registered the method: [`RpcError::NoSuchMethod`](crate::RpcError::NoSuchMethod).
pub const NO_SUCH_METHOD: &str = "rpc.NoSuchMethod";
/// There are too many calls: [`RpcError::Overloaded`](crate::RpcError::Overloaded).
pub const OVERLOADED: &str = "rpc.Overloaded";
/// The deadline passed before a server ran the call:
/// [`RpcError::Expired`](crate::RpcError::Expired).
pub const EXPIRED: &str = "rpc.Expired";
/// A server rejected the call: [`RpcError::Rejected`](crate::RpcError::Rejected).
pub const REJECTED: &str = "rpc.Rejected";
/// No answer came in time: [`RpcError::Timeout`](crate::RpcError::Timeout).
pub const TIMEOUT: &str = "rpc.Timeout";
/// The connection was lost: [`RpcError::ConnectionLost`](crate::RpcError::ConnectionLost).
pub const CONNECTION_LOST: &str = "rpc.ConnectionLost";
/// A lost server had taken the call, and its method is not idempotent:
/// [`RpcError::Interrupted`](crate::RpcError::Interrupted).
pub const INTERRUPTED: &str = "rpc.Interrupted";
/// The answer cannot be decoded: [`RpcError::Decode`](crate::RpcError::Decode).
pub const DECODE: &str = "rpc.Decode";
/// The `Rpc` was closed: [`RpcError::Closed`](crate::RpcError::Closed).
pub const CLOSED: &str = "rpc.Closed";

/// A server could not read the body of the call, which is not JSON, or JSON beyond this library.
pub const MALFORMED: &str = "rpc.Malformed";
/// An argument is unknown, missing or of a wrong type.
pub const INVALID_ARGUMENTS: &str = "rpc.InvalidArguments";
/// The handler was stopped at the deadline. Callers that use this library get
/// [`RpcError::Timeout`](crate::RpcError::Timeout).
pub const DEADLINE_EXCEEDED: &str = "rpc.DeadlineExceeded";
/// Servers were lost while they ran the call, and the limit of such losses is reached.
pub const POISONED: &str = "rpc.Poisoned";
/// The handler panicked.
pub const PANICKED: &str = "rpc.Panicked";
/// The handler ran, and its result cannot be encoded.
pub const ENCODE_FAILED: &str = "rpc.EncodeFailed";
/// The handler ran, and its reply is larger than a message may be.
pub const REPLY_TOO_LARGE: &str = "rpc.TooLarge";

/// The kind of a service's own error on the wire: `Error` for `&bank::Error<u8>`. It has no module,
/// like the class names that Python peers send.
pub(crate) fn of<E>() -> &'static str {
    short_type_name(type_name::<E>())
}

fn short_type_name(full: &str) -> &str {
    let path = full.split('<').next().unwrap_or(full);
    let name = path.rsplit("::").next().unwrap_or(path);
    name.trim_start_matches('&')
}

/// Whether an error of this kind from a server means that the handler was not started.
pub(crate) fn is_refusal(kind: &str) -> bool {
    matches!(kind, MALFORMED | CALL_TOO_LARGE | INVALID_ARGUMENTS)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::error::remote::RemoteError;
    use crate::error::rpc_error::RpcError;
    use crate::error::rpc_error::tests::samples;

    const SOURCE: &str = include_str!("kind.rs");
    const GUIDE: &str = include_str!("../../docs/guide/guarantees.md");

    /// The kinds that only a server sends.
    const ANSWERED: [&str; 7] = [
        MALFORMED,
        INVALID_ARGUMENTS,
        DEADLINE_EXCEEDED,
        POISONED,
        PANICKED,
        ENCODE_FAILED,
        REPLY_TOO_LARGE,
    ];

    /// The public constants as `kind::NAME`, with their values, but for the prefix.
    fn named() -> BTreeMap<String, &'static str> {
        let lines = SOURCE
            .lines()
            .filter_map(|line| line.strip_prefix("pub const "));
        let constants = lines.map(|line| {
            let (name, rest) = line.split_once(':').unwrap();
            (format!("kind::{name}"), rest.split('"').nth(1).unwrap())
        });
        constants.filter(|(_, value)| *value != PREFIX).collect()
    }

    /// The values of the public constants, without the prefix.
    fn constants() -> BTreeSet<&'static str> {
        named().into_values().collect()
    }

    /// The rows of the table: the kind, and whether the call may have run.
    fn rows() -> Vec<(&'static str, &'static str)> {
        let rows = SOURCE.lines();
        let rows = rows.filter_map(|line| line.strip_prefix("//! | [`"));
        rows.map(|row| {
            let (kind, rest) = row.split_once('`').unwrap();
            (kind, rest.split(" | ").nth(1).unwrap())
        })
        .collect()
    }

    #[test]
    fn the_table_lists_every_kind_once() {
        let rows = rows();
        let listed: BTreeSet<_> = rows.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(rows.len(), listed.len());
        assert_eq!(listed, constants());
        assert!(listed.iter().all(|kind| kind.starts_with(PREFIX)));
    }

    #[test]
    fn every_error_has_a_kind_and_runs_as_the_table_says() {
        let samples = samples();
        let own: BTreeSet<_> = samples.iter().map(RpcError::kind).collect();
        let answered = BTreeSet::from(ANSWERED);
        assert_eq!(&own | &answered, constants());
        assert!(own.is_disjoint(&answered));
        let answers = ANSWERED.map(|kind| RemoteError::new("pay", kind, "no").into());
        let errors: Vec<RpcError> = samples.into_iter().chain(answers).collect();
        for (kind, may_have_run) in rows() {
            let errors = errors.iter().filter(|error| error.kind() == kind);
            let found: BTreeSet<_> = errors.map(RpcError::may_have_run).collect();
            let expected = match may_have_run {
                "yes" => BTreeSet::from([true]),
                "no" => BTreeSet::from([false]),
                words => {
                    assert_eq!(words, "see there");
                    BTreeSet::from([false, true])
                }
            };
            assert_eq!(found, expected, "{kind}");
        }
    }

    /// The cells of the guide's table that has this heading, without signs for code and notes.
    fn guide_rows(heading: &str) -> Vec<Vec<&'static str>> {
        let table = GUIDE.lines().skip_while(|line| !line.starts_with(heading));
        let rows = table.skip(2).take_while(|line| line.starts_with('|'));
        let rows = rows.map(|row| {
            let cells = row.trim_matches('|').split('|');
            let plain =
                |cell: &'static str| cell.trim_matches(|sign| " `\u{b9}\u{b2}".contains(sign));
            cells.map(plain).collect()
        });
        rows.collect()
    }

    /// Whether an error is what a row of the guide names, such as `ConnectionLost { sent: true }`.
    fn is_named(error: &RpcError, row: &str) -> bool {
        let debug = format!("{error:?}");
        let (variant, field) = row.split_once(" { ").unwrap_or((row, ""));
        let is_variant = debug.split([' ', '(']).next() == Some(variant);
        is_variant && debug.contains(field.trim_end_matches(" }"))
    }

    fn yes(answer: bool) -> &'static str {
        if answer { "yes" } else { "no" }
    }

    #[test]
    fn the_guide_says_of_each_error_what_the_code_says() {
        let rows = guide_rows("| [`RpcError`]");
        let mut met = BTreeSet::new();
        for error in samples() {
            let row = rows.iter().find(|row| is_named(&error, row[0]));
            let [name, kind, may_have_run, is_retryable, _] = row.unwrap()[..] else {
                panic!("five cells: {row:?}");
            };
            assert_eq!(is_retryable, yes(error.is_retryable()), "{name}");
            // What a server has answered is in the table of kinds.
            if name != "Remote" {
                assert_eq!(named()[kind], error.kind(), "{name}");
                assert_eq!(may_have_run, yes(error.may_have_run()), "{name}");
            }
            met.insert(name);
        }
        let all: BTreeSet<_> = rows.iter().map(|row| row[0]).collect();
        assert_eq!(met, all);
        assert_eq!(rows.len(), all.len());
    }

    #[test]
    fn the_guide_says_of_each_answered_kind_what_the_code_says() {
        let rows = guide_rows("| Constant | Kind |");
        for row in &rows {
            let [constant, kind, _, end, may_have_run] = row[..] else {
                panic!("five cells: {row:?}");
            };
            assert_eq!(named()[constant], kind);
            let remote = RemoteError::new("pay", kind, "no").into();
            let samples = samples();
            // Of the samples of a variant, the last is one that a server may have run.
            let variant = end.split(['`', ';']).next().unwrap();
            let own = samples.iter().rfind(|error| is_named(error, variant));
            let error = if end == "Remote" {
                &remote
            } else {
                own.unwrap()
            };
            assert_eq!(may_have_run, yes(error.may_have_run()), "{kind}");
            assert!(!error.is_retryable(), "{kind}");
        }
        let listed: BTreeSet<_> = rows.iter().map(|row| row[1]).collect();
        let also_of_callers = BTreeSet::from([CALL_TOO_LARGE, EXPIRED, INTERRUPTED]);
        assert_eq!(listed, &BTreeSet::from(ANSWERED) | &also_of_callers);
    }

    #[test]
    fn a_service_error_is_named_by_its_type() {
        assert_eq!(of::<String>(), "String");
        assert_eq!(
            short_type_name("bank::Error<alloc::string::String>"),
            "Error"
        );
        assert_eq!(short_type_name("&str"), "str");
    }
}
