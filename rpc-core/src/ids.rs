//! Maps by ids that need no hashing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by ids that are spread already: those of a table are random or counted, and those that others make up are only
/// looked for in it.
pub(crate) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<AsItIs>>;

/// Hashes an id by taking it as it is.
#[derive(Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, id: &[u8]) {
        for part in id.chunks(8) {
            let mut bytes = [0; 8];
            bytes[..part.len()].copy_from_slice(part);
            self.0 ^= u64::from_ne_bytes(bytes);
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 ^= id;
    }

    /// The length, which is that of all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
