//! Messages of which one thing is wrong, each by itself.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use super::draft::{Draft, World};
use super::scene::{Peer, Scene};
use super::spoiling::{Spoiling, of_any, of_batches};
use super::{REPLIES, seed};
use rpc_tests::eventually;

/// A message of the catalogue.
pub(crate) struct Single {
    pub(crate) name: String,
    base: Box<dyn Fn(&World) -> Draft + Send + Sync>,
    spoiling: Spoiling,
    /// Its server is lost while it runs.
    redelivered: bool,
}

impl Single {
    fn draft(&self, world: &World) -> Draft {
        let mut draft = (self.base)(world);
        let mut rng = Rng::with_seed(self.name.len() as u64);
        self.spoiling.apply(&mut draft, world, &mut rng);
        draft
    }
}

/// Each base with each way to spoil it.
fn catalogue<Base>(bases: Vec<(String, bool, Base)>, redelivered: bool) -> Vec<Single>
where
    Base: Fn(&World) -> Draft + Clone + Send + Sync + 'static,
{
    let mut all = Vec::new();
    for (name, is_batch, base) in bases {
        let mut spoilings = of_any();
        if is_batch {
            spoilings.extend(of_batches());
        }
        all.extend(spoilings.into_iter().map(|spoiling| Single {
            name: format!("{name}: {}", spoiling.name),
            base: Box::new(base.clone()),
            spoiling,
            redelivered,
        }));
    }
    all
}

/// Messages that are published, and no more.
pub(crate) fn published() -> Vec<Single> {
    let method = |method: &'static str| format!("a call of `{method}`");
    let mut all = catalogue(
        ["plain", "kept"]
            .map(|name| (method(name), false, move |_: &_| Draft::call(name, 0)))
            .into(),
        false,
    );
    let given_up = |_: &World| Draft::given_up("kept");
    all.extend(catalogue(
        vec![("a dead letter".to_owned(), false, given_up)],
        false,
    ));
    let batch = |_: &World| Draft::batch("plain", 0);
    all.extend(catalogue(vec![("a batch".to_owned(), true, batch)], false));
    let replies = REPLIES.map(|kind| {
        let reply = move |world: &World| Draft::reply(kind, world);
        (format!("a reply ({kind})"), kind == "batch", reply)
    });
    all.extend(catalogue(replies.into(), false));
    all
}

/// Messages whose server is lost while it runs them.
pub(crate) fn redelivered() -> Vec<Single> {
    let mut all = catalogue(
        ["plain", "again", "kept"]
            .map(|name| {
                let call = move |_: &World| Draft::call(name, NAP);
                (format!("a redelivered call of `{name}`"), false, call)
            })
            .into(),
        true,
    );
    let batches = ["plain", "kept"].map(|name| {
        let batch = move |_: &World| Draft::batch(name, NAP);
        (format!("a redelivered batch for `{name}`"), true, batch)
    });
    all.extend(catalogue(batches.into(), true));
    all
}

/// Those that disturb anybody, and what they did.
pub(crate) async fn harmful(mut singles: Vec<Single>) -> Vec<String> {
    match std::env::var("RPC_HOSTILE_ONLY") {
        Ok(part) => singles.retain(|single| single.name.contains(&part)),
        Err(_) => {
            let mut rng = Rng::with_seed(seed());
            singles.retain(|_| rng.u32(..SHARE) == 0);
        }
    }
    assert_ne!(singles.len(), 0);
    let mut found = Vec::new();
    let mut stage = Stage::open().await;
    for group in singles.chunks(GROUP) {
        let all: Vec<_> = group.iter().collect();
        let Some(together) = stage.harm(&all).await else {
            continue;
        };
        stage = Stage::open().await;
        let known = found.len();
        for single in group {
            if let Some(harm) = stage.harm(&[single]).await {
                println!("HARM {}: {harm}", single.name);
                found.push(format!("{}: {harm}", single.name));
                stage = Stage::open().await;
            }
        }
        if found.len() == known {
            // Each by itself did none.
            println!("HARM {} and those after it: {together}", group[0].name);
            found.push(format!("{} and those after it: {together}", group[0].name));
        }
    }
    found
}

/// The suite takes one of so many.
const SHARE: u32 = 12;

/// How many are tried together at first.
const GROUP: usize = 24;

/// A scene, and the peer in it.
struct Stage {
    scene: Scene,
    peer: Peer,
}

impl Stage {
    async fn open() -> Self {
        let scene = Scene::open().await;
        let peer = scene.peer();
        Self { scene, peer }
    }

    /// Publishes the messages, and says what harm they did.
    async fn harm(&mut self, singles: &[&Single]) -> Option<String> {
        let scene = &self.scene;
        let world = scene.world();
        let before = scene.seen();
        scene
            .ledger
            .hold(singles.iter().any(|single| single.redelivered));
        for single in singles {
            // What the broker refuses disturbs nobody.
            let _ = self.peer.publish(&single.draft(&world)).await;
        }
        let mut cut = 0;
        if singles.iter().any(|single| single.redelivered) {
            sleep(UNDER_WAY).await;
            let connections = scene.seen().connections;
            scene.cut_servers().await;
            scene.ledger.hold(false);
            cut = scene.seen().connections - connections;
            eventually("they serve again", async || {
                scene.ledger.call_all(&scene.clients).await;
                scene.ledger.take().failed.is_empty()
            })
            .await;
        }
        scene.ledger.call_all(&scene.clients).await;
        sleep(match (cut, singles.len()) {
            (0, 1) => SETTLES,
            (0, _) => SETTLES * 3,
            // The copies run as well.
            _ => SETTLES * 6 + 2 * Duration::from_millis(NAP),
        })
        .await;
        scene.ledger.call_all(&scene.clients).await;
        let account = scene.ledger.take();
        let mut after = scene.seen();
        let mut lost = after.connections - before.connections - cut;
        let closed = after.closed - before.closed;
        let slowest = account.percentile(100);
        let slow = slowest > SLOW;
        if closed + lost == 0 && account.failed.is_empty() && account.doubled.is_empty() && !slow {
            return None;
        }
        // Whether that goes on.
        sleep(GOES_ON).await;
        let failed = account.failed.len();
        let earlier = after.closed;
        after = scene.seen();
        lost += after
            .connections
            .saturating_sub(before.connections + cut + lost);
        let words = after.words.get(before.words.len()..).unwrap_or_default();
        let first = words.first().cloned().unwrap_or_default();
        Some(format!(
            "{} closed ({} of them in the last {GOES_ON:?}), {lost} connections anew, {failed} of \
             {} honest calls failed, doubled: {:?}, slowest {slowest:?}; {first}; {}",
            after.closed - before.closed,
            after.closed - earlier,
            account.calls,
            account.doubled,
            account.failed.first().map_or("", String::as_str),
        ))
    }
}

/// How long a handler takes whose server is to be lost, in milliseconds.
const NAP: u64 = 100;

/// How long a message runs before its server is lost.
const UNDER_WAY: Duration = Duration::from_millis(60);

/// How long what a message does may take to show.
const SETTLES: Duration = Duration::from_millis(50);

/// No honest call takes as long, on a busy machine either.
const SLOW: Duration = Duration::from_secs(2);

/// How long it is watched after that.
const GOES_ON: Duration = Duration::from_secs(1);
