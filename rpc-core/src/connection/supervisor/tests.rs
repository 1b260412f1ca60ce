//! When the supervisor tries to connect, with the clock stopped.

use tokio::time::sleep;

use super::*;
use crate::server::session::ServeSession;
use crate::transport::watched::{LONGEST, TICK, Watched, assert_backs_off};

async fn start(transport: &Watched) -> Supervisor<ServeSession> {
    // The jitter of the pauses is the same in each run.
    fastrand::seed(7);
    let transport = Arc::new(transport.clone());
    let supervisor = Supervisor::start(transport, Purpose::Serving, ());
    supervisor.await.unwrap()
}

fn instants(transport: &Watched) -> Vec<Instant> {
    let connections = transport.connections();
    connections.into_iter().map(|(_, at)| at).collect()
}

/// Waits for a session other than `not`, and returns it with the time at which it was up.
async fn up(
    supervisor: &Supervisor<ServeSession>,
    not: Option<&Arc<ServeSession>>,
) -> (Arc<ServeSession>, Instant) {
    let by = Instant::now() + Duration::from_secs(60);
    let session = session_by(&mut supervisor.watch().clone(), not, by).await;
    (session.unwrap(), Instant::now())
}

#[tokio::test(start_paused = true)]
async fn attempts_come_at_once_and_then_ever_more_slowly() {
    let transport = Watched::new("slower", 1);
    let supervisor = start(&transport).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(transport.connections().len(), 1);
    let lost = Instant::now();
    transport.broker.stop();
    sleep(Duration::from_secs(60)).await;
    let attempts = instants(&transport);
    assert_backs_off(lost, &attempts);
    // No pause is longer than 800 ms, and their mean is half of that.
    assert!((75..300).contains(&attempts.len()), "{}", attempts.len());
    drop(supervisor);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(transport.connections(), [], "it outlives its owner");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_back_is_noticed_within_a_second() {
    let transport = Watched::new("back", 1);
    let supervisor = start(&transport).await;
    for outage in 0..20 {
        let (lost, _) = up(&supervisor, None).await;
        transport.broker.stop();
        sleep(Duration::from_millis(700 * outage)).await;
        let back = Instant::now();
        transport.broker.start();
        let (_, noticed) = up(&supervisor, Some(&lost)).await;
        let took = noticed.duration_since(back);
        assert!(took <= LONGEST + TICK, "{took:?} after outage {outage}");
        sleep(Duration::from_millis(1500)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_do_not_stand_are_replaced_ever_more_slowly_until_one_does() {
    let transport = Watched::new("stands", 1);
    let supervisor = start(&transport).await;
    let (mut session, mut lost) = up(&supervisor, None).await;
    transport.connections();
    let begin = lost;
    for _ in 0..30 {
        transport.broker.drop_connections();
        (session, lost) = up(&supervisor, Some(&session)).await;
    }
    assert_backs_off(begin, &instants(&transport));

    let mut pause_after = async |stood: Duration| {
        sleep(stood).await;
        let cut = Instant::now();
        transport.broker.drop_connections();
        (session, lost) = up(&supervisor, Some(&session)).await;
        lost.duration_since(cut)
    };
    // A connection that was up for less than a second does not reset the backoff.
    let pause = pause_after(STABLE - TICK * 10).await;
    assert!(pause > TICK, "{pause:?}");
    assert!(pause_after(STABLE + TICK * 10).await <= TICK);
    let pause = pause_after(Duration::ZERO).await;
    assert!(pause <= Duration::from_millis(50) + TICK, "{pause:?}");
}

#[tokio::test(start_paused = true)]
async fn each_attempt_tries_all_hosts_in_turn_from_the_one_that_was_used_last() {
    let transport = Watched::new("hosts", 3);
    let supervisor = start(&transport).await;
    transport.broker.stop();
    sleep(Duration::from_secs(10)).await;
    let connections = transport.connections();
    let hosts: Vec<_> = connections.iter().map(|(host, _)| *host).collect();
    // The first connection was made to the first host.
    let expected: Vec<_> = (0..3).cycle().take(hosts.len() - 1).collect();
    assert_eq!((hosts[0], &hosts[1..]), (0, &*expected));
    let attempts = connections[1..].chunks(3);
    assert!(attempts.len() > 10);
    for attempt in attempts {
        // There is no pause between hosts.
        assert_eq!((attempt.len(), attempt[0].1), (3, attempt[2].1));
    }
    drop(supervisor);
}
