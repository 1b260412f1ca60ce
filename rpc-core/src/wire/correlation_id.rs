//! The id that ties a reply to its call.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::wire::random_uuid::random_uuid;

/// Identifies one call among all that are in flight.
///
/// The ids of this library are random, so that nobody can guess the id of another's call. Peers may
/// use any text, and get it back unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CorrelationId {
    /// A UUID in its usual form, which needs no allocation.
    Uuid(Uuid),
    Text(Arc<str>),
}

impl CorrelationId {
    pub(crate) fn random() -> Self {
        Self::Uuid(random_uuid())
    }

    /// The id as text, as it travels. A UUID is written to `buffer`.
    pub(crate) fn encode<'a>(&'a self, buffer: &'a mut Buffer) -> &'a str {
        match self {
            Self::Uuid(uuid) => uuid.hyphenated().encode_lower(buffer),
            Self::Text(text) => text,
        }
    }
}

/// Room for a UUID.
pub(crate) type Buffer = [u8; uuid::fmt::Hyphenated::LENGTH];

/// An empty buffer for [`CorrelationId::encode`].
pub(crate) fn buffer() -> Buffer {
    [0; uuid::fmt::Hyphenated::LENGTH]
}

impl From<&str> for CorrelationId {
    fn from(text: &str) -> Self {
        if text.len() == uuid::fmt::Hyphenated::LENGTH
            && let Ok(uuid) = Uuid::try_parse(text)
            // The parser also accepts other forms, such as upper case.
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
