//! The fields of a JSON object, found without decoding their values.
//!
//! serde_json has `RawValue` for this. But its feature `raw_value` changes how every `Value` of the
//! program is read: an object whose first key is `$serde_json::private::RawValue` is taken for what
//! stands in it. So what a peer sends would not arrive as it was sent.

use std::borrow::Cow;

use memchr::memchr2;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Deserializer;

/// Yields the name and the JSON of each field, in their order.
#[derive(Debug)]
pub(crate) struct JsonFields<'a> {
    /// What is still to be read.
    rest: &'a [u8],
    is_first: bool,
}

/// The name of a field, without escapes, and the JSON of its value.
pub(crate) type Field<'a> = (Cow<'a, [u8]>, &'a [u8]);

/// What is read is no JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoJson;

impl<'a> JsonFields<'a> {
    /// The fields of this object; `None` if it begins as another value does.
    pub(crate) fn of(json: &'a [u8]) -> Option<Self> {
        let mut fields = Self {
            rest: json,
            is_first: true,
        };
        fields.take(b'{').then_some(fields)
    }

    /// The next field; `None` if the object has ended, and nothing comes behind it. Both its name and
    /// its value are checked as far as they can be without decoding them: texts may still not be
    /// UTF-8, or have control characters, and numbers may be out of range.
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, NoJson> {
        if self.take(b'}') {
            self.skip_blanks();
            return self.rest.is_empty().then_some(None).ok_or(NoJson);
        }
        if self.is_first {
            self.is_first = false;
        } else if !self.take(b',') {
            return Err(NoJson);
        }
        let name = self.name()?;
        if !self.take(b':') {
            return Err(NoJson);
        }
        self.skip_blanks();
        let from = self.rest;
        self.skip_value()?;
        Ok(Some((name, &from[..from.len() - self.rest.len()])))
    }

    fn skip_value(&mut self) -> Result<(), NoJson> {
        // Most values are texts without an escape, and this is much faster.
        if let [b'"', quoted @ ..] = self.rest
            && let Some(end) = memchr2(b'"', b'\\', quoted)
            && quoted[end] == b'"'
        {
            self.rest = &quoted[end + 1..];
            return Ok(());
        }
        self.read().map(|IgnoredAny| ())
    }

    fn name(&mut self) -> Result<Cow<'a, [u8]>, NoJson> {
        self.skip_blanks();
        let [b'"', quoted @ ..] = self.rest else {
            return Err(NoJson);
        };
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
        let end = quoted.iter().position(is_special).ok_or(NoJson)?;
        let (name, rest) = quoted.split_at(end);
        let [b'"', rest @ ..] = rest else {
            return self.read().map(|name: String| Cow::Owned(name.into()));
        };
        self.rest = rest;
        Ok(Cow::Borrowed(name))
    }

    /// Reads one value of any kind.
    fn read<T: DeserializeOwned>(&mut self) -> Result<T, NoJson> {
        let mut values = Deserializer::from_slice(self.rest).into_iter();
        let value = values.next().and_then(Result::ok).ok_or(NoJson)?;
        self.rest = &self.rest[values.byte_offset()..];
        Ok(value)
    }

    /// Reads this byte if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::wire::strategies as any;

    /// All fields, with what is checked only when they are decoded.
    fn all(json: &[u8]) -> Result<Vec<(String, &[u8])>, NoJson> {
        let mut fields = JsonFields::of(json).ok_or(NoJson)?;
        let mut all = Vec::new();
        while let Some((name, value)) = fields.next()? {
            let name = String::from_utf8(name.into()).map_err(|_| NoJson)?;
            let IgnoredAny = serde_json::from_slice(value).map_err(|_| NoJson)?;
            all.push((name, value));
        }
        Ok(all)
    }

    proptest! {
        #[test]
        fn the_fields_are_those_that_serde_json_reads(object in any::json(), spaces in any::<bool>()) {
            let json = if spaces { format!(" {object:#} ") } else { object.to_string() };
            let fields = all(json.as_bytes());
            prop_assert_eq!(fields.is_ok(), object.is_object());
            for (name, value) in fields.unwrap_or_default() {
                let value: Value = serde_json::from_slice(value).unwrap();
                prop_assert_eq!(&object[&*name], &value);
            }
        }

        /// Whatever comes is read where serde_json reads it, and nowhere else.
        #[test]
        fn what_is_broken_is_broken_for_serde_json(object in any::json(), at in any::<prop::sample::Index>(), byte in 0..128_u8) {
            let mut json = object.to_string().into_bytes();
            let at = at.index(json.len());
            json[at] = byte;
            let expected: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_slice(&json);
            prop_assert_eq!(all(&json).is_ok(), expected.is_ok(), "{:?}", String::from_utf8(json));
        }
    }

    #[test]
    fn a_value_is_passed_on_as_it_came() {
        let json = br#" {"a" : [1, {"b":"}\""}] , "\u0061\n":1e400,"c":"\ud800"} "#;
        let fields = all(json).unwrap();
        let fields: Vec<_> = (fields.iter())
            .map(|(name, value)| (name.as_str(), std::str::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(
            fields,
            [
                ("a", r#"[1, {"b":"}\""}]"#),
                ("a\n", "1e400"),
                ("c", r#""\ud800""#)
            ]
        );
    }
}
