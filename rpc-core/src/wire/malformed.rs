//! Says what a body is that cannot be read, where it should be JSON.

use serde::de::IgnoredAny;

use crate::error::cause::Cause;
use crate::error::reason::Reason;
use crate::error::shorten::shorten_words;
use crate::wire::content::Content;

/// Why a body cannot be read.
#[derive(Debug)]
pub(crate) struct Malformed {
    /// Whether it is JSON all the same, but beyond this library.
    is_json: bool,
    words: String,
}

impl Malformed {
    /// A body that serde_json could not read, and the error that it gave, if it gave one.
    pub(crate) fn new(body: &[u8], error: Option<&serde_json::Error>) -> Self {
        let checked = std::str::from_utf8(body).map(serde_json::from_str::<IgnoredAny>);
        let is_json = matches!(checked, Ok(Ok(_)));
        let words = if let Some(what) = looks_like(body) {
            what.to_owned()
        } else {
            match (&checked, error) {
                (Err(error), _) => format!("it is not UTF-8 from byte {} on", error.valid_up_to()),
                (Ok(Ok(_)), Some(error)) => beyond_us(error),
                (Ok(Err(error)), _) => no_json(body, error),
                (Ok(Ok(_)), None) => "it cannot be read".to_owned(),
            }
        };
        Self { is_json, words }
    }

    /// The same for the reader of a body that came with these properties.
    pub(crate) fn reason(&self, content: &Content, error: serde_json::Error) -> Reason {
        Reason::new(content.explain(self.words.clone()), Cause::new(error))
    }

    /// What is wrong, in a sentence on a body of this name.
    pub(crate) fn of(&self, body: &str) -> String {
        if self.is_json {
            format!("{body} is JSON that cannot be read: {}", self.words)
        } else {
            format!("{body} is not JSON in UTF-8: {}", self.words)
        }
    }
}

/// What a body is, by its first bytes, if these are not JSON.
fn looks_like(body: &[u8]) -> Option<&'static str> {
    Some(match body {
        [] => "it is empty",
        [0xef, 0xbb, 0xbf, ..] => "it starts with a byte order mark",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => {
            "it looks like UTF-16 or UTF-32"
        }
        [0x1f, 0x8b, ..] => "it looks like gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "it looks like Zstandard",
        [0x80, 2..=5, ..] => "it looks like a pickle of Python",
        _ => return None,
    })
}

/// What is wrong with JSON that a decoder could not read.
fn beyond_us(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let place = words.rfind(" at line ").map_or("", |at| &words[at..]);
    // serde_json has these errors in its texts only.
    let what = if words.starts_with("recursion limit") {
        "it is nested too deep, by more than 127 levels"
    } else if words.starts_with("number out of range") {
        "a number out of range"
    } else if words.contains("hex escape") {
        "half of a surrogate pair, which is no character"
    } else {
        return shorten_words(&words);
    };
    format!("{what}{place}")
}

/// What is wrong with text that is no JSON.
fn no_json(body: &[u8], error: &serde_json::Error) -> String {
    let line = (body.split(|byte| *byte == b'\n')).nth(error.line().saturating_sub(1));
    // The error is at the first byte of the word, or behind it.
    let from = error.column().saturating_sub(2);
    let before = line.and_then(|line| line.get(from..)).unwrap_or_default();
    let is_python = ["NaN", "Infinity"].into_iter().any(|word| {
        let places = before.windows(word.len()).take(3);
        places.into_iter().any(|found| found == word.as_bytes())
    });
    let note = if is_python {
        "; NaN and Infinity are no JSON"
    } else {
        ""
    };
    format!("{}{note}", shorten_words(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn words(body: &[u8]) -> String {
        let error = serde_json::from_slice::<Value>(body).unwrap_err();
        Malformed::new(body, Some(&error)).of("it")
    }

    #[test]
    fn what_is_no_json_is_named() {
        for (body, expected) in [
            (&b""[..], "it is empty"),
            (b"\xef\xbb\xbf{}", "it starts with a byte order mark"),
            (b"\xff\xfe{\0}\0", "it looks like UTF-16"),
            (b"{\0}\0", "it looks like UTF-16"),
            (b"\0{\0}", "it looks like UTF-16"),
            (b"\x1f\x8b\x08\0\0\0\0\0", "it looks like gzip"),
            (b"\x80\x04\x95\x0f\0\0", "it looks like a pickle"),
            (b"{\"a\xff\":1}", "it is not UTF-8 from byte 3 on"),
            (b"{\"a\":", "EOF while parsing a value at line 1 column 5"),
            (b"{\"a\":\n NaN}", "at line 2 column 2; NaN and"),
            (b"[-Infinity]", "; NaN and Infinity are no JSON"),
        ] {
            let words = words(body);
            assert!(words.starts_with("it is not JSON in UTF-8: "), "{words}");
            assert!(words.contains(expected), "{expected}: {words}");
        }
        assert!(!words(b"{\"NaN\": x}").contains("NaN"));
    }

    #[test]
    fn what_json_is_beyond_us_is_named() {
        let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
        for (body, expected) in [
            (&*deep, "it is nested too deep, by more than 127 levels"),
            ("[1e400]", "a number out of range at line 1 column 6"),
            (r#"["\ud800"]"#, "half of a surrogate pair"),
            (r#"["\udc00"]"#, "half of a surrogate pair"),
            (r#"["\ud800\u0041"]"#, "half of a surrogate pair"),
        ] {
            let words = words(body.as_bytes());
            assert!(
                words.starts_with("it is JSON that cannot be read: "),
                "{words}"
            );
            assert!(words.contains(expected), "{expected}: {words}");
        }
    }
}
