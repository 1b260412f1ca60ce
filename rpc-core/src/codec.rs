//! Values to JSON bodies and back. No I/O.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde::{Serialize, forward_to_deserialize_any};
use serde_json::value::RawValue;

use crate::descriptor::ArgumentDescriptor;
use crate::error::{shorten, shorten_words};
use crate::fault::{Fault, kind};

/// The body of a call: a JSON object. `null`, which is also what `()` becomes, stands for no arguments.
pub(crate) fn encode_args<A: Serialize + ?Sized>(args: &A) -> Result<Vec<u8>, String> {
    let body = serde_json::to_vec(args).map_err(|error| error.to_string())?;
    match body.first() {
        Some(b'{') => Ok(body),
        _ if body == b"null" => Ok(b"{}".to_vec()),
        first => Err(format!(
            "the arguments must be a JSON object (or null for none), not {}",
            json_kind(first.copied())
        )),
    }
}

/// Reads the arguments of a call; what is wrong with them becomes the caller's error.
pub(crate) fn decode_args<A: DeserializeOwned>(body: &[u8]) -> Result<A, Fault> {
    check_object(body)?;
    serde_json::from_slice(body).map_err(|error| {
        if !error.is_data() {
            return malformed(&error);
        }
        let mut again = serde_json::Deserializer::from_slice(body);
        let words = match path_to_error::<A>(&mut again) {
            // An unknown argument is not in the path, and a missing one cannot be.
            None => words(&error),
            Some(path) => format!("`{}`: {}", shorten(&path), words(&error)),
        };
        Fault::new(kind::INVALID_ARGUMENTS, words)
    })
}

/// Finds the arguments of a method in the body of a call, without reading what they are.
pub(crate) fn split_args<'a>(
    body: &'a [u8],
    arguments: &[ArgumentDescriptor],
) -> Result<Vec<Option<&'a RawValue>>, Fault> {
    check_object(body)?;
    let mut json = serde_json::Deserializer::from_slice(body);
    let split = json.deserialize_map(Split(arguments));
    let split = split.and_then(|values| json.end().map(|()| values));
    split.map_err(|error| {
        if error.is_data() {
            Fault::new(kind::INVALID_ARGUMENTS, words(&error))
        } else {
            malformed(&error)
        }
    })
}

/// Reads one argument. One that is absent is `None` to an `Option`, and an error to other types.
pub(crate) fn decode_argument<T: DeserializeOwned>(
    name: &str,
    value: Option<&RawValue>,
) -> Result<T, Fault> {
    let fault = |kind, words: &str| Fault::new(kind, format!("the argument `{name}`{words}"));
    let Some(value) = value else {
        return T::deserialize(Absent).map_err(|_| fault(kind::INVALID_ARGUMENTS, " is missing"));
    };
    serde_json::from_str(value.get()).map_err(|error| {
        if !error.is_data() {
            return fault(kind::MALFORMED, &format!(": {}", words(&error)));
        }
        let mut again = serde_json::Deserializer::from_str(value.get());
        let words = match path_to_error::<T>(&mut again) {
            None => format!(": {}", words(&error)),
            Some(path) => format!(", at `{}`: {}", shorten(&path), words(&error)),
        };
        fault(kind::INVALID_ARGUMENTS, &words)
    })
}

fn check_object(body: &[u8]) -> Result<(), Fault> {
    let first = body
        .iter()
        .copied()
        .find(|byte| !byte.is_ascii_whitespace());
    // Structs also decode from JSON arrays; arguments have names, so an array is refused before.
    if first == Some(b'{') {
        return Ok(());
    }
    Err(match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => Fault::new(
            kind::INVALID_ARGUMENTS,
            format!(
                "the arguments must be a JSON object, not {}",
                json_kind(first)
            ),
        ),
        Err(error) => malformed(&error),
    })
}

/// Decodes once more, which is done only where it has failed, to learn at which place.
fn path_to_error<'de, T: DeserializeOwned>(
    json: &mut serde_json::Deserializer<impl serde_json::de::Read<'de>>,
) -> Option<String> {
    let error = serde_path_to_error::deserialize::<_, T>(json).err()?;
    let path = error.path().to_string();
    (!path.is_empty() && path != ".").then_some(path)
}

/// What is wrong, without the position, which is one in a text that the caller has not seen. serde quotes what it
/// did not expect, however long that is.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(text, _)| text);
    shorten_words(text).replace("there are no fields", "the method takes none")
}

/// Reads an object into the values of these arguments.
struct Split<'s>(&'s [ArgumentDescriptor]);

impl<'de> Visitor<'de> for Split<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of arguments")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut values = vec![None; self.0.len()];
        while let Some(index) = map.next_key_seed(IndexOf(self.0))? {
            if values[index].replace(map.next_value()?).is_some() {
                let name = self.0[index].name;
                return Err(M::Error::custom(format!(
                    "the argument `{name}` is there twice"
                )));
            }
        }
        Ok(values)
    }
}

/// Reads a name as the place of the argument of that name.
struct IndexOf<'s>(&'s [ArgumentDescriptor]);

impl<'de> DeserializeSeed<'de> for IndexOf<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<usize, D::Error> {
        name.deserialize_identifier(self)
    }
}

impl Visitor<'_> for IndexOf<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an argument")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        let place = self.0.iter().position(|argument| argument.name == name);
        place.ok_or_else(|| {
            let name = shorten(name);
            let names: Vec<_> = (self.0.iter())
                .map(|argument| format!("`{}`", argument.name))
                .collect();
            E::custom(match &*names {
                [] => format!("unknown argument `{name}`, the method takes none"),
                _ => format!(
                    "unknown argument `{name}`, the method takes {}",
                    names.join(", ")
                ),
            })
        })
    }
}

/// Stands for an argument that is not there.
struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("absent"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The body of a result: the bare JSON value.
pub(crate) fn encode_result<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value).map_err(|error| {
        Fault::new(
            kind::ENCODE_FAILED,
            format!("the handler ran, but JSON cannot hold its result: {error}"),
        )
    })
}

/// Reads the value of a result.
pub(crate) fn decode_result<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| shorten_words(&error.to_string()))
}

fn malformed(error: &serde_json::Error) -> Fault {
    Fault::new(
        kind::MALFORMED,
        format!("the body of the call is not JSON in UTF-8: {error}"),
    )
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
    use std::collections::BTreeMap;

    use proptest::collection::btree_map;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::any;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Args {
        a: u8,
    }

    #[test]
    fn arguments_are_an_object_or_nothing() {
        assert_eq!(encode_args(&json!({"a": 1})).unwrap(), br#"{"a":1}"#);
        assert_eq!(encode_args(&()).unwrap(), b"{}");
        assert!(encode_args(&[1]).unwrap_err().contains("an array"));
        assert!(encode_args(&1).unwrap_err().contains("a number"));
        assert!(encode_args("x").unwrap_err().contains("a string"));
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
            (b"", kind::MALFORMED, "not JSON"),
            (b"{\"a\":", kind::MALFORMED, "not JSON"),
            (b"{\"a\xff\":1}", kind::MALFORMED, "UTF-8"),
            (b"\xff\xfe{\0}\0", kind::MALFORMED, "UTF-8"),
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
            prop_assert_eq!(decode_result(&body), Ok(result));
        }
    }

    /// serde quotes what it did not expect.
    #[test]
    fn no_error_grows_with_what_a_peer_sent() {
        let long = "é".repeat(100_000);
        let wrong = json!(long).to_string();
        let value: &RawValue = serde_json::from_str(&wrong).unwrap();
        let within = json!({ (&*long): "x" }).to_string();
        let within: &RawValue = serde_json::from_str(&within).unwrap();
        let of_args = |args: Value| {
            let fault = decode_args::<Args>(args.to_string().as_bytes());
            fault.unwrap_err().message
        };
        for words in [
            of_args(json!({ (&*long): 1 })),
            of_args(json!({ "a": long })),
            decode_argument::<u8>("a", Some(value)).unwrap_err().message,
            decode_argument::<BTreeMap<String, u8>>("a", Some(within))
                .unwrap_err()
                .message,
            decode_result::<u8>(wrong.as_bytes()).unwrap_err(),
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
            decode_result::<Value>(body.as_bytes()).unwrap_err();
            Fault::parse(body.as_bytes()).unwrap_err();
        }
    }
}
