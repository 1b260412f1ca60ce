//! What must hold of every decoder of what peers and the broker send, whatever they send.
//!
//! Each function takes any bytes and panics if something does not hold. `targets` has them fed by libFuzzer, and
//! `tests` by the seeds.

mod batch;
mod call;
mod properties;
mod reply;
mod edge;
mod url;

pub use batch::batch;
pub use call::call;
pub use edge::edge;
pub use properties::properties;
pub use reply::reply;
pub use url::url;

/// What takes any bytes.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: [(&str, Target); 6] = [
    ("batch", batch),
    ("call", call),
    ("properties", properties),
    ("reply", reply),
    ("edge", edge),
    ("url", url),
];

/// The most that an error may say of what is wrong, in bytes, whoever wrote it: it goes into logs and replies.
const WORDS: usize = 2560;
