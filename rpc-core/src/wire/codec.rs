//! Encodes values as JSON bodies, and decodes them. No I/O.

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::cause::Cause;
use crate::error::reason::Reason;
use crate::error::shorten::{shorten, shorten_words};
use crate::wire::content::Content;
use crate::wire::fault::{Fault, kind};
use crate::wire::json_fields::JsonFields;
use crate::wire::malformed::Malformed;

/// Encodes the body of a call: a JSON object. `null`, which `()` also becomes, means no arguments.
pub(crate) fn encode_args<A: Serialize + ?Sized>(args: &A) -> Result<Vec<u8>, Reason> {
    let body = serde_json::to_vec(args)
        .map_err(|error| Reason::new(error.to_string(), Cause::new(error)))?;
    match body.first() {
        Some(b'{') => Ok(body),
        _ if body == b"null" => Ok(b"{}".to_vec()),
        first => Err(format!(
            "the arguments must be a JSON object (or null for none), not {}",
            json_kind(first.copied())
        )
        .into()),
    }
}

/// Decodes the arguments of a call. What is wrong with them becomes the caller's error.
pub(crate) fn decode_args<A: DeserializeOwned>(body: &[u8]) -> Result<A, Fault> {
    let mut fields = fields_of(body)?;
    serde_json::from_slice(body).or_else(|error| {
        if !error.is_data() {
            return Err(malformed(CALL, body, Some(&error)));
        }
        // `()` and unit structs decode from `null` only, as which no arguments do not travel.
        if fields.next() == Ok(None)
            && let Ok(nothing) = serde_json::from_str("null")
        {
            return Ok(nothing);
        }
        let mut again = serde_json::Deserializer::from_slice(body);
        let words = match path_to_error::<A>(&mut again) {
            // The path does not contain an unknown argument, and cannot contain a missing one.
            None if words(&error).starts_with("invalid type: map, expected unit") => {
                "the method takes no arguments".to_owned()
            }
            None => words(&error),
            Some(path) => format!("`{}`: {}", shorten(&path), words(&error)),
        };
        Err(Fault::new(kind::INVALID_ARGUMENTS, words))
    })
}

/// The arguments in the body of a call.
pub(crate) fn fields_of(body: &[u8]) -> Result<JsonFields<'_>, Fault> {
    // Structs also decode from JSON arrays. Arguments have names, so an array is refused here.
    JsonFields::of(body).ok_or_else(|| match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(IgnoredAny) => {
            let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
            Fault::new(
                kind::INVALID_ARGUMENTS,
                format!(
                    "the arguments must be a JSON object, not {}",
                    json_kind(first.copied())
                ),
            )
        }
        Err(error) => malformed(CALL, body, Some(&error)),
    })
}

/// What the body of a call is called.
pub(crate) const CALL: &str = "the body of the call";

/// The fault of a call whose body, or an argument in it, cannot be read. An error of serde_json
/// says why, if there is one.
pub(crate) fn malformed(what: &str, json: &[u8], error: Option<&serde_json::Error>) -> Fault {
    Fault::new(kind::MALFORMED, Malformed::new(json, error).of(what))
}

/// Decodes again what could not be decoded, to find the path to the mistake.
pub(crate) fn path_to_error<'de, T: DeserializeOwned>(
    json: &mut serde_json::Deserializer<impl serde_json::de::Read<'de>>,
) -> Option<String> {
    let error = serde_path_to_error::deserialize::<_, T>(json).err()?;
    let path = error.path().to_string();
    (!path.is_empty() && path != ".").then_some(path)
}

/// The text of an error without its position, which refers to JSON that the caller has not seen.
/// Shortened, because serde quotes what it did not expect, however long that is.
pub(crate) fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(text, _)| text);
    shorten_words(text).replace("there are no fields", "the method takes none")
}

/// Encodes the body of a result: the bare JSON value.
pub(crate) fn encode_result<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| {
        Fault::new(
            kind::ENCODE_FAILED,
            format!("the handler ran, but JSON cannot hold its result: {error}"),
        )
    })
}

/// Decodes the value of a result, or that of an error.
pub(crate) fn decode_result<T: DeserializeOwned>(
    json: &[u8],
    content: &Content,
) -> Result<T, Reason> {
    serde_json::from_slice(json).map_err(|error| {
        // An error about a value quotes all of it, however long that is.
        if error.is_data() {
            return shorten_words(&error.to_string()).into();
        }
        Malformed::new(json, Some(&error)).reason(content, error)
    })
}

fn json_kind(first: Option<u8>) -> &'static str {
    match first {
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(_) => "a number",
        None => "nothing",
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::strategies as any;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Args {
        a: u8,
    }

    fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, Reason> {
        decode_result(json, &Content::default())
    }

    #[test]
    fn arguments_are_an_object_or_nothing() {
        assert_eq!(encode_args(&json!({"a": 1})).unwrap(), br#"{"a":1}"#);
        assert_eq!(encode_args(&()).unwrap(), b"{}");
        assert!(encode_args(&[1]).unwrap_err().words.contains("an array"));
        assert!(encode_args(&1).unwrap_err().words.contains("a number"));
        assert!(encode_args("x").unwrap_err().words.contains("a string"));
    }

    #[test]
    fn what_is_wrong_with_arguments_is_named() {
        let fault = |body: &[u8]| decode_args::<Args>(body).unwrap_err();
        for (body, kind, words) in [
            (
                &br#"{"a":1,"b":2}"#[..],
                kind::INVALID_ARGUMENTS,
                "unknown field `b`",
            ),
            (b"{}", kind::INVALID_ARGUMENTS, "missing field `a`"),
            (
                br#"{"a":"x"}"#,
                kind::INVALID_ARGUMENTS,
                "`a`: invalid type: string \"x\", expected u8",
            ),
            (b"[1]", kind::INVALID_ARGUMENTS, "not an array"),
            (b"null", kind::INVALID_ARGUMENTS, "not null"),
            (b"", kind::MALFORMED, "not JSON in UTF-8: it is empty"),
            (b"{\"a\":", kind::MALFORMED, "not JSON in UTF-8: EOF"),
            (b"{\"a\xff\":1}", kind::MALFORMED, "it is not UTF-8"),
            (b"\xff\xfe{\0}\0", kind::MALFORMED, "it looks like UTF-16"),
            (b"\x1f\x8b\x08", kind::MALFORMED, "it looks like gzip"),
            (
                br#"{"a":1e400}"#,
                kind::MALFORMED,
                "the call is JSON that cannot be read: a number out of range",
            ),
        ] {
            let fault = fault(body);
            assert_eq!(fault.kind, kind, "{body:?}: {fault:?}");
            assert!(fault.message.contains(words), "{body:?}: {fault:?}");
        }
    }

    proptest! {
        #[test]
        fn any_arguments_survive(arguments in btree_map(any::short(), any::json(), 0..5)) {
            let body = encode_args(&arguments).unwrap();
            prop_assert_eq!(decode_args(&body), Ok(arguments));
        }

        #[test]
        fn any_result_survives(result in any::json()) {
            let body = encode_result(&result).unwrap();
            prop_assert_eq!(decode(&body), Ok(result));
        }
    }

    /// serde quotes what it did not expect, so its texts are shortened.
    #[test]
    fn no_error_grows_with_what_a_peer_sent() {
        let long = "é".repeat(100_000);
        let wrong = json!(long).to_string();
        let of_args = |args: Value| {
            let fault = decode_args::<Args>(args.to_string().as_bytes());
            fault.unwrap_err().message
        };
        for words in [
            of_args(json!({ (&*long): 1 })),
            of_args(json!({ "a": long })),
            decode::<u8>(wrong.as_bytes()).unwrap_err().words,
        ] {
            assert!(words.contains("..."), "{words}");
            assert!(words.len() < 1500, "{words}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_stack_overflow() {
        let deep = |open: &str| format!("{{\"a\":{}", open.repeat(100_000));
        for body in [deep("["), deep("{\"a\":"), "[".repeat(100_000)] {
            assert_eq!(
                decode_args::<Value>(body.as_bytes()).unwrap_err().kind,
                kind::MALFORMED
            );
            decode_args::<Args>(body.as_bytes()).unwrap_err();
            decode::<Value>(body.as_bytes()).unwrap_err();
            Fault::parse(body.as_bytes(), &Content::default()).unwrap_err();
        }
    }

    /// An error about a value quotes it.
    #[test]
    fn a_cause_holds_nothing_of_a_message() {
        let reason = |body: &str| decode::<u8>(body.as_bytes()).unwrap_err();
        let two = reason("1 2");
        assert_eq!(two.source.map(|cause| cause.to_string()), Some(two.words));
        let text = format!("\"{}\"", "hunter2 ".repeat(1000));
        let other_type = reason(&text);
        assert!(other_type.words.contains("expected u8") && other_type.words.len() < 500);
        assert_eq!(other_type.source, None);
    }
}
