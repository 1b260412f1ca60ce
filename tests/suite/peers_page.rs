//! What `PROTOCOL-PEERS.md` shows is the programs in `examples/peers`, which the tests run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn the_programs_of_the_page_are_those_that_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("PROTOCOL-PEERS.md")).unwrap();
    let mut shown = BTreeSet::new();
    let mut rest = &*page;
    while let Some((before, block)) = rest.split_once("\n```") {
        let (block, after) = block.split_once("\n```\n").expect("the end of a block");
        let (_, code) = block.split_once('\n').expect("a block of code");
        // The link that stands last before the block.
        let (_, file) = before.rsplit_once("](").expect("a link to the program");
        let (file, _) = file.split_once(')').expect("the end of a link");
        let program = fs::read_to_string(root.join(file)).unwrap();
        assert_eq!(
            format!("{code}\n"),
            program,
            "{file} is not what the page shows"
        );
        shown.insert(file);
        rest = after;
    }
    assert_eq!(
        shown.len(),
        6,
        "a server and a client in three languages: {shown:?}"
    );
}
