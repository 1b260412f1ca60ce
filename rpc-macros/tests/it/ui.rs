//! Each mistake has one message, at its place, and no other error follows from it.
//!
//! The files of `ui` are named by the mistake. `TRYBUILD=overwrite` writes the messages anew.
//!
//! In some of them the compiler says more, which the macro cannot prevent: `argument_hidden_lifetime`,
//! `result_that_is_none`, of types named as those of the standard library `result_of_ones_own`, `option_of_ones_own`
//! and `future_of_ones_own`, and `client_error_not_from_rpc_error_async`, where a call of an `async fn` is three
//! expressions, each with the same error.

#[test]
fn mistakes_have_one_message() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
