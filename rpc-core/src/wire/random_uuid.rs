//! Unguessable ids.

use std::cell::RefCell;

use uuid::{Builder, Uuid};

/// A version 4 UUID from the system's random bytes.
///
/// # Panics
/// If the system provides no random bytes, which does not happen once a system has booted.
pub(crate) fn random_uuid() -> Uuid {
    STOCK.with_borrow_mut(Stock::next)
}

/// Random bytes that are not used yet. They are requested many at a time, because one system call
/// costs more than the rest of making an id.
struct Stock {
    bytes: [u8; SIZE],
    used: usize,
}

impl Stock {
    fn next(&mut self) -> Uuid {
        if self.used == SIZE {
            if let Err(error) = getrandom::fill(&mut self.bytes) {
                panic!("the system gives no random bytes: {error}");
            }
            self.used = 0;
        }
        let mut id = [0; LENGTH];
        let end = self.used + LENGTH;
        id.copy_from_slice(&self.bytes[self.used..end]);
        self.used = end;
        Builder::from_random_bytes(id).into_uuid()
    }
}

thread_local! {
    static STOCK: RefCell<Stock> = const {
        RefCell::new(Stock {
            bytes: [0; SIZE],
            used: SIZE,
        })
    };
}

const LENGTH: usize = 16;

/// 64 ids.
const SIZE: usize = 64 * LENGTH;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn no_id_comes_twice_on_any_thread() {
        let many = || (0..1000).map(|_| random_uuid()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(many)).collect();
        let ids = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        let ids: HashSet<_> = ids.collect();
        assert_eq!(ids.len(), 4000);
        assert!(ids.iter().all(|id| id.get_version_num() == 4));
    }

    /// Each bit that is not fixed is set in about half of the ids: 5,000 of 10,000, with a standard
    /// deviation of 50.
    #[test]
    fn every_bit_that_is_not_fixed_is_random() {
        let mut set = [0_u32; 128];
        for _ in 0..10_000 {
            let id = random_uuid().as_u128();
            for (bit, set) in set.iter_mut().enumerate() {
                *set += u32::from(id >> bit & 1 == 1);
            }
        }
        let fixed = set.iter().filter(|set| [0, 10_000].contains(*set));
        assert_eq!(fixed.count(), 6);
        let random = set.iter().filter(|set| (4_500..5_500).contains(*set));
        assert_eq!(random.count(), 122);
    }
}
