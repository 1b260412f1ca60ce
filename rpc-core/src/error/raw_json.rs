//! JSON that is decoded only when somebody knows its type.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::shorten::shorten_words;

/// JSON as it came, which is decoded only when somebody knows its type.
///
/// So it takes no more memory than its text, and loses nothing: an integer of 128 bits is still
/// whole. `Display` and `Debug` show the start and the end of a long text, at most 405 characters;
/// [`get`](Self::get) returns all of it. Two are equal if their texts are equal.
///
/// ```
/// # use rpc_core::RemoteError;
/// let error = RemoteError::new("pay", "Insufficient", "too little").with_data(&u128::MAX);
/// let data = error.data().expect("it was just set");
/// assert_eq!(data.decode::<u128>()?, u128::MAX);
/// assert_eq!(data.get(), u128::MAX.to_string());
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Box<str>);

impl RawJson {
    /// The whole text.
    #[must_use]
    pub fn get(&self) -> &str {
        &self.0
    }

    /// Decodes the JSON as a `T`.
    ///
    /// # Errors
    ///
    /// If it is no `T`. The text of the error quotes the JSON, and may be as long.
    pub fn decode<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_str(&self.0)
    }

    /// The JSON of a value.
    pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        serde_json::to_string(value).map(|json| Self(json.into()))
    }

    /// The arguments of an error that has nothing but a message.
    pub(crate) fn list_of(text: &str) -> Self {
        // JSON can hold any text.
        Self::encode(&[text]).unwrap_or_else(|_| Self::of("[]"))
    }

    /// A text that is known to be JSON.
    pub(crate) fn of(json: &str) -> Self {
        Self(json.into())
    }
}

impl fmt::Display for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shorten_words(&self.0))
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_printed_short() {
        let long = RawJson::encode(&"x".repeat(1 << 20)).unwrap();
        assert_eq!(long.get().len(), (1 << 20) + 2);
        assert_eq!(long.to_string().len(), 405);
        assert!(format!("{long:?}").len() < 420);
    }
}
