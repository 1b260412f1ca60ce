//! Each mistake has one message, at its place, and no other error follows from it.
//!
//! The files of `ui` are named by the mistake. `TRYBUILD=overwrite` writes the messages anew.
//!
//! In four of them the compiler says more, which the macro cannot prevent: `argument_hidden_lifetime`,
//! `result_that_is_none`, and, of types named as those of the standard library, `result_of_ones_own` and
//! `option_of_ones_own`.

#[test]
fn mistakes_have_one_message() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
