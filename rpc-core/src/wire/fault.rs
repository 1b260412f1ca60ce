//! The body of an error reply: `{"error": {"type", "message", "args", "data"?}}`.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::call::RemoteError;

/// An error on its way from a server to a caller.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: Cow<'static, str>,
    pub(crate) message: String,
    pub(crate) args: Vec<Value>,
    /// The error as a value; only Rust servers send it.
    pub(crate) data: Option<Value>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The body of a result.
    Value(Bytes),
    Fault(Fault),
}

/// The types of errors that this library itself answers with.
pub(crate) mod kind {
    /// The prefix of them all. No Rust type and no Python class has a name like it.
    pub(crate) const PREFIX: &str = "rpc.";
    /// The body of the call is not JSON.
    pub(crate) const MALFORMED: &str = "rpc.Malformed";
    /// The call is larger than the server takes.
    pub(crate) const CALL_TOO_LARGE: &str = "rpc.CallTooLarge";
    /// An argument is unknown, missing or of a wrong type.
    pub(crate) const INVALID_ARGUMENTS: &str = "rpc.InvalidArguments";
    /// The deadline had passed before the handler could start.
    pub(crate) const EXPIRED: &str = "rpc.Expired";
    /// The handler was stopped at the deadline.
    pub(crate) const DEADLINE_EXCEEDED: &str = "rpc.DeadlineExceeded";
    /// The call was delivered before, may have run, and its method is not idempotent.
    pub(crate) const INTERRUPTED: &str = "rpc.Interrupted";
    /// Servers were lost while they ran the call, as many as may be.
    pub(crate) const POISONED: &str = "rpc.Poisoned";
    /// The handler panicked.
    pub(crate) const PANICKED: &str = "rpc.Panicked";
    /// The handler ran, and its result cannot be encoded.
    pub(crate) const ENCODE_FAILED: &str = "rpc.EncodeFailed";
    /// The handler ran, and its reply is larger than a message may be.
    pub(crate) const TOO_LARGE: &str = "rpc.TooLarge";
}

impl Fault {
    /// An error of the library itself.
    pub(crate) fn new(kind: &'static str, message: String) -> Self {
        Self {
            kind: kind.into(),
            args: vec![message.clone().into()],
            message,
            data: None,
        }
    }

    /// The error that a service returned. Its value travels whole, so that a Rust caller gets it back;
    /// one that JSON cannot hold still arrives by its name and its words.
    pub(crate) fn service<E: Serialize + Display>(error: &E) -> Self {
        let message = error.to_string();
        Self {
            kind: short_type_name(type_name::<E>()).to_owned().into(),
            args: vec![message.clone().into()],
            message,
            data: serde_json::to_value(error).ok(),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut error = json!({
            "type": self.kind,
            "message": self.message,
            "args": self.args,
        });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        json!({ "error": error }).to_string().into_bytes()
    }

    /// Reads any JSON value as an error. aio-pika sends a plain string where a result could not be
    /// encoded; foreign peers may send anything.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let body: Value = serde_json::from_slice(body)?;
        let error = body.get("error").unwrap_or(&body);
        let text = |key| error.get(key).map(words);
        Ok(Self {
            kind: text("type").unwrap_or_default().into(),
            message: text("message").unwrap_or_else(|| words(error)),
            args: match error.get("args") {
                Some(Value::Array(args)) => args.clone(),
                _ => Vec::new(),
            },
            data: error.get("data").cloned(),
        })
    }

    pub(crate) fn into_remote(self, method: &str) -> RemoteError {
        RemoteError {
            method: method.into(),
            kind: self.kind.into_owned(),
            message: self.message,
            args: self.args,
            data: self.data,
        }
    }
}

/// A string as it is, anything else as JSON.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `&bank::Error<u8>` as `Error`, as Python names classes without their modules.
fn short_type_name(full: &str) -> &str {
    let path = full.split('<').next().unwrap_or(full);
    let name = path.rsplit("::").next().unwrap_or(path);
    name.trim_start_matches('&')
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::strategies as any;

    proptest! {
        #[test]
        fn a_fault_survives_the_wire(
            (kind, message) in any::<(String, String)>(),
            args in vec(any::json(), 0..3),
            data in option::of(any::json()),
        ) {
            let fault = Fault { kind: kind.into(), message, args, data };
            prop_assert_eq!(Fault::parse(&fault.encode()).unwrap(), fault);
        }

        #[test]
        fn any_json_is_an_error(body in any::json()) {
            Fault::parse(body.to_string().as_bytes()).unwrap();
        }
    }

    #[test]
    fn error_bodies_of_foreign_peers_are_read() {
        for (body, kind, message) in [
            (
                r#""TypeError('keys must be str')""#,
                "",
                "TypeError('keys must be str')",
            ),
            (
                r#"{"error": {"type": "X", "message": "m", "args": []}}"#,
                "X",
                "m",
            ),
            (r#"{"error": {"type": 7}}"#, "7", r#"{"type":7}"#),
            (r#"{"error": "plain"}"#, "", "plain"),
            (r#"{"error": null}"#, "", "null"),
            ("[1]", "", "[1]"),
        ] {
            let fault = Fault::parse(body.as_bytes()).unwrap();
            assert_eq!((&*fault.kind, &*fault.message), (kind, message), "{body}");
        }
        Fault::parse(b"{").unwrap_err();
    }

    #[test]
    fn a_service_error_is_named_by_its_type() {
        assert_eq!(Fault::service(&"boom".to_owned()).kind, "String");
        assert_eq!(
            short_type_name("bank::Error<alloc::string::String>"),
            "Error"
        );
        assert_eq!(short_type_name("&str"), "str");
    }
}
