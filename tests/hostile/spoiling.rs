//! What a hostile peer does to a message, one thing at a time.

use fastrand::Rng;

use super::draft::{Draft, World};

mod batches;
mod bodies;
mod headers;
mod properties;

type Apply = dyn Fn(&mut Draft, &World, &mut Rng) + Send + Sync;

/// A way to spoil a message.
pub(crate) struct Spoiling {
    pub(crate) name: String,
    apply: Box<Apply>,
}

impl Spoiling {
    fn new(
        name: impl Into<String>,
        apply: impl Fn(&mut Draft, &World, &mut Rng) + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            apply: Box::new(apply),
        }
    }

    pub(crate) fn apply(&self, draft: &mut Draft, world: &World, rng: &mut Rng) {
        (self.apply)(draft, world, rng);
    }
}

/// Those that any message can have.
pub(crate) fn of_any() -> Vec<Spoiling> {
    let mut all = properties::all();
    all.extend(headers::all());
    all.extend(bodies::all());
    all
}

/// Those of batches alone.
pub(crate) fn of_batches() -> Vec<Spoiling> {
    batches::all()
}
