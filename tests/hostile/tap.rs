//! A way to the broker that notes each channel and each connection that is closed on it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A port through which one program reaches the broker.
pub(crate) struct Tap {
    port: u16,
    target: u16,
    seen: Arc<Mutex<Seen>>,
    cut: watch::Sender<()>,
    /// Ends with this.
    _task: JoinSet<()>,
}

/// What was seen on all connections so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How many connections there were.
    pub(crate) connections: usize,
    /// How many channels and connections were closed by a method of the protocol, other than
    /// orderly.
    pub(crate) closed: usize,
    /// The words of the first of them.
    pub(crate) words: Vec<String>,
}

impl Tap {
    pub(crate) async fn start(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Seen>>::default();
        let (cut, _) = watch::channel(());
        let mut task = JoinSet::new();
        task.spawn(accept(listener, target, Arc::clone(&seen), cut.clone()));
        Self {
            port,
            target,
            seen,
            cut,
            _task: task,
        }
    }

    /// A URL of the broker that leads through this port.
    pub(crate) fn url(&self, url: &str) -> String {
        let target = format!("@127.0.0.1:{}", self.target);
        assert!(url.contains(&target), "{url} does not lead to {target}");
        url.replacen(&target, &format!("@127.0.0.1:{}", self.port), 1)
    }

    pub(crate) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// Ends all connections without a word.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(());
    }
}

async fn accept(
    listener: TcpListener,
    target: u16,
    seen: Arc<Mutex<Seen>>,
    cut: watch::Sender<()>,
) {
    let mut links = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        while links.try_join_next().is_some() {}
        lock(&seen).connections += 1;
        let (seen, cut) = (Arc::clone(&seen), cut.subscribe());
        links.spawn(relay(near, target, seen, cut));
    }
}

async fn relay(near: TcpStream, target: u16, seen: Arc<Mutex<Seen>>, mut cut: watch::Receiver<()>) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    let (Ok(()), Ok(())) = (near.set_nodelay(true), far.set_nodelay(true)) else {
        return;
    };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    // The protocol header comes before the first frame.
    let there = Frames::new("the program", PROTOCOL_HEADER, Arc::clone(&seen));
    let back = Frames::new("the broker", 0, seen);
    tokio::select! {
        () = copy(near_read, far_write, there) => {}
        () = copy(far_read, near_write, back) => {}
        _ = cut.changed() => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut frames: Frames) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        frames.read(&buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// The frames that pass on one way of a connection.
struct Frames {
    from: &'static str,
    /// How many bytes still belong to a frame of no interest.
    skip: usize,
    /// The frame that is being read, or its start. At most [`LARGEST_CLOSE`] bytes.
    held: Vec<u8>,
    seen: Arc<Mutex<Seen>>,
}

impl Frames {
    fn new(from: &'static str, skip: usize, seen: Arc<Mutex<Seen>>) -> Self {
        Self {
            from,
            skip,
            held: Vec::new(),
            seen,
        }
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let wanted = self.wanted() - self.held.len();
            let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.held.extend(taken);
            bytes = rest;
            if self.held.len() == HEAD && (self.held[0] != METHOD || self.size() > LARGEST_CLOSE) {
                self.skip = self.size() - HEAD;
                self.held.clear();
            } else if self.held.len() > HEAD && self.held.len() == self.size() {
                self.note();
                self.held.clear();
            }
        }
    }

    fn wanted(&self) -> usize {
        match self.held.len() {
            0..HEAD => HEAD,
            _ => self.size(),
        }
    }

    /// The size of the frame whose head is held.
    fn size(&self) -> usize {
        let length: [u8; 4] = self.held[3..HEAD].try_into().unwrap();
        HEAD + usize::try_from(u32::from_be_bytes(length)).unwrap() + 1
    }

    fn note(&self) {
        let payload = &self.held[HEAD..self.held.len() - 1];
        let what = match payload {
            [0, 10, 0, 50, ..] => "the connection",
            [0, 20, 0, 40, ..] => "a channel",
            _ => return,
        };
        let code = u16::from_be_bytes(payload[4..6].try_into().unwrap());
        if code == ORDERLY {
            return;
        }
        let text = &payload[7..][..usize::from(payload[6])];
        let mut seen = lock(&self.seen);
        seen.closed += 1;
        if seen.words.len() < MOST_WORDS {
            let text = String::from_utf8_lossy(text);
            let words = format!("{} closed {what}: {code} {text}", self.from);
            seen.words.push(words);
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

const PROTOCOL_HEADER: usize = 8;

/// The code with which a program closes what it no longer needs.
const ORDERLY: u16 = 200;

/// The head of a frame: its type, its channel, the length of its payload.
const HEAD: usize = 7;

const METHOD: u8 = 1;

/// A method that closes has a text of at most 255 bytes and a few numbers.
const LARGEST_CLOSE: usize = 512;

/// So many are enough to see what goes on.
const MOST_WORDS: usize = 20;
