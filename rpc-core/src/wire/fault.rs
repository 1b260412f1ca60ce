//! The body of an error reply: `{"error": {"type", "message", "args", "data"?}}`.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use serde::Serialize;
use serde::de::{self, IgnoredAny};

use crate::error::raw_json::RawJson;
use crate::error::reason::Reason;
use crate::error::remote::RemoteError;
use crate::wire::content::Content;
use crate::wire::json_fields::JsonFields;
use crate::wire::malformed::Malformed;

pub(crate) use crate::error::kind;

/// An error that a server sends to a caller. Nothing of it is decoded before its type is known: not
/// the error as a value, and not the arguments of a foreign exception.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: Cow<'static, str>,
    pub(crate) message: String,
    /// An array.
    pub(crate) args: RawJson,
    /// The error as a value. Only Rust servers send it.
    pub(crate) data: Option<RawJson>,
}

/// A server's answer to a call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The body of a result.
    Value(Bytes, Content),
    Fault(Fault),
}

impl Answer {
    /// Whether the handler may have been started, judging by this answer alone.
    pub(crate) fn may_have_run(&self) -> bool {
        match self {
            Self::Value(..) => true,
            Self::Fault(fault) => !kind::is_refusal(&fault.kind),
        }
    }
}

impl Fault {
    /// An error of the library itself.
    pub(crate) fn new(kind: &'static str, message: String) -> Self {
        Self {
            kind: kind.into(),
            args: RawJson::list_of(&message),
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
            args: RawJson::list_of(&message),
            message,
            data: RawJson::encode(error).ok(),
        }
    }

    /// If the body of the call could not be read, the same fault with what the properties of the
    /// call say of it.
    pub(crate) fn explained_by(self, content: &Content) -> Self {
        if self.kind == kind::MALFORMED {
            Self::new(kind::MALFORMED, content.explain(self.message))
        } else {
            self
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // JSON can hold any text.
        let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let args = self.args.get();
        let data = self.data.as_ref();
        let data = data.map(|data| [r#","data":"#, data.get()].concat());
        let parts = [
            r#"{"error":{"args":"#,
            args,
            data.as_deref().unwrap_or_default(),
            r#","message":"#,
            &text(&self.message),
            r#","type":"#,
            &text(&self.kind),
            "}}",
        ];
        parts.concat().into_bytes()
    }

    /// Reads any JSON value as an error. aio-pika sends a plain string if it could not encode a
    /// result, and other peers may send anything.
    pub(crate) fn parse(body: &[u8], content: &Content) -> Result<Self, Reason> {
        let text = text_of_json(body)
            .map_err(|error| Malformed::new(body, Some(&error)).reason(content, error))?;
        let body = text.trim_ascii();
        let [error] = fields(body, ["error"]);
        let error = error.unwrap_or(body);
        let [kind, message, args, data] = fields(error, ["type", "message", "args", "data"]);
        Ok(Self {
            kind: kind.map(text_of).unwrap_or_default().into(),
            message: text_of(message.unwrap_or(error)),
            args: RawJson::of(args.filter(|args| args.starts_with('[')).unwrap_or("[]")),
            data: data.map(RawJson::of),
        })
    }

    pub(crate) fn into_remote(self, method: &str) -> RemoteError {
        RemoteError {
            method: method.into(),
            kind: self.kind.into(),
            message: self.message,
            args: self.args,
            data: self.data,
            mismatch: None,
        }
    }
}

/// The text of a body that is JSON.
fn text_of_json(body: &[u8]) -> serde_json::Result<&str> {
    let text = str::from_utf8(body).map_err(de::Error::custom)?;
    let IgnoredAny = serde_json::from_str(text)?;
    Ok(text)
}

/// The values of the fields with these names, of what is known to be JSON. Of several with one name
/// the last counts.
fn fields<'a, const N: usize>(json: &'a str, names: [&str; N]) -> [Option<&'a str>; N] {
    let mut values = [None; N];
    let mut fields = JsonFields::of(json.as_bytes());
    while let Some(Ok(Some((name, value)))) = fields.as_mut().map(JsonFields::next) {
        if let Some(place) = names.iter().position(|known| known.as_bytes() == &*name) {
            values[place] = str::from_utf8(value).ok();
        }
    }
    values
}

/// A string without quotes, anything else as its JSON; so is a string that is no text, such as half
/// of a surrogate pair.
fn text_of(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::wire::strategies as any;

    fn parse(body: &str) -> Fault {
        Fault::parse(body.as_bytes(), &Content::default()).unwrap()
    }

    fn raw(json: &Value) -> RawJson {
        RawJson::encode(json).unwrap()
    }

    proptest! {
        #[test]
        fn a_fault_survives_the_wire(
            (kind, message) in any::<(String, String)>(),
            args in vec(any::json(), 0..3),
            data in option::of(any::json()),
        ) {
            let (args, data) = (raw(&args.into()), data.as_ref().map(raw));
            let fault = Fault { kind: kind.into(), message, args, data };
            let body = String::from_utf8(fault.encode()).unwrap();
            prop_assert_eq!(parse(&body), fault);
        }

        #[test]
        fn any_json_is_an_error(body in any::json()) {
            parse(&body.to_string());
            parse(&format!("{body:#}"));
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
            (r#"{"error": {"type": 7}}"#, "7", r#"{"type": 7}"#),
            (
                r#"{"type": "X", "type": "Y"}"#,
                "Y",
                r#"{"type": "X", "type": "Y"}"#,
            ),
            (r#" {"error": "plain"} "#, "", "plain"),
            (r#"{"error": null}"#, "", "null"),
            (r#"{"error": {"message": "\ud800"}}"#, "", r#""\ud800""#),
            (" [1] ", "", "[1]"),
        ] {
            let fault = parse(body);
            assert_eq!((&*fault.kind, &*fault.message), (kind, message), "{body}");
        }
    }

    #[test]
    fn an_error_that_cannot_be_read_is_named() {
        for (body, words) in [
            (&b"{"[..], "EOF while parsing an object at line 1 column 1"),
            (b"\x1f\x8b\x08", "it looks like gzip"),
            (b"\"\xff\"", "it is not UTF-8 from byte 1 on"),
        ] {
            let reason = Fault::parse(body, &Content::default()).unwrap_err();
            assert_eq!(reason.words, words);
        }
    }

    /// What aio-pika's users see of an error.
    #[test]
    fn an_error_is_these_bytes() {
        #[derive(Serialize, thiserror::Error, Debug)]
        #[error("{needed} \"needed\"")]
        struct Insufficient {
            needed: u128,
        }

        let fault = Fault::service(&Insufficient { needed: u128::MAX });
        let max = u128::MAX;
        let expected = format!(
            r#"{{"error":{{"args":["{max} \"needed\""],"data":{{"needed":{max}}},"message":"{max} \"needed\"","type":"Insufficient"}}}}"#
        );
        assert_eq!(String::from_utf8(fault.encode()).unwrap(), expected);
        let fault = Fault::new(kind::EXPIRED, "late".to_owned());
        let expected = r#"{"error":{"args":["late"],"message":"late","type":"rpc.Expired"}}"#;
        assert_eq!(String::from_utf8(fault.encode()).unwrap(), expected);
    }

    /// JSON that stays as it came takes no more memory than its text, however small its values.
    #[test]
    fn an_error_of_sixteen_mebibytes_is_printed_short() {
        let many = format!("[{}0]", "0,".repeat(8 << 20));
        for body in [
            format!(
                r#"{{"error": {{"type": "X", "message": "m", "args": {many}, "data": {many}}}}}"#
            ),
            format!(r#"{{"error": {{"type": {many}, "message": {many}}}}}"#),
            many.clone(),
        ] {
            let error = parse(&body).into_remote("add");
            let (display, debug) = (error.to_string(), format!("{error:?}"));
            assert!(
                display.len() < 600 && debug.len() < 2000,
                "{display} {debug}"
            );
        }
    }

    #[test]
    fn a_service_error_is_named_by_its_type() {
        assert_eq!(Fault::service(&"boom".to_owned()).kind, "String");
    }
}
