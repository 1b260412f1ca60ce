//! Determines what became of each confirmed message, although lapin may attach a returned message
//! to the confirmation of another one. Messages with the same correlation id, such as the copies
//! of one call, may get each other's receipts.

use std::collections::HashSet;

use crate::transport::Receipt;

/// Finds out which of the confirmed calls the broker has returned.
///
/// The broker returns a call before it confirms it. lapin keeps returned calls in a queue, and
/// attaches the first of them to whichever confirmation comes next. So a call may be confirmed
/// while it is still in that queue: its confirmation then took another call from the queue, which
/// was returned earlier and will be confirmed later. As long as a returned call is not confirmed,
/// no confirmed call is known to have arrived.
#[derive(Debug)]
pub(super) struct ConfirmCorrelator<T> {
    /// Calls that were returned and are not confirmed yet, by correlation id.
    returned: HashSet<String>,
    /// Calls that are confirmed, and may yet turn out to have been returned.
    open: Vec<Confirmed<T>>,
}

/// The broker's confirmation of a call.
#[derive(Debug)]
pub(super) struct Confirmed<T> {
    /// The call's correlation id; empty if it has none.
    pub(super) id: String,
    /// Whoever waits for the receipt.
    pub(super) caller: T,
    /// What became of the call, unless it was returned.
    pub(super) receipt: Receipt,
    /// The correlation id of the returned call that was attached to the confirmation.
    pub(super) returned: Option<String>,
}

impl<T> ConfirmCorrelator<T> {
    pub(super) fn new() -> Self {
        Self {
            returned: HashSet::new(),
            open: Vec::new(),
        }
    }

    /// Adds all confirmations that have arrived since the last call, and returns the receipts that
    /// are now certain.
    pub(super) fn settle(&mut self, confirmed: Vec<Confirmed<T>>) -> Vec<(T, Receipt)> {
        for mut confirmed in confirmed {
            self.returned.extend(confirmed.returned.take());
            self.open.push(confirmed);
        }
        let returned = |call: &mut Confirmed<T>| self.returned.remove(&call.id);
        let mut settled: Vec<_> = self
            .open
            .extract_if(.., returned)
            .map(|call| (call.caller, Receipt::Unroutable))
            .collect();
        if self.returned.is_empty() {
            let arrived = self.open.drain(..);
            settled.extend(arrived.map(|call| (call.caller, call.receipt)));
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// The state of a broker and of lapin, which together take one step at a time.
    #[derive(Clone, Default)]
    struct Model {
        /// Calls without a queue that are not returned yet.
        unroutable: Vec<u8>,
        /// Calls that are not confirmed yet.
        unconfirmed: Vec<u8>,
        /// Returned calls that are not attached to a confirmation yet.
        returned: VecDeque<u8>,
    }

    /// A call, and the returned call that is attached to its confirmation.
    type Confirmation = (u8, Option<u8>);

    impl Model {
        /// Every possible next step: a call is returned, or a call that need not be returned any
        /// more is confirmed.
        fn next(&self) -> Vec<(Self, Option<Confirmation>)> {
            let mut steps = Vec::new();
            for (place, call) in self.unroutable.iter().enumerate() {
                let mut after = self.clone();
                after.unroutable.remove(place);
                after.returned.push_back(*call);
                steps.push((after, None));
            }
            for (place, call) in self.unconfirmed.iter().enumerate() {
                if !self.unroutable.contains(call) {
                    let mut after = self.clone();
                    after.unconfirmed.remove(place);
                    let with = after.returned.pop_front();
                    steps.push((after, Some((*call, with))));
                }
            }
            steps
        }
    }

    /// The confirmations for every order in which `calls` may be returned and confirmed.
    fn orders(calls: u8, unroutable: &[u8]) -> Vec<Vec<Confirmation>> {
        let start = Model {
            unroutable: unroutable.to_vec(),
            unconfirmed: (0..calls).collect(),
            returned: VecDeque::new(),
        };
        let mut open = vec![(start, Vec::new())];
        let mut ended = Vec::new();
        while let Some((model, confirmed)) = open.pop() {
            let steps = model.next();
            if steps.is_empty() {
                ended.push(confirmed);
                continue;
            }
            for (model, confirmation) in steps {
                let mut confirmed: Vec<_> = confirmed.clone();
                confirmed.extend(confirmation);
                open.push((model, confirmed));
            }
        }
        ended
    }

    #[test]
    fn each_call_has_its_own_receipt_whatever_the_order() {
        let id = |call: u8| call.to_string();
        for unroutable in [&[][..], &[0], &[1, 2], &[0, 2, 3], &[0, 1, 2, 3]] {
            let truth = (0..4).map(|call| match unroutable.contains(&call) {
                true => (call, Receipt::Unroutable),
                false => (call, Receipt::Taken),
            });
            for order in orders(4, unroutable) {
                // Each bit is a confirmation after which the correlator is asked.
                for asked in 0..8 {
                    let mut correlator = ConfirmCorrelator::new();
                    let mut receipts = Vec::new();
                    let mut seen = Vec::new();
                    for (place, (call, with)) in order.iter().enumerate() {
                        seen.push(Confirmed {
                            id: id(*call),
                            caller: *call,
                            receipt: Receipt::Taken,
                            returned: with.map(id),
                        });
                        if asked & (1 << place) != 0 || place == 3 {
                            receipts.extend(correlator.settle(std::mem::take(&mut seen)));
                        }
                    }
                    receipts.sort_by_key(|(call, _)| *call);
                    assert!(
                        receipts.iter().copied().eq(truth.clone()),
                        "{order:?} {asked:b}: {receipts:?}"
                    );
                }
            }
        }
    }
}
