//! The body of an error reply: `{"error": {"type", "message", "args", "data"?}}`.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::remote::RemoteError;

pub(crate) use crate::error::kind;

/// An error that a server sends to a caller.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: Cow<'static, str>,
    pub(crate) message: String,
    pub(crate) args: Vec<Value>,
    /// The error as a JSON value. Only Rust servers send it.
    pub(crate) data: Option<Value>,
}

/// A server's answer to a call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The body of a result.
    Value(Bytes),
    Fault(Fault),
}

impl Answer {
    /// Whether the handler may have been started, judging by this answer alone.
    pub(crate) fn may_have_run(&self) -> bool {
        match self {
            Self::Value(_) => true,
            Self::Fault(fault) => !kind::is_refusal(&fault.kind),
        }
    }
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

    /// The error that a service returned. The whole value travels, so that a Rust caller gets it
    /// back. If JSON cannot represent the value, the error still arrives with its type name and its
    /// message.
    pub(crate) fn service<E: Serialize + Display>(error: &E) -> Self {
        let message = error.to_string();
        Self {
            kind: kind::of::<E>().into(),
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

    /// Reads any JSON value as an error. aio-pika sends a plain string if it could not encode a
    /// result, and other peers may send anything.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let body: Value = serde_json::from_slice(body)?;
        let error = body.get("error").unwrap_or(&body);
        let text = |key| error.get(key).map(text_of);
        Ok(Self {
            kind: text("type").unwrap_or_default().into(),
            message: text("message").unwrap_or_else(|| text_of(error)),
            args: match error.get("args") {
                Some(Value::Array(args)) => args.clone(),
                _ => Vec::new(),
            },
            data: error.get("data").cloned(),
        })
    }

    pub(crate) fn into_remote(self, method: &str) -> RemoteError {
        let mut error = RemoteError::new(method, self.kind, self.message).with_args(self.args);
        error.data = self.data;
        error
    }
}

/// A string without quotes, anything else as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
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
    }
}
