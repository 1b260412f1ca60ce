//! The log lines that the guide lists are those of the library, with their levels and fields.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A level, and a message as the guide has it: cut at its first sentence where it is longer.
type Line = (&'static str, String);

const LEVELS: [&str; 3] = ["error", "warn", "info"];

/// The log lines of a file, each with what stands before its message: the fields.
fn lines_of(text: &str, found: &mut BTreeMap<Line, String>) {
    for level in LEVELS {
        for (before, rest) in text
            .match_indices(&format!("{level}!("))
            .map(|(place, call)| (&text[..place], &text[place + call.len()..]))
        {
            // Not the end of another macro's name.
            if before.ends_with(|sign: char| sign.is_alphanumeric() || sign == '_') {
                continue;
            }
            let mut parts = rest.splitn(3, '"');
            let (Some(fields), Some(message), Some(_)) = (parts.next(), parts.next(), parts.next())
            else {
                panic!("a log line without a message: {rest:.80}");
            };
            let message = message.split(". ").next().unwrap_or(message);
            found.insert((level, message.to_owned()), fields.to_owned());
        }
    }
}

fn lines_below(folder: &Path, found: &mut BTreeMap<Line, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lines_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            lines_of(&fs::read_to_string(&path).unwrap(), found);
        }
    }
}

#[test]
fn the_guide_lists_every_log_line_and_no_other() {
    let mut found = BTreeMap::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rpc-core/src");
    lines_below(&source, &mut found);

    let guide = include_str!("../../rpc-core/docs/guide/operations.md");
    let rows = guide.lines().filter_map(|row| row.strip_prefix("| "));
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [level, message, fields, ..] = cells[..] else {
            continue;
        };
        let Some(level) = LEVELS
            .into_iter()
            .find(|known| level == known.to_uppercase())
        else {
            continue;
        };
        let line = (level, message.trim_end_matches(" ...").to_owned());
        let code = found.remove(&line);
        let code =
            code.unwrap_or_else(|| panic!("no such log line, or twice in the guide: {line:?}"));
        for field in fields.split(", ").filter(|field| !field.is_empty()) {
            let field = field.trim_matches('`');
            assert!(code.contains(field), "no field {field}: {line:?}");
        }
    }
    assert!(found.is_empty(), "not in the guide: {found:?}");
}
