//! Parses durations such as `1m 30s`.

/// The milliseconds of one or more numbers with units. The error says what was expected.
pub(super) fn millis(text: &str) -> Result<u64, String> {
    let expected = || {
        format!(
            "`{text}` is no duration: write whole numbers with `ms`, `s`, `m` or `h`, such as `5s` or `1m 30s`"
        )
    };
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(expected());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let unit: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            _ => return Err(expected()),
        };
        let number: u64 = number.parse().map_err(|_| expected())?;
        let part = number.checked_mul(unit);
        total = (part.and_then(|part| total.checked_add(part))).ok_or_else(|| {
            format!(
                "`{text}` is too long: a time limit has at most {}ms",
                u64::MAX
            )
        })?;
        rest = after.trim_start();
    }
    match total {
        0 => Err(
            "a time limit of zero lets no call through: leave `timeout` out for that of the `Rpc`"
                .into(),
        ),
        _ => Ok(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_add_up() {
        assert_eq!(millis("250ms"), Ok(250));
        assert_eq!(millis("5s"), Ok(5000));
        assert_eq!(millis("1m 30s"), Ok(90_000));
        assert_eq!(millis("1h2m3s4ms"), Ok(3_723_004));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            " ",
            "5",
            "s",
            "5 s",
            "5sec",
            "1.5s",
            "-1s",
            "5s,",
            "ü",
            "0s",
            "99999999999999999999s",
        ] {
            assert!(millis(text).is_err(), "{text}");
        }
        assert!(
            millis("18446744073709551615h")
                .unwrap_err()
                .contains("too long")
        );
    }
}
