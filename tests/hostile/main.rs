//! A peer that publishes whatever it likes, with no more permissions than a caller has.
//!
//! `RPC_HOSTILE_SECONDS` and `RPC_HOSTILE_SEED` make the random run longer, and repeat it.
//! Of the messages that are tried by themselves the suite takes some, by the seed; all are taken
//! with `RPC_HOSTILE_ONLY`, which is a part of their names, and may be empty.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use std::collections::{BTreeSet, VecDeque};
use std::env;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::{join, join_all};
use tokio::time::{Instant, sleep};

use self::draft::{Draft, World};
use self::ledger::Account;
use self::scene::{METHODS, Peer, Scene};
use self::singles::harmful;

mod draft;
mod encoding;
mod ledger;
mod scene;
mod singles;
mod spoiling;
mod tap;

/// Any message, by its number in the run of a seed; what was done to it, and the message.
fn any_message(seed: u64, number: u64, world: &World, spoilings: &Spoilings) -> (String, Draft) {
    let mut rng = Rng::with_seed(seed.wrapping_add(number));
    let method = METHODS[rng.usize(..3)];
    let (name, mut draft) = match rng.u8(..10) {
        0..4 => (format!("call of {method}"), Draft::call(method, 0)),
        4..6 => (
            format!("call of {method}, given up"),
            Draft::given_up(method),
        ),
        6..8 => (format!("batch for {method}"), Draft::batch(method, 0)),
        _ => {
            let kind = rng.choice(REPLIES).unwrap();
            (format!("{kind} for a caller"), Draft::reply(kind, world))
        }
    };
    let mut done = vec![format!("{number}: {name}")];
    for _ in 0..rng.usize(1..4) {
        let kinds = match draft.is_batch() && rng.bool() {
            true => &spoilings.of_batches,
            false => &spoilings.of_any,
        };
        let spoiling = rng.choice(kinds).unwrap();
        spoiling.apply(&mut draft, world, &mut rng);
        done.push(spoiling.name.clone());
    }
    (done.join(", "), draft)
}

/// What passes for a reply.
const REPLIES: [&str; 4] = ["result", "error", "batch", "call"];

struct Spoilings {
    of_any: Vec<spoiling::Spoiling>,
    of_batches: Vec<spoiling::Spoiling>,
}

/// Publishes any messages until the time is over; returns how many the broker took, the kinds of
/// what was done, and what had gone out just before something was closed.
async fn attack(scene: &Scene, seed: u64, end: Instant) -> (usize, usize, Vec<String>) {
    let mut peer: Peer = scene.peer();
    let spoilings = Spoilings {
        of_any: spoiling::of_any(),
        of_batches: spoiling::of_batches(),
    };
    let (mut taken, mut kinds, mut suspects) = (0, BTreeSet::new(), Vec::new());
    let mut latest = VecDeque::new();
    let mut before = scene.seen();
    for number in 0.. {
        if Instant::now() >= end {
            break;
        }
        if number % 64 == 0 {
            scene.peek().await;
        }
        let (name, draft) = any_message(seed, number, &scene.world(), &spoilings);
        if peer.publish(&draft).await.is_ok() {
            taken += 1;
            kinds.extend(name.split(", ").skip(1).map(str::to_owned));
        }
        latest.push_back(name);
        while latest.len() > 5 {
            latest.pop_front();
        }
        let seen = scene.seen();
        if (seen.closed, seen.connections) != (before.closed, before.connections) {
            // What follows the first loss may only be its consequence.
            if suspects.len() < MOST_SUSPECTS {
                suspects.extend(latest.drain(..));
            }
            before = seen;
        }
        sleep(PACE).await;
    }
    (taken, kinds.len(), suspects)
}

/// How many messages that may have done harm are shown.
const MOST_SUSPECTS: usize = 10;

/// Between two messages, so that what is measured is what they do, and not their number.
const PACE: Duration = Duration::from_millis(10);

/// Calls all methods again and again until the time is over.
async fn call_until(scene: &Scene, end: Instant) -> Account {
    let caller = async || {
        while Instant::now() < end {
            scene.ledger.call_all(&scene.clients).await;
            sleep(Duration::from_millis(5)).await;
        }
    };
    join_all((0..2).map(|_| caller())).await;
    scene.ledger.take()
}

fn number_of(variable: &str, default: u64) -> u64 {
    let value = env::var(variable).ok();
    value.map_or(default, |value| value.parse().expect(variable))
}

/// That of the run: always the same, unless another is wanted.
fn seed() -> u64 {
    let seed = number_of("RPC_HOSTILE_SEED", 13);
    println!("RPC_HOSTILE_SEED={seed}");
    seed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_messages_of_a_peer_disturb_nobody() {
    let seconds = number_of("RPC_HOSTILE_SECONDS", 5);
    let seed = seed();
    let time = Duration::from_secs(seconds);
    let scene = Scene::open().await;
    let calm = call_until(&scene, Instant::now() + time.min(LONGEST_CALM)).await;
    assert_eq!(calm.failed, Vec::<String>::new(), "without the peer");
    let before = scene.seen();
    assert_eq!(before.closed, 0, "{:?}", before.words);

    let end = Instant::now() + time;
    let (account, (taken, kinds, suspects)) =
        join(call_until(&scene, end), attack(&scene, seed, end)).await;
    let after = scene.seen();
    let lost = after.connections - before.connections;
    let [quiet, loud] = [&calm, &account].map(|account| account.percentile(99));
    println!(
        "{taken} messages of {kinds} kinds, {} honest calls",
        account.calls
    );
    println!(
        "{} closed, {lost} connections made anew: {:#?}",
        after.closed, after.words
    );
    println!("sent just before: {suspects:#?}");
    println!(
        "p50 {:?} and {:?}",
        calm.percentile(50),
        account.percentile(50)
    );
    println!("p99 {quiet:?} without the peer, {loud:?} with it");
    println!("{} late, doubled: {:?}", account.late, account.doubled);
    let failed = &account.failed[..account.failed.len().min(20)];
    assert_eq!(
        failed,
        [""; 0],
        "{} of {} failed",
        account.failed.len(),
        account.calls
    );
    assert_eq!((account.late, account.doubled.len()), (0, 0));
    assert!(taken > 0);
    assert!(
        after.closed.max(lost) <= kinds,
        "more was closed than there are kinds"
    );
    assert!(loud < quiet * MOST_SLOWER + SPIKE);
}

/// How long it is measured without the peer.
const LONGEST_CALM: Duration = Duration::from_secs(20);

/// How many times as long an honest call may take. The suite runs other tests at the same time.
const MOST_SLOWER: u32 = 3;

/// And what a busy machine may add.
const SPIKE: Duration = Duration::from_millis(200);

/// Each by itself, so that a failure names its message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_single_message_disturbs_anybody() {
    let found = harmful(singles::published()).await;
    assert_eq!(found, Vec::<String>::new());
}

/// Each is redelivered: its server is lost with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_single_message_disturbs_anybody_when_it_is_redelivered() {
    let found = harmful(singles::redelivered()).await;
    assert_eq!(found, Vec::<String>::new());
}
