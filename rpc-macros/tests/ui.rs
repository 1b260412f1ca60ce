//! Each mistake has one message, at its place, and no other error follows from it.
//!
//! The files of `ui` are named by the mistake. `TRYBUILD=overwrite` writes the messages anew.

#[test]
fn mistakes_have_one_message() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
