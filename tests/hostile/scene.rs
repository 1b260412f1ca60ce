//! Two servers of the same methods, two honest callers, and a peer that is none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use rpc_core::{Batching, Rpc};
use rpc_tests::{
    RabbitNode, RawFrames, RawPeer, Vhost, call_properties, fresh_vhost, reply_properties,
    shared_node,
};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::draft::{Draft, World};
use super::ledger::Ledger;
use super::tap::{Seen, Tap};
use rpc_tests::{eventually, port_of};

/// The methods that the peer sends to, and one that it leaves alone.
pub(crate) const METHODS: [&str; 4] = ["plain", "again", "kept", "other"];

/// The method whose calls tell the reply queues of callers.
const PEEK: &str = "peek";

const PASSWORD: &str = "secret";

/// What callers and servers may do, as `docs/guide/permissions.md` has it.
const CALLER: [&str; 3] = [
    r"^(rpc\.reply\..*|rpc\.dlx)$",
    r"^(rpc\.reply\..*|amq\.default)$",
    r"^(rpc\.reply\..*|rpc\.dlx)$",
];
const SERVER: [&str; 3] = [
    r"^(rpc\.reply\..*|rpc\.dlx|(rpc\.lane\.)?(plain|again|kept|other)|kept\.lost)$",
    r"^(rpc\.reply\..*|rpc\.dlx|amq\.default)$",
    r"^(rpc\.reply\..*|rpc\.dlx|(rpc\.lane\.)?(plain|again|kept|other)|kept\.lost)$",
];

pub(crate) struct Scene {
    pub(crate) clients: Vec<Rpc>,
    pub(crate) ledger: Arc<Ledger>,
    servers: Vec<Rpc>,
    /// Of each server, then of each client.
    taps: Vec<Tap>,
    url_of_peer: String,
    user_of_peer: String,
    victim: Arc<Mutex<String>>,
    direct: String,
    onlooker: RawPeer,
    _informer: JoinSet<()>,
    _vhost: Vhost,
}

impl Scene {
    pub(crate) async fn open() -> Self {
        let node = shared_node()
            .await
            .node()
            .expect("a test that needs rabbitmqctl; unset RABBITMQ_URL");
        let vhost = fresh_vhost().await;
        let users = ["server", "honest", "hostile"].map(|user| format!("{user}-{}", vhost.name()));
        admit(node, vhost.name(), &users).await;
        let [server, honest, hostile] = users
            .each_ref()
            .map(|user| node.url_for(user, PASSWORD, vhost.name()));
        let ledger = Arc::<Ledger>::default();
        let mut taps = Vec::new();
        let mut servers = Vec::new();
        for _ in 0..2 {
            let tap = Tap::start(port_of(&server)).await;
            servers.push(Rpc::connect(tap.url(&server)).await.unwrap());
            taps.push(tap);
        }
        for rpc in &servers {
            serve(rpc, &ledger).await;
        }
        let mut clients = Vec::new();
        for batching in [Batching::default(), Batching::always()] {
            let tap = Tap::start(port_of(&honest)).await;
            let builder = Rpc::builder(tap.url(&honest)).batching(batching);
            clients.push(builder.connect().await.unwrap());
            taps.push(tap);
        }
        let victim = Arc::<Mutex<String>>::default();
        let peer = RawPeer::connect(vhost.url()).await.unwrap();
        lanes_open(&peer).await;
        peer.method_queue(PEEK).await.unwrap();
        let mut informer = JoinSet::new();
        informer.spawn(inform(peer, Arc::clone(&victim)));
        let scene = Self {
            clients,
            ledger,
            servers,
            taps,
            url_of_peer: hostile,
            user_of_peer: users[2].clone(),
            victim,
            direct: direct_address(vhost.url()).await,
            onlooker: RawPeer::connect(vhost.url()).await.unwrap(),
            _informer: informer,
            _vhost: vhost,
        };
        scene.peek().await;
        scene
    }

    /// Learns the reply queue of a caller, as each server of a method does.
    pub(crate) async fn peek(&self) {
        let client = &self.clients[fastrand::usize(..self.clients.len())];
        // One that fails is seen by the calls that are counted.
        let _ = client.call(PEEK, ()).timeout(Duration::from_secs(1)).await;
    }

    pub(crate) fn world(&self) -> World {
        let victim = self.victim.lock().unwrap_or_else(PoisonError::into_inner);
        World {
            victim: victim.clone(),
            user: self.user_of_peer.clone(),
            direct: self.direct.clone(),
        }
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer {
            url: self.url_of_peer.clone(),
            frames: None,
        }
    }

    /// What was seen on all connections of the honest so far.
    pub(crate) fn seen(&self) -> Seen {
        let mut all = Seen::default();
        for seen in self.taps.iter().map(Tap::seen) {
            all.connections += seen.connections;
            all.closed += seen.closed;
            all.words.extend(seen.words);
        }
        all
    }

    /// Cuts the connections of both servers, which come back.
    pub(crate) async fn cut_servers(&self) {
        let before = self.seen().connections;
        for tap in &self.taps[..self.servers.len()] {
            tap.cut();
        }
        eventually("both servers are back", async || {
            self.seen().connections >= before + 2 * self.servers.len()
        })
        .await;
        // What was lost with them comes to the lanes only when they are open again.
        lanes_open(&self.onlooker).await;
    }
}

/// Declares the users, with what they may do.
async fn admit(node: &RabbitNode, vhost: &str, users: &[String; 3]) {
    let (mut made, mut permissions) = (Vec::new(), Vec::new());
    for (name, patterns) in users.iter().zip([SERVER, CALLER, CALLER]) {
        let [configure, write, read] = patterns;
        made.push(json!({"name": name, "password": PASSWORD, "tags": ""}));
        permissions.push(json!({
            "user": name, "vhost": vhost, "configure": configure, "write": write, "read": read
        }));
    }
    node.import(&json!({"users": made, "permissions": permissions}))
        .await
        .unwrap();
}

async fn serve(rpc: &Rpc, ledger: &Arc<Ledger>) {
    for method in METHODS {
        let ledger = Arc::clone(ledger);
        let serve = rpc.register(method, move |args| Arc::clone(&ledger).run(args));
        let serve = serve.idempotent(method == "again" || method == "kept");
        let serve = match method {
            "kept" => serve.dead_letter_queue("kept.lost"),
            _ => serve,
        };
        serve.await.unwrap();
    }
}

/// A server starts before it takes batches.
async fn lanes_open(peer: &RawPeer) {
    for method in METHODS {
        eventually("both servers take batches", async || {
            let lane = format!("rpc.lane.{method}");
            peer.counts(&lane)
                .await
                .is_ok_and(|(_, servers)| servers == 2)
        })
        .await;
    }
}

/// An address as the broker makes them for direct replies. Its caller is gone when this returns.
async fn direct_address(url: &str) -> String {
    let caller = RawPeer::connect(url).await.unwrap();
    let _replies = caller.consume_no_ack(DIRECT).await.unwrap();
    let options = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = caller
        .declare("", options, FieldTable::default())
        .await
        .unwrap();
    let mut calls = caller.consume_no_ack(&queue).await.unwrap();
    caller
        .publish(&queue, call_properties(DIRECT, "1"), "")
        .await
        .unwrap();
    let call = calls.next().await.unwrap();
    let address = call.reply_to().unwrap().to_owned();
    assert_ne!(address, DIRECT);
    caller.close().await.unwrap();
    address
}

const DIRECT: &str = "amq.rabbitmq.reply-to";

/// Serves the method by which reply queues are learnt.
async fn inform(peer: RawPeer, victim: Arc<Mutex<String>>) {
    let mut calls = peer.consume_no_ack(PEEK).await.unwrap();
    loop {
        // An idle time is none of its business.
        let Ok(call) = calls.next().await else {
            continue;
        };
        let (Some(queue), Some(id)) = (call.reply_to(), call.correlation_id()) else {
            continue;
        };
        queue.clone_into(&mut victim.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = peer
            .try_publish(queue, reply_properties("result", id), "1")
            .await;
    }
}

/// A peer with a caller's permissions, which connects again after each refusal.
pub(crate) struct Peer {
    url: String,
    frames: Option<RawFrames>,
}

impl Peer {
    /// Publishes a message; the error is what the broker says, if it refuses it.
    pub(crate) async fn publish(&mut self, draft: &Draft) -> Result<(), String> {
        let mut frames = match self.frames.take() {
            Some(frames) => frames,
            None => self.connect().await?,
        };
        let (properties, body) = (draft.properties.encode(), draft.content());
        let published = frames.publish("", draft.queue.as_bytes(), &properties, &body);
        published.await.map_err(|error| format!("{error:#}"))?;
        self.frames = Some(frames);
        Ok(())
    }

    async fn connect(&self) -> Result<RawFrames, String> {
        for _ in 0..5 {
            if let Ok(frames) = RawFrames::connect(&self.url).await {
                return Ok(frames);
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err("the peer cannot connect".into())
    }
}
