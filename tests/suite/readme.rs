//! What the README shows is what the compiler has seen.

#[test]
fn the_example_of_the_readme_is_the_compiled_one() {
    let readme = include_str!("../../README.md");
    let compiled = include_str!("../../examples/readme.rs");
    let (_, compiled) = compiled
        .split_once("\n\n")
        .expect("the head comment of the example");
    let (_, shown) = readme
        .split_once("```rust\n")
        .expect("a Rust example in the README");
    let (shown, _) = shown.split_once("```").expect("its end");
    assert_eq!(shown, compiled);
}
