//! What the properties of a message say of its body.

use std::borrow::Cow;

use crate::wire::message::{JSON, Message};

/// `content_encoding` and `content_type`, if they say that a body is no plain JSON. They are only
/// told where a body cannot be read: many peers set them wrongly, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content(Option<Box<Unusual>>);

/// In words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unusual(String);

impl Content {
    pub(crate) fn of(message: &Message) -> Self {
        // Almost all messages are JSON, and their type is this library's own constant.
        let is_json = matches!(message.content_type, None | Some(Cow::Borrowed(_)));
        if is_json && message.extras.is_empty() {
            return Self(None);
        }
        Self::of_foreign(message)
    }

    #[cold]
    fn of_foreign(message: &Message) -> Self {
        let encoding = message.extras.content_encoding.as_deref();
        let encoding = encoding.filter(|encoding| !is_plain(encoding));
        let content_type = message.content_type.as_deref();
        let content_type = content_type.filter(|content_type| !is_json(content_type));
        let parts = [("encoding", encoding), ("type", content_type)].into_iter();
        let parts = parts.filter_map(|(name, value)| Some(format!("content_{name}: {}", value?)));
        let parts: Vec<_> = parts.collect();
        Self((!parts.is_empty()).then(|| Box::new(Unusual(parts.join(", ")))))
    }

    /// Why a body cannot be read, with what its properties say of it.
    pub(crate) fn explain(&self, words: String) -> String {
        match &self.0 {
            None => words,
            Some(content) => format!("{words} ({})", content.0),
        }
    }
}

/// Python's peers name the character set as the encoding.
fn is_plain(encoding: &str) -> bool {
    ["", "utf-8", "utf8", "identity"].contains(&&*encoding.to_ascii_lowercase())
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.is_empty() || media_type.eq_ignore_ascii_case(JSON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_plain_json_is_told() {
        let explain = |encoding: Option<&str>, content_type: Option<&'static str>| {
            let mut message = Message {
                content_type: content_type.map(|content_type| content_type.to_owned().into()),
                ..Message::default()
            };
            message.extras.content_encoding = encoding.map(Into::into);
            Content::of(&message).explain("it is broken".to_owned())
        };
        for (encoding, content_type) in [
            (None, None),
            (None, Some(JSON)),
            (Some("UTF-8"), Some("application/json; charset=utf-8")),
            (Some("identity"), Some("")),
        ] {
            assert_eq!(explain(encoding, content_type), "it is broken");
        }
        assert_eq!(
            explain(Some("gzip"), Some(JSON)),
            "it is broken (content_encoding: gzip)"
        );
        assert_eq!(
            explain(Some("gzip"), Some("text/plain")),
            "it is broken (content_encoding: gzip, content_type: text/plain)"
        );
        assert_eq!(
            explain(None, Some("application/python-pickle")),
            "it is broken (content_type: application/python-pickle)"
        );
    }
}
