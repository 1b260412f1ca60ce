//! The arguments of a call, found by name in the body and decoded one by one.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use crate::contract::descriptor::ArgumentDescriptor;
use crate::error::shorten::shorten;
use crate::wire::codec::{check_object, malformed, path_to_error, words};
use crate::wire::fault::{Fault, kind};

/// Finds the arguments of a method in the body of a call, without decoding their values.
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

/// Decodes one argument. An absent argument is `None` for an `Option`, and an error for other
/// types.
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

/// Splits an object into the values of these arguments, in their order.
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
                    "the argument `{name}` is given twice"
                )));
            }
        }
        Ok(values)
    }
}

/// Reads a name as the index of the argument with that name.
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
        let value: &RawValue = serde_json::from_str(&wrong).unwrap();
        let within = json!({ (&*long): "x" }).to_string();
        let within: &RawValue = serde_json::from_str(&within).unwrap();
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
