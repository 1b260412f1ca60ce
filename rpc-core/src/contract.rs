//! What a service is: its methods with their arguments, results, options and descriptors.

pub(crate) mod argument;
pub(crate) mod call_options;
pub(crate) mod context;
pub(crate) mod descriptor;
pub(crate) mod flattened;
pub(crate) mod named_arguments;
pub(crate) mod method_options;
pub(crate) mod returns;
pub(crate) mod service;
