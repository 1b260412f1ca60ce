//! The rules of `PROTOCOL.md` and the tests that show them: none is without one, or without a reason.
//!
//! A test names its rules in a line of its documentation that holds nothing else, such as `/// CALL-1, REPLY-3`.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

const UNTESTED: &str = "## Rules without a test";

/// Whether this is the form of an id.
fn is_id(word: &str) -> bool {
    word.split_once('-').is_some_and(|(family, number)| {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        family.len() > 1 && family.bytes().all(|byte| byte.is_ascii_uppercase()) && is_number
    })
}

/// The ids in bold. A rule stands once.
fn rules(text: &str) -> BTreeSet<&str> {
    let mut rules = BTreeSet::new();
    for word in text.split("**").filter(|word| is_id(word)) {
        assert!(rules.insert(word), "{word} stands twice in PROTOCOL.md");
    }
    rules
}

/// The page, without and with only its list of rules that no test shows.
fn parts(page: &str) -> (String, &str) {
    let (before, rest) = page
        .split_once(UNTESTED)
        .expect("the list of rules without a test");
    let (list, after) = rest.split_once("\n## ").expect("a section after it");
    (format!("{before}{after}"), list)
}

/// The rules that such a line names; `None` if it is another line.
fn named_in(line: &str) -> Option<Vec<&str>> {
    let words = line.trim().strip_prefix("/// ")?.split(", ");
    let ids: Vec<_> = words.collect();
    ids.iter().all(|word| is_id(word)).then_some(ids)
}

/// The rules that tests name, each with its file, and those lines that stand at no test.
fn named_below(folder: &Path, named: &mut Vec<(String, String)>, astray: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            named_below(&path, named, astray);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let file = path.display().to_string();
            let lines: Vec<_> = text.lines().collect();
            for (number, line) in lines.iter().enumerate() {
                let Some(ids) = named_in(line) else {
                    continue;
                };
                if !is_test(&lines[number + 1..]) {
                    astray.push(format!("{file}:{}", number + 1));
                }
                named.extend(ids.into_iter().map(|id| (id.to_owned(), file.clone())));
            }
        }
    }
}

/// Whether what follows is a test: one by attribute, or one for both sites.
fn is_test(lines: &[&str]) -> bool {
    let mut lines = lines.iter().map(|line| line.trim());
    let is_head = |line: &str| line.starts_with("///") || line.starts_with("#[");
    let head: Vec<_> = lines.clone().take_while(|line| is_head(line)).collect();
    let signature = lines.nth(head.len()).unwrap_or_default();
    head.iter()
        .any(|line| line.starts_with("#[tokio::test") || *line == "#[test]")
        || signature.starts_with("async fn ") && signature.ends_with("(site) {")
}

#[track_caller]
fn none<T: Debug>(found: impl Iterator<Item = T>, what: &str) {
    let found: Vec<_> = found.collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

#[test]
fn each_rule_of_the_page_has_a_test_or_a_reason() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(tests.join("../PROTOCOL.md")).unwrap();
    let (page, untested) = parts(&page);
    let rules = rules(&page);
    let excused: BTreeSet<_> = untested
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .filter(|(id, _)| is_id(id))
        .map(|(id, reason)| {
            assert!(reason.len() > 20, "no reason is given for {id}");
            id
        })
        .collect();
    let (mut named, mut astray) = (Vec::new(), Vec::new());
    for folder in ["suite", "timing", "downstream"] {
        named_below(&tests.join(folder), &mut named, &mut astray);
    }
    none(astray.iter(), "these lines stand at no test");
    let unknown = named.iter().filter(|(id, _)| !rules.contains(&**id));
    none(unknown, "PROTOCOL.md has no such rules");
    let shown: BTreeSet<_> = named.iter().map(|(id, _)| &**id).collect();
    let unknown = excused.difference(&rules);
    none(unknown, "the list of rules without a test has unknown ones");
    let both = shown.intersection(&excused);
    none(both, "these are said to have no test, and have one");
    let bare = rules
        .iter()
        .filter(|id| !shown.contains(**id) && !excused.contains(**id));
    none(bare, "these have neither a test nor a reason");
    assert!(
        rules.len() > 100,
        "{} rules: the page is read wrongly",
        rules.len()
    );
}

#[test]
fn the_page_for_peers_names_rules_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("PROTOCOL.md")).unwrap();
    let peers = fs::read_to_string(root.join("PROTOCOL-PEERS.md")).unwrap();
    let rules = rules(&page);
    let family = |id: &str| id.split('-').next().unwrap_or_default().to_owned();
    let families: BTreeSet<_> = rules.iter().map(|id| family(id)).collect();
    let words = peers.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    let named: Vec<_> = words
        .filter(|word| is_id(word) && families.contains(&family(word)))
        .collect();
    assert!(named.len() > 40, "{named:?}");
    for id in named {
        assert!(rules.contains(id), "PROTOCOL.md has no rule {id}");
    }
}
