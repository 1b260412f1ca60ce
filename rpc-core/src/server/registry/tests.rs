//! When a server subscribes again, with the clock stopped.

use serde_json::Value;
use tokio::time::sleep;

use super::*;
use crate::transport::watched::{LONGEST, TICK, Watched, assert_backs_off};

/// A server of one method, which takes no batches.
async fn serve(transport: &Watched) -> (Registry, Ended) {
    // Makes the random pauses the same in each run.
    fastrand::seed(7);
    let servers = Registry::new(
        Arc::new(transport.clone()),
        SizeLimit::new(1 << 20),
        Duration::from_secs(30),
        Batching::off(),
    );
    let ready = |_: Value| async { Ok::<_, String>(()) };
    let method = Method::new("ready", ready);
    let ended = servers.start(vec![method], CancellationToken::new()).await;
    (servers, ended.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_gets_no_channel_tries_ever_more_slowly_and_serves_when_it_gets_one() {
    let transport = Watched::new("no channel", 1);
    let (servers, ended) = serve(&transport).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(transport.channels().len(), 1);
    let broken = Instant::now();
    transport.refuse_channels(true);
    transport.break_channel().await;
    sleep(Duration::from_secs(60)).await;
    let attempts = transport.channels();
    assert_backs_off(broken, &attempts);
    assert!((75..300).contains(&attempts.len()), "{}", attempts.len());
    assert_eq!(transport.connections().len(), 1, "its connection stands");

    transport.refuse_channels(false);
    sleep(LONGEST + TICK).await;
    assert_eq!(transport.channels().len(), 1);
    servers.close().await;
    let ended = ended.borrow().clone();
    ended.expect("it has ended").unwrap();
}

#[tokio::test(start_paused = true)]
async fn channels_that_do_not_stand_are_replaced_ever_more_slowly_until_one_does() {
    let transport = Watched::new("channels", 1);
    let (servers, _) = serve(&transport).await;
    transport.channels();
    // Breaks the channel and waits for the next one.
    let next = async || {
        let broken = Instant::now();
        transport.break_channel().await;
        loop {
            if let [at] = *transport.channels() {
                return (broken, at);
            }
            sleep(TICK).await;
        }
    };
    let (begin, first) = next().await;
    let mut attempts = vec![first];
    for _ in 0..30 {
        attempts.push(next().await.1);
    }
    assert_backs_off(begin, &attempts);

    sleep(Duration::from_millis(1100)).await;
    let (broken, at) = next().await;
    assert!(at.duration_since(broken) <= TICK);
    servers.close().await;
}

/// The supervisor has already waited, so the server does not wait again.
#[tokio::test(start_paused = true)]
async fn a_server_is_back_with_its_connection() {
    let transport = Watched::new("with it", 1);
    let (servers, _) = serve(&transport).await;
    sleep(Duration::from_secs(2)).await;
    transport.broker.stop();
    sleep(Duration::from_secs(30)).await;
    transport.connections();
    transport.channels();
    transport.broker.start();
    sleep(LONGEST + TICK).await;
    let (connections, channels) = (transport.connections(), transport.channels());
    let connected: Vec<_> = connections.into_iter().map(|(_, at)| at).collect();
    assert_eq!(connected, channels);
    assert_eq!(channels.len(), 1);
    servers.close().await;
}
