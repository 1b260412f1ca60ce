use std::time::Duration;

use super::*;
use crate::wire::correlation_id::CorrelationId;

async fn wait(time: Duration) {
    tokio::time::advance(time).await;
}

fn call(id: usize, size: usize) -> Message {
    Message {
        correlation_id: Some(text_id(id)),
        body: vec![0; size].into(),
        ..Message::default()
    }
}

fn text_id(id: usize) -> CorrelationId {
    id.to_string().as_str().into()
}

fn open() -> Batcher {
    let batcher = Batcher::new("echo", "rpc.lane.echo".into());
    batcher.advise(true);
    batcher
}

fn goes(batcher: &Batcher, options: &Batching) -> bool {
    matches!(batcher.enter(call(0, 10), options), Entered::Goes(_))
}

fn counts(batcher: &Batcher, options: &Batching) -> Vec<usize> {
    let taken = std::iter::from_fn(|| Some(batcher.take(options).len()));
    taken.take_while(|count| *count > 0).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lone_call_goes_at_once() {
    let (batcher, options) = (open(), Batching::default());
    for _ in 0..3 {
        assert!(goes(&batcher, &options));
        batcher.leave(&options);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_gather_while_others_are_on_their_way() {
    let (batcher, options) = (open(), Batching::default());
    assert!(goes(&batcher, &options));
    for _ in 0..9 {
        assert!(!goes(&batcher, &options));
    }
    assert_eq!(counts(&batcher, &options), [9]);
    // One call is answered and its caller calls again. The new call waits for some of the nine.
    batcher.leave(&options);
    assert!(!goes(&batcher, &options));
    assert_eq!(counts(&batcher, &options), [0; 0]);
    for _ in 0..6 {
        batcher.leave(&options);
    }
    assert_eq!(counts(&batcher, &options), [1]);
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_longer_than_the_delay() {
    let (batcher, options) = (open(), Batching::default());
    for _ in 0..9 {
        goes(&batcher, &options);
    }
    counts(&batcher, &options);
    assert!(!goes(&batcher, &options));
    assert_eq!(
        batcher.due(&options),
        Some(Instant::now() + options.max_delay)
    );
    assert_eq!(counts(&batcher, &options), [0; 0]);
    wait(options.max_delay).await;
    assert_eq!(counts(&batcher, &options), [1]);
    assert_eq!(batcher.due(&options), None);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_bounded_by_calls_and_bytes() {
    let batcher = open();
    let options = Batching::default().max_calls(4).max_bytes(35);
    goes(&batcher, &options);
    for _ in 0..10 {
        goes(&batcher, &options);
    }
    assert_eq!(counts(&batcher, &options), [3, 3, 3]);
    let few = Batching::default().max_calls(4);
    for _ in 0..10 {
        goes(&batcher, &few);
    }
    wait(few.max_delay).await;
    assert_eq!(counts(&batcher, &few), [4, 4, 3]);
}

#[tokio::test(start_paused = true)]
async fn many_that_come_at_once_go_in_several_batches() {
    let batcher = open();
    let options = Batching::default();
    for calls in [200, 1000] {
        for _ in 0..calls {
            goes(&batcher, &options);
        }
        wait(options.max_delay).await;
        let counts = counts(&batcher, &options);
        assert!(counts.len() >= 4, "{counts:?}");
        for _ in 0..calls {
            batcher.leave(&options);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_server_that_said_so_not_long_ago_gets_batches() {
    let options = Batching::default();
    let batcher = Batcher::new("echo", "rpc.lane.echo".into());
    assert!(goes(&batcher, &options) && goes(&batcher, &options));
    batcher.advise(true);
    assert!(!goes(&batcher, &options));
    wait(BELIEVED).await;
    assert!(goes(&batcher, &options));
    batcher.advise(true);
    batcher.advise(false);
    assert!(goes(&batcher, &options), "its handlers have become slow");
    batcher.shut();
    batcher.advise(true);
    assert!(goes(&batcher, &options), "a reply from before it was gone");
    wait(BELIEVED).await;
    batcher.advise(true);
    assert!(!goes(&batcher, &options));
}

#[tokio::test(start_paused = true)]
async fn a_call_can_be_taken_back_while_it_waits() {
    let (batcher, options) = (open(), Batching::default());
    goes(&batcher, &options);
    let numbers = [1, 2, 3].map(|id| number(&batcher, id, &options));
    assert!(batcher.withdraw(numbers[1]));
    assert!(!batcher.withdraw(numbers[1]));
    let ids = batcher.take(&options);
    let ids = ids.into_iter().filter_map(|call| call.correlation_id);
    assert_eq!(ids.collect::<Vec<_>>(), [text_id(1), text_id(3)]);
    assert!(!batcher.withdraw(numbers[0]));
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_taken_back_leave_no_more_places_than_calls() {
    let (batcher, options) = (open(), Batching::default());
    goes(&batcher, &options);
    let stays = number(&batcher, 1, &options);
    for id in 2..1000 {
        let number = number(&batcher, id, &options);
        assert!(batcher.withdraw(number));
        assert!(batcher.lock().waiting.len() <= 2);
    }
    // In any order, and at a cost that does not grow with their number.
    let numbers: Vec<_> = (0..50_000)
        .map(|id| number(&batcher, id, &options))
        .collect();
    for number in numbers
        .iter()
        .step_by(2)
        .chain(numbers.iter().skip(1).step_by(2).rev())
    {
        assert!(batcher.withdraw(*number));
    }
    assert!(batcher.withdraw(stays));
    let state = batcher.lock();
    assert_eq!((state.count, state.bytes, state.waiting.len()), (0, 0, 0));
}

/// The number of a call that waits.
fn number(batcher: &Batcher, id: usize, options: &Batching) -> u64 {
    match batcher.enter(call(id, 10), options) {
        Entered::Waits { number, .. } => number,
        Entered::Goes(_) => panic!("it goes at once"),
    }
}
