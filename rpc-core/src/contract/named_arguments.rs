//! The arguments of a call, found by name in the body and decoded one by one.

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use crate::contract::descriptor::ArgumentDescriptor;
use crate::error::shorten::shorten;
use crate::wire::codec::{CALL, fields_of, malformed, path_to_error, words};
use crate::wire::fault::{Fault, kind};
use crate::wire::json_fields::NoJson;

/// Finds the arguments of a method in the body of a call, without decoding their values.
pub(crate) fn split_args<'a>(
    body: &'a [u8],
    arguments: &[ArgumentDescriptor],
) -> Result<Vec<Option<&'a [u8]>>, Fault> {
    let mut fields = fields_of(body)?;
    let mut values = vec![None; arguments.len()];
    while let Some((name, value)) = fields
        .next()
        .map_err(|NoJson| malformed(CALL, body, None))?
    {
        let is_named = |argument: &ArgumentDescriptor| argument.name.as_bytes() == &*name;
        let Some(place) = arguments.iter().position(is_named) else {
            return Err(match str::from_utf8(&name) {
                Ok(name) => {
                    let known: Vec<_> = arguments.iter().map(|known| known.name).collect();
                    unknown(name, &known)
                }
                Err(_) => malformed(CALL, body, None),
            });
        };
        if values[place].replace(value).is_some() {
            let name = arguments[place].name;
            return Err(invalid(format!("the argument `{name}` is given twice")));
        }
    }
    Ok(values)
}

/// Refuses an argument that is neither one of these nor in one that is flattened.
pub(crate) fn check_names(
    body: &[u8],
    arguments: &[ArgumentDescriptor],
    flattened: &[&str],
) -> Result<(), Fault> {
    let plain = arguments.iter().filter(|argument| !argument.flattened);
    let known: Vec<_> = (plain.map(|argument| argument.name))
        .chain(flattened.iter().copied())
        .collect();
    let mut fields = fields_of(body)?;
    while let Some((name, _)) = fields
        .next()
        .map_err(|NoJson| malformed(CALL, body, None))?
    {
        if !known.iter().any(|known| known.as_bytes() == &*name) {
            return Err(unknown(&String::from_utf8_lossy(&name), &known));
        }
    }
    Ok(())
}

/// Decodes one argument. An absent argument is `None` for an `Option`, and an error for other
/// types.
pub(crate) fn decode_argument<T: DeserializeOwned>(
    name: &str,
    value: Option<&[u8]>,
) -> Result<T, Fault> {
    let Some(value) = value else {
        return T::deserialize(Absent)
            .map_err(|_| invalid(format!("the argument `{name}` is missing")));
    };
    serde_json::from_slice(value).map_err(|error| {
        if !error.is_data() {
            return malformed(&format!("the argument `{name}`"), value, Some(&error));
        }
        let mut again = serde_json::Deserializer::from_slice(value);
        let words = match path_to_error::<T>(&mut again) {
            None => format!(": {}", words(&error)),
            Some(path) => format!(", at `{}`: {}", shorten(&path), words(&error)),
        };
        invalid(format!("the argument `{name}`{words}"))
    })
}

fn unknown(name: &str, known: &[&str]) -> Fault {
    let name = shorten(name);
    let names: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
    invalid(match &*names {
        [] => format!("unknown argument `{name}`, the method takes none"),
        _ => format!(
            "unknown argument `{name}`, the method takes {}",
            names.join(", ")
        ),
    })
}

fn invalid(words: String) -> Fault {
    Fault::new(kind::INVALID_ARGUMENTS, words)
}

/// Stands for an absent argument.
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    /// serde's messages quote the unexpected value.
    #[test]
    fn no_error_grows_with_what_a_peer_sent() {
        let long = "é".repeat(100_000);
        let wrong = json!(long).to_string();
        let value = wrong.as_bytes();
        let within = json!({ (&*long): "x" }).to_string();
        let within = within.as_bytes();
        for words in [
            decode_argument::<u8>("a", Some(value)).unwrap_err().message,
            decode_argument::<BTreeMap<String, u8>>("a", Some(within))
                .unwrap_err()
                .message,
        ] {
            assert!(words.contains("..."), "{words}");
            assert!(words.len() < 1500, "{words}");
        }
    }
}
