//! Truncates texts for error messages, so that no error grows with its input.

/// Truncates a name for a message, so that no error grows with what a caller passed.
pub(crate) fn shorten(name: &str) -> String {
    const KEEP: usize = 64;
    match name.char_indices().nth(KEEP) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

/// Truncates a text that quotes what a peer sent. It is cut in the middle, because what was
/// expected stands at its end.
pub(crate) fn shorten_words(words: &str) -> String {
    const KEEP: usize = 200;
    let start = words.char_indices().nth(KEEP);
    let end = words.char_indices().nth_back(KEEP - 1);
    match (start, end) {
        (Some((start, _)), Some((end, _))) if start < end => {
            format!("{} ... {}", &words[..start], &words[end..])
        }
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_at_a_character() {
        assert_eq!(shorten("pay"), "pay");
        assert_eq!(shorten(&"é".repeat(100)), format!("{}...", "é".repeat(64)));
    }

    #[test]
    fn long_words_keep_both_ends() {
        let whole = "é".repeat(400);
        assert_eq!(shorten_words(&whole), whole);
        let words = format!("string \"{}\", expected u8", "é".repeat(1000));
        let cut = shorten_words(&words);
        assert!(cut.starts_with("string \"é") && cut.ends_with("é\", expected u8"));
        assert_eq!(cut.chars().count(), 405);
    }
}
