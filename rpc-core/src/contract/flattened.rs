//! Which arguments a flattened struct takes. serde does not refuse unknown arguments beside one.

use std::fmt::{self, Display};

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// The names of the arguments that a flattened `T` takes; `None` if it may take any, as a map does,
/// or a type that decides by what it finds.
#[must_use]
pub fn names_of<T: DeserializeOwned>() -> Option<&'static [&'static str]> {
    match T::deserialize(Probe) {
        Err(Found(names)) => names,
        // It takes nothing, or has not asked.
        Ok(_) => None,
    }
}

/// Hands no value to a type, but learns for which names it asks.
struct Probe;

/// What a type has asked for.
#[derive(Debug)]
struct Found(Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Probe {
    type Error = Found;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
        Err(Found(None))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Found> {
        Err(Found(Some(fields)))
    }

    /// One of the variants is the name of an argument.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Found> {
        Err(Found(Some(variants)))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Found> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Found> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl de::Error for Found {
    fn custom<T: Display>(_: T) -> Self {
        Self(None)
    }
}

impl std::error::Error for Found {}

impl Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was only asked for its names")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "it is only decoded")]
    struct Page {
        first_line: u8,
        #[serde(alias = "until", default)]
        to: u8,
        #[serde(skip)]
        skipped: u8,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "it is only decoded")]
    struct Open {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "it is only decoded")]
    enum Choice {
        One(u8),
        Other { a: u8 },
    }

    #[derive(Deserialize)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "it is only decoded")]
    enum Tagged {
        One { a: u8 },
    }

    #[test]
    fn structs_and_enums_have_names() {
        let page = &["firstLine", "to", "until"][..];
        assert_eq!(names_of::<Page>(), Some(page));
        assert_eq!(names_of::<Option<Box<Page>>>(), Some(page));
        assert_eq!(names_of::<Choice>(), Some(&["One", "Other"][..]));
    }

    #[test]
    fn what_takes_any_name_has_none() {
        assert_eq!(names_of::<BTreeMap<String, u8>>(), None);
        assert_eq!(names_of::<Value>(), None);
        assert_eq!(names_of::<Open>(), None);
        assert_eq!(names_of::<Tagged>(), None);
        assert_eq!(names_of::<()>(), None);
    }
}
