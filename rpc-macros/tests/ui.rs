//! Each mistake has one message, at its place, and no other error follows from it.
//!
//! The files of `ui` are named by the mistake. `TRYBUILD=overwrite` writes the messages anew.
//!
//! In two of them the compiler says more, which the macro cannot prevent: `argument_hidden_lifetime` and
//! `result_that_is_none`.

#[test]
fn mistakes_have_one_message() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
