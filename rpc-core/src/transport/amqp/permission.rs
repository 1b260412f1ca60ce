//! Which permission a user lacks when the broker refuses an operation. Older brokers name only the
//! queue or the exchange, not the permission.

use super::failure::{cause, words};
use crate::error::reason::Reason;

/// The permissions that an operation needs on a queue and on an exchange.
#[derive(Clone, Copy)]
pub(super) struct Needs {
    queue: &'static str,
    exchange: &'static str,
}

const fn needs(queue: &'static str, exchange: &'static str) -> Needs {
    Needs { queue, exchange }
}

/// A queue with a dead-letter exchange also needs `read` on the queue, and `write` on the
/// exchange.
pub(super) const DECLARE_METHOD: Needs = needs("configure` or `read", "write");
pub(super) const DECLARE: Needs = needs("configure", "configure");
pub(super) const BIND: Needs = needs("write", "read");
pub(super) const CONSUME: Needs = needs("read", "read");
pub(super) const PUBLISH: Needs = needs("write", "write");

/// Why the broker refused an operation.
pub(super) fn refused(error: &lapin::Error, needs: Needs) -> Reason {
    Reason::new(explain(words(error), needs), cause(error))
}

/// The broker's text. If a permission is missing, the text names it.
fn explain(text: String, needs: Needs) -> String {
    let Some(refusal) = text.strip_prefix("ACCESS_REFUSED - ") else {
        return text;
    };
    let Some((named, object)) = refusal.split_once("access to ") else {
        return text;
    };
    let permission = match (named.trim(), object.starts_with("exchange")) {
        ("", true) => needs.exchange,
        ("", false) => needs.queue,
        (named, _) => named,
    };
    format!(
        "{text} (the permission `{permission}` is missing; see the page `permissions` in the documentation of \
         rpc-core)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_missing(words: &str, needs: Needs, permission: &str) {
        let text = explain(words.to_owned(), needs);
        assert!(
            text.starts_with(words) && text.contains(&format!("`{permission}` is missing")),
            "{text}"
        );
    }

    #[test]
    fn the_permission_is_the_broker_s_word_or_that_of_the_operation() {
        let old = "ACCESS_REFUSED - access to queue 'pay' in vhost '/' refused for user 'x'";
        assert_missing(old, CONSUME, "read");
        assert_missing(old, DECLARE_METHOD, "configure` or `read");
        let exchange =
            "ACCESS_REFUSED - access to exchange 'rpc.dlx' in vhost '/' refused for user 'x'";
        assert_missing(exchange, DECLARE_METHOD, "write");
        let new = "ACCESS_REFUSED - read access to queue 'pay' in vhost '/' refused for user 'x'";
        assert_missing(new, DECLARE_METHOD, "read");
        for other in [
            "NOT_FOUND - no queue",
            "ACCESS_REFUSED - queue 'pay' in exclusive use",
        ] {
            assert_eq!(explain(other.to_owned(), BIND), other);
        }
    }
}
