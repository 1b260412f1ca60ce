//! Acknowledgements, as a broker sees them.

use std::convert::Infallible;

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn take(tags: &mut Tags) -> Vec<(u64, bool)> {
    take_first(tags, usize::MAX)
}

fn take_first(tags: &mut Tags, count: usize) -> Vec<(u64, bool)> {
    let mut acks = Vec::new();
    let Ok(()) = tags.take(count, |Ack { tag, multiple }| {
        acks.push((tag, multiple));
        Ok::<_, Infallible>(())
    });
    acks
}

fn with(open: &[u64]) -> Tags {
    let mut tags = Tags::default();
    open.iter().for_each(|tag| tags.open(*tag, 0));
    tags
}

#[test]
fn what_is_done_in_order_is_acknowledged_as_one() {
    let mut tags = with(&[1, 2, 3, 4]);
    for tag in [2, 1, 3] {
        tags.answered(&[tag]);
    }
    assert_eq!(take(&mut tags), [(3, true)]);
    tags.answered(&[4]);
    assert_eq!(take(&mut tags), [(4, false)]);
    assert_eq!(take(&mut tags), []);
}

#[test]
fn nothing_that_runs_is_acknowledged() {
    let mut tags = with(&[1, 2, 3, 4]);
    for tag in [1, 3, 4] {
        tags.answered(&[tag]);
    }
    assert_eq!(take(&mut tags), [(3, false), (4, false), (1, false)]);
    tags.answered(&[2]);
    assert_eq!(take(&mut tags), [(2, false)]);
}

#[test]
fn what_never_arrived_is_not_acknowledged() {
    let mut tags = with(&[1, 3, 4]);
    for tag in [1, 3, 4] {
        tags.answered(&[tag]);
    }
    assert_eq!(take(&mut tags), [(3, false), (4, false), (1, false)]);
    let mut tags = with(&[2, 3]);
    tags.answered(&[2]);
    tags.answered(&[3]);
    assert_eq!(take(&mut tags), [(2, false), (3, false)]);
}

#[test]
fn nothing_is_acknowledged_whose_answer_may_not_be_written() {
    let mut tags = with(&[1, 2, 3]);
    for tag in [2, 3, 1] {
        tags.answered(&[tag]);
    }
    assert_eq!(take_first(&mut tags, 2), [(2, false), (3, false)]);
    assert_eq!(take(&mut tags), [(1, false)]);
}

#[test]
fn what_was_settled_by_other_means_is_not_settled_again() {
    let mut tags = with(&[1, 2, 3]);
    tags.answered(&[1]);
    tags.answered(&[2]);
    // As for a call that was handed back.
    tags.open.remove(&3);
    assert_eq!(take(&mut tags), [(2, true)]);
}

#[derive(Clone, Debug)]
enum Step {
    /// Sees the next delivery, or misses it.
    See { misses: bool },
    /// Answers the delivery at this index of those that are open.
    Finish(usize),
    /// Settles the open delivery at this index by other means.
    Settle(usize),
    /// Acknowledges this many of those that were answered first.
    Take(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::bool::weighted(0.05).prop_map(|misses| Step::See { misses }),
        3 => (0..8_usize).prop_map(Step::Finish),
        1 => (0..8_usize).prop_map(Step::Settle),
        1 => (0..8_usize).prop_map(Step::Take),
    ]
}

proptest! {
    /// A broker closes the channel when a tag is unknown. Each delivery is settled exactly once,
    /// and none that is still open is acknowledged.
    #[test]
    fn each_is_settled_once_and_none_that_is_open(steps in vec(step(), 0..200)) {
        let mut tags = Tags::default();
        let mut unsettled = BTreeSet::new();
        let mut next = 1;
        let (mut open, mut done): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        for step in steps.into_iter().chain([Step::Take(usize::MAX)]) {
            match step {
                Step::See { misses } => {
                    unsettled.insert(next);
                    if !misses {
                        tags.open(next, 0);
                        open.push(next);
                    }
                    next += 1;
                }
                Step::Finish(which) if which < open.len() => {
                    let tag = open.remove(which);
                    tags.answered(&[tag]);
                    done.push(tag);
                }
                Step::Settle(which) if which < open.len() => {
                    let tag = open.remove(which);
                    tags.open.remove(&tag);
                    unsettled.remove(&tag);
                }
                Step::Take(count) => {
                    let later = done.split_off(count.min(done.len()));
                    let mut due: BTreeSet<_> = mem::replace(&mut done, later).into_iter().collect();
                    for (tag, multiple) in take_first(&mut tags, count) {
                        prop_assert!(unsettled.contains(&tag), "{tag} is unknown");
                        let settled: Vec<_> = match multiple {
                            true => unsettled.range(..=tag).copied().collect(),
                            false => vec![tag],
                        };
                        for tag in settled {
                            prop_assert!(due.remove(&tag), "{tag} is not done");
                            unsettled.remove(&tag);
                        }
                    }
                    prop_assert!(due.is_empty(), "{due:?}");
                }
                Step::Finish(_) | Step::Settle(_) => {}
            }
        }
    }
}
