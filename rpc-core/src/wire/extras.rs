//! What few messages have.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::wire::flaw::Flaw;
use crate::wire::header_table::HeaderTable;
use crate::wire::size_limit::TooLarge;

/// The parts of a message that are rarely there, behind one pointer: a message is moved so often
/// that its size counts. They can be read as if they were always there. Writing makes room for
/// them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras(Option<Box<Parts>>);

/// The parts themselves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parts {
    /// The header `rpc-method`: the method of a batch, or of a call in a dead-letter queue.
    pub(crate) method: Option<Arc<str>>,
    /// The headers to which the broker gives a meaning, and those of the protocol's names whose
    /// values this library would not write so. A copy keeps them, and no user sees them.
    pub(crate) reserved: HeaderTable,
    /// Set where the properties cannot be used. What a peer says of its own message is no reason.
    pub(crate) unreadable: Option<Unreadable>,
    /// The size of a body that is larger than `max_message_size`. It was not kept, so the body is
    /// empty.
    pub(crate) too_large: Option<TooLarge>,
    /// The property `content_encoding`, and others without a meaning here. A copy keeps them.
    pub(crate) content_encoding: Option<Arc<str>>,
    pub(crate) message_id: Option<Arc<str>>,
    pub(crate) timestamp: Option<u64>,
    pub(crate) app_id: Option<Arc<str>>,
    pub(crate) cluster_id: Option<Arc<str>>,
}

/// What can be said of properties that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The header `rpc-unreadable` says it.
    pub(crate) flaw: Flaw,
    /// The header `rpc-properties`: their bytes, with escapes for those that are not ASCII.
    pub(crate) properties: String,
    /// Whether they may hold a header `x-death`.
    pub(crate) may_have_died: bool,
}

static NONE: Parts = Parts {
    method: None,
    reserved: HeaderTable::EMPTY,
    unreadable: None,
    too_large: None,
    content_encoding: None,
    message_id: None,
    timestamp: None,
    app_id: None,
    cluster_id: None,
};

impl Extras {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Deref for Extras {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Extras {
    fn deref_mut(&mut self) -> &mut Parts {
        self.0.get_or_insert_with(|| Box::new(NONE.clone()))
    }
}

impl PartialEq for Extras {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
