//! What is known of payments, which must not be begun twice: what their servers began, and how they ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rpc_core::RpcError;

/// Which payment was begun how often, by its customer and number. A payment returns the sum of the two.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<HashMap<(u32, u32), usize>>>);

impl Book {
    pub(crate) fn begin(&self, customer: u32, number: u32) -> u32 {
        let mut book = self.0.lock().unwrap();
        *book.entry((customer, number)).or_default() += 1;
        customer + number
    }

    /// Each end says what really happened. The only errors are those of calls that were sent and whose connection, or that
    /// of their server, was lost.
    pub(crate) fn confirms(&self, customer: u32, ends: &[Result<u32, RpcError>]) {
        let begun = self.0.lock().unwrap();
        for (number, end) in (0..).zip(ends) {
            let payment = (customer, number);
            let begun = begun.get(&payment).copied().unwrap_or_default();
            match end {
                Ok(sum) => assert_eq!((*sum, begun), (customer + number, 1), "{payment:?}"),
                Err(RpcError::ConnectionLost { sent: true, .. } | RpcError::Interrupted { .. }) => {
                    assert!(begun <= 1, "{payment:?} was begun {begun} times");
                }
                Err(other) => panic!("{payment:?}, begun {begun} times: {other:?}"),
            }
        }
    }
}
