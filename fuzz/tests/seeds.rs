//! Every seed, through its target: without cargo-fuzz, on any compiler.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rpc_fuzz::TARGETS;

fn names(folder: &Path) -> BTreeSet<String> {
    let files =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = files.map(|file| file.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn every_target_has_its_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets");
    let files = TARGETS.iter().map(|(name, _)| format!("{name}.rs"));
    assert_eq!(names(&folder), files.collect());
}

#[test]
fn every_seed_is_survived() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&seeds), targets);
    for (target, run) in TARGETS {
        let folder = seeds.join(target);
        let files = names(&folder);
        assert!(!files.is_empty(), "{target} has no seeds");
        for file in files {
            println!("{target}/{file}");
            run(&fs::read(folder.join(file)).unwrap());
        }
    }
}
