//! The cases that names can have on the wire. They are those of serde.

/// A case, to which a name in snake case can be converted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Case {
    pub(super) const ALL: [Self; 8] = [
        Self::Lower,
        Self::Upper,
        Self::Pascal,
        Self::Camel,
        Self::Snake,
        Self::ScreamingSnake,
        Self::Kebab,
        Self::ScreamingKebab,
    ];

    /// The name of the case, written in that case.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lower => "lowercase",
            Self::Upper => "UPPERCASE",
            Self::Pascal => "PascalCase",
            Self::Camel => "camelCase",
            Self::Snake => "snake_case",
            Self::ScreamingSnake => "SCREAMING_SNAKE_CASE",
            Self::Kebab => "kebab-case",
            Self::ScreamingKebab => "SCREAMING-KEBAB-CASE",
        }
    }

    /// Converts a name to this case, exactly as serde would rename a field: `lowercase` and
    /// `UPPERCASE` keep underscores.
    pub(super) fn of(self, name: &str) -> String {
        match self {
            Self::Lower | Self::Snake => name.to_owned(),
            Self::Upper | Self::ScreamingSnake => name.to_ascii_uppercase(),
            Self::Pascal => pascal(name),
            Self::Camel => {
                let mut name = pascal(name);
                if let Some(first) = name.get_mut(..1) {
                    first.make_ascii_lowercase();
                }
                name
            }
            Self::Kebab => name.replace('_', "-"),
            Self::ScreamingKebab => name.to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn pascal(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut word = word.to_owned();
        if let Some(first) = word.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        word
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_case_that_serde_gives_to_fields() {
        let of = |name| Case::ALL.map(|case| case.of(name));
        assert_eq!(
            of("open_new_account"),
            [
                "open_new_account",
                "OPEN_NEW_ACCOUNT",
                "OpenNewAccount",
                "openNewAccount",
                "open_new_account",
                "OPEN_NEW_ACCOUNT",
                "open-new-account",
                "OPEN-NEW-ACCOUNT",
            ]
        );
        assert_eq!(Case::Camel.of("_a__b2_"), "aB2");
        assert_eq!(Case::Camel.of("Ärger_über"), "Ärgerüber");
    }
}
