//! The id that ties a reply to its call.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Names one call among all that are in flight.
///
/// Those of this library are random, so that nobody can guess another's. Peers may use any text, and get it back as
/// it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CorrelationId {
    /// A UUID in its usual form, which needs no memory of its own.
    Uuid(Uuid),
    Text(Arc<str>),
}

impl CorrelationId {
    pub(crate) fn random() -> Self {
        Self::Uuid(Uuid::new_v4())
    }

    /// The id as it travels, for which `buffer` may be the place.
    pub(crate) fn encode<'a>(&'a self, buffer: &'a mut Buffer) -> &'a str {
        match self {
            Self::Uuid(uuid) => uuid.hyphenated().encode_lower(buffer),
            Self::Text(text) => text,
        }
    }
}

/// Room for a UUID.
pub(crate) type Buffer = [u8; uuid::fmt::Hyphenated::LENGTH];

/// Room for a UUID, to [`CorrelationId::encode`] in.
pub(crate) fn buffer() -> Buffer {
    [0; uuid::fmt::Hyphenated::LENGTH]
}

impl From<&str> for CorrelationId {
    fn from(text: &str) -> Self {
        if text.len() == uuid::fmt::Hyphenated::LENGTH
            && let Ok(uuid) = Uuid::try_parse(text)
            // The parser takes other forms too, such as one in capitals.
            && uuid.hyphenated().encode_lower(&mut buffer()) == text
        {
            return Self::Uuid(uuid);
        }
        Self::Text(text.into())
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode(&mut buffer()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_survives_the_wire() {
        let random = CorrelationId::random().to_string();
        let capitals = random.to_uppercase();
        let bare = random.replace('-', "");
        for text in [&*random, &*capitals, &*bare, "", "1", "ä-7"] {
            assert_eq!(CorrelationId::from(text).to_string(), text);
        }
        assert!(matches!(
            CorrelationId::from(&*random),
            CorrelationId::Uuid(_)
        ));
    }
}
