//! A network link that a test can cut.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::port::listen;

const LIMIT: Duration = Duration::from_secs(10);

/// A TCP relay from a port of its own to another port of this machine.
///
/// Dropping it closes everything.
#[derive(Debug)]
pub struct TcpRelay {
    port: u16,
    target: u16,
    weather: watch::Sender<Weather>,
    links: Arc<Mutex<Vec<Link>>>,
    listener: Option<(Arc<TcpListener>, JoinHandle<()>)>,
}

/// A way through the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The direction from the connecting peers to the target.
    There,
    /// The direction from the target to the connecting peers.
    Back,
}

/// What the network does to all connections.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    there: Sky,
    back: Sky,
}

/// What it does to one way.
#[derive(Clone, Copy, Debug, Default)]
struct Sky {
    frozen: bool,
    delay: Duration,
}

impl Weather {
    fn on(&self, way: Way) -> &Sky {
        match way {
            Way::There => &self.there,
            Way::Back => &self.back,
        }
    }

    fn on_mut(&mut self, way: Way) -> &mut Sky {
        match way {
            Way::There => &mut self.there,
            Way::Back => &mut self.back,
        }
    }
}

/// One relayed connection.
#[derive(Debug)]
struct Link {
    end: oneshot::Sender<End>,
    task: JoinHandle<()>,
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Both sides see a reset.
    Reset,
    /// Who connected sees the end of the stream, and may go on to send.
    Half,
}

impl TcpRelay {
    /// Relays to `target`, such as a [`RabbitNode::port`](crate::RabbitNode::port).
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(target: u16) -> Result<Self> {
        let listener = listen()?;
        listener.set_nonblocking(true)?;
        let (weather, _) = watch::channel(Weather::default());
        let mut relay = Self {
            port: listener.local_addr()?.port(),
            target,
            weather,
            links: Arc::default(),
            listener: None,
        };
        relay.accept_from(TcpListener::from_std(listener)?);
        Ok(relay)
    }

    /// The relay's port of 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The target's URL, changed so that it leads through the relay.
    ///
    /// # Panics
    /// If the URL is not one of the target on 127.0.0.1.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let target = format!("@127.0.0.1:{}", self.target);
        assert!(
            url.contains(&target),
            "{url} does not lead to port {} of 127.0.0.1",
            self.target
        );
        url.replacen(&target, &format!("@127.0.0.1:{}", self.port), 1)
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|link| !link.task.is_finished());
        links.len()
    }

    /// Resets all connections, on both sides. New ones are still accepted.
    ///
    /// # Errors
    /// If that takes more than 10 s.
    pub async fn cut(&self) -> Result<()> {
        let links = std::mem::take(&mut *self.links.lock().unwrap_or_else(PoisonError::into_inner));
        let mut tasks = Vec::new();
        for Link { end, task } in links {
            // One that has just ended takes no order and needs none.
            let _ = end.send(End::Reset);
            tasks.push(task);
        }
        for task in tasks {
            timeout(LIMIT, task)
                .await
                .context("a connection was not closed")??;
        }
        Ok(())
    }

    /// Ends what the target sends on all connections, as if it had shut down its sending half; what
    /// it is sent goes nowhere.
    pub fn half_close(&self) {
        let links = std::mem::take(&mut *self.links.lock().unwrap_or_else(PoisonError::into_inner));
        for Link { end, task } in links {
            let _ = end.send(End::Half);
            // It ends with the connection; nobody waits for it.
            drop(task);
        }
    }

    /// Refuses new connections. Those that exist stay.
    ///
    /// # Errors
    /// If the listener failed before.
    pub async fn refuse(&mut self) -> Result<()> {
        let Some((listener, task)) = self.listener.take() else {
            return Ok(());
        };
        task.abort();
        match task.await {
            Err(error) if error.is_cancelled() => {}
            Err(error) => return Err(error.into()),
            Ok(()) => bail!("the relay had stopped accepting"),
        }
        // A process that is being started has a copy of it until it runs its program; closing ours
        // would leave that.
        shutdown(&listener, Shutdown::Both)?;
        Ok(())
    }

    /// Accepts connections again.
    ///
    /// # Errors
    /// If somebody else has taken the port.
    pub async fn accept(&mut self) -> Result<()> {
        if self.listener.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await;
        self.accept_from(listener.context("cannot listen again")?);
        Ok(())
    }

    fn accept_from(&mut self, listener: TcpListener) {
        let (target, weather, links) = (
            self.target,
            self.weather.subscribe(),
            Arc::clone(&self.links),
        );
        let listener = Arc::new(listener);
        let accepting = Arc::clone(&listener);
        let task = tokio::spawn(async move {
            loop {
                let near = match accepting.accept().await {
                    Ok((near, _)) => near,
                    Err(error) => {
                        eprintln!("the relay of port {target} stops accepting: {error}");
                        return;
                    }
                };
                let (end, order) = oneshot::channel();
                let task = tokio::spawn(link(near, target, weather.clone(), order));
                let mut links = links.lock().unwrap_or_else(PoisonError::into_inner);
                links.retain(|link| !link.task.is_finished());
                links.push(Link { end, task });
            }
        });
        self.listener = Some((listener, task));
    }

    /// Holds back all that is sent from now on, in both directions; connections stay open.
    pub fn freeze(&self) {
        self.freeze_way(Way::There);
        self.freeze_way(Way::Back);
    }

    /// Holds back all that is sent one way from now on. The relay reads no more of it, either.
    pub fn freeze_way(&self, way: Way) {
        self.weather
            .send_modify(|weather| weather.on_mut(way).frozen = true);
    }

    /// Lets go of what was held back.
    pub fn thaw(&self) {
        self.weather.send_modify(|weather| {
            weather.there.frozen = false;
            weather.back.frozen = false;
        });
    }

    /// Makes everything take so much longer, either way.
    pub fn delay(&self, delay: Duration) {
        self.delay_way(Way::There, delay);
        self.delay_way(Way::Back, delay);
    }

    /// Makes everything that is sent one way take so much longer.
    pub fn delay_way(&self, way: Way, delay: Duration) {
        self.weather
            .send_modify(|weather| weather.on_mut(way).delay = delay);
    }
}

impl Drop for TcpRelay {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.listener {
            task.abort();
        }
        for link in &*self.links.lock().unwrap_or_else(PoisonError::into_inner) {
            link.task.abort();
        }
    }
}

async fn link(
    mut near: TcpStream,
    target: u16,
    weather: watch::Receiver<Weather>,
    end: oneshot::Receiver<End>,
) {
    // When the target is down, the caller sees its connection closed.
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    for stream in [&near, &far] {
        // A relay must not add delays that the network under test does not have.
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("the relay cannot set TCP_NODELAY: {error}");
        }
    }
    let both = async {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        tokio::join!(
            pump(near_read, far_write, Way::There, weather.clone()),
            pump(far_read, near_write, Way::Back, weather.clone())
        )
    };
    let end = tokio::select! {
        // An error is a relay that is being dropped: that is no order.
        order = end => order.ok(),
        _ = both => None,
    };
    match end {
        Some(End::Reset) => {
            for stream in [&near, &far] {
                // Closing then resets instead of saying goodbye.
                if let Err(error) = stream.set_zero_linger() {
                    eprintln!("the relay cannot reset a connection: {error}");
                }
            }
        }
        Some(End::Half) => {
            // It fails when that side is gone already.
            let _ = near.shutdown().await;
            let mut nowhere = vec![0; 64 * 1024];
            while let Ok(1..) = near.read(&mut nowhere).await {}
        }
        None => {}
    }
}

/// Copies until one side ends or fails. Either way the relay then closes the other side, which is
/// all that it can do.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    way: Way,
    mut weather: watch::Receiver<Weather>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let delay = weather.borrow().on(way).delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let thawed = weather.wait_for(|weather| !weather.on(way).frozen);
        // An error: the relay is being dropped.
        if thawed.await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    // It fails when that side is gone already.
    let _ = to.shutdown().await;
}
