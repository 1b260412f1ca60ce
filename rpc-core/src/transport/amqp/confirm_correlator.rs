//! What became of each confirmed message, by confirmations that come with the returned messages of others. Messages with the
//! same correlation id, as the copies of one call, may get each other's receipts.

use std::collections::HashSet;

use crate::transport::Receipt;

/// Finds out which of the confirmed calls the broker has returned.
///
/// The broker returns a call before it confirms it. lapin puts what was returned into a line, and gives the
/// first in the line to whichever confirmation comes next. So a call may be confirmed while it is still in
/// the line: then its confirmation took another's place there, one that was returned earlier and is
/// confirmed later. As long as there is such a one, a call is not known to have arrived.
#[derive(Debug)]
pub(super) struct ConfirmCorrelator<T> {
    /// Those that were returned and are not confirmed yet.
    returned: HashSet<String>,
    /// Those that are confirmed, and may yet turn out to be returned.
    open: Vec<Confirmed<T>>,
}

/// The broker's word on a call.
#[derive(Debug)]
pub(super) struct Confirmed<T> {
    /// The call's correlation id; empty if it has none.
    pub(super) id: String,
    /// Who waits for it.
    pub(super) caller: T,
    /// What became of it unless it was returned.
    pub(super) receipt: Receipt,
    /// The correlation id of the returned call that came with the confirmation.
    pub(super) returned: Option<String>,
}

impl<T> ConfirmCorrelator<T> {
    pub(super) fn new() -> Self {
        Self {
            returned: HashSet::new(),
            open: Vec::new(),
        }
    }

    /// Adds all confirmations that have come since the last time, and returns the receipts that are
    /// certain by now.
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

    /// A broker, and lapin between it and us, which together take one step at a time.
    #[derive(Clone, Default)]
    struct Line {
        /// Those for which there is no queue, before they are returned.
        unroutable: Vec<u8>,
        /// Those that may be confirmed.
        unconfirmed: Vec<u8>,
        /// Returned, and not yet given to a confirmation.
        line: VecDeque<u8>,
    }

    /// A call, and the one that was returned with its confirmation.
    type Confirmation = (u8, Option<u8>);

    impl Line {
        /// Every way in which it may go on: a call comes back, or is confirmed if it does not come back later.
        fn next(&self) -> Vec<(Self, Option<Confirmation>)> {
            let mut ways = Vec::new();
            for (place, call) in self.unroutable.iter().enumerate() {
                let mut after = self.clone();
                after.unroutable.remove(place);
                after.line.push_back(*call);
                ways.push((after, None));
            }
            for (place, call) in self.unconfirmed.iter().enumerate() {
                if !self.unroutable.contains(call) {
                    let mut after = self.clone();
                    after.unconfirmed.remove(place);
                    let with = after.line.pop_front();
                    ways.push((after, Some((*call, with))));
                }
            }
            ways
        }
    }

    /// The confirmations of every order in which `calls` may come back and be confirmed.
    fn orders(calls: u8, unroutable: &[u8]) -> Vec<Vec<Confirmation>> {
        let start = Line {
            unroutable: unroutable.to_vec(),
            unconfirmed: (0..calls).collect(),
            line: VecDeque::new(),
        };
        let mut open = vec![(start, Vec::new())];
        let mut ended = Vec::new();
        while let Some((line, confirmed)) = open.pop() {
            let ways = line.next();
            if ways.is_empty() {
                ended.push(confirmed);
                continue;
            }
            for (line, confirmation) in ways {
                let mut confirmed: Vec<_> = confirmed.clone();
                confirmed.extend(confirmation);
                open.push((line, confirmed));
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
                // Each bit is a place where we look.
                for looks in 0..8 {
                    let mut receipts = ConfirmCorrelator::new();
                    let mut told = Vec::new();
                    let mut seen = Vec::new();
                    for (place, (call, with)) in order.iter().enumerate() {
                        seen.push(Confirmed {
                            id: id(*call),
                            caller: *call,
                            receipt: Receipt::Taken,
                            returned: with.map(id),
                        });
                        if looks & (1 << place) != 0 || place == 3 {
                            told.extend(receipts.settle(std::mem::take(&mut seen)));
                        }
                    }
                    told.sort_by_key(|(call, _)| *call);
                    assert!(
                        told.iter().copied().eq(truth.clone()),
                        "{order:?} {looks:b}: {told:?}"
                    );
                }
            }
        }
    }
}
