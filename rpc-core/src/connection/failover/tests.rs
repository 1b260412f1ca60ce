//! Hosts that refuse connections, answer late, or are up.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::time::sleep;

use super::*;
use crate::server::session::ServeSession;
use crate::transport::Link;
use crate::transport::memory::MemoryTransport;

/// How a host answers an attempt.
#[derive(Clone, Copy, Debug)]
enum ScriptedAnswer {
    Up,
    UpAfter(u64),
    Refuses,
    RefusesAfter(u64),
}
use ScriptedAnswer::{Refuses, RefusesAfter, Up, UpAfter};

/// A broker whose hosts answer as the test sets them.
#[derive(Debug)]
struct ScriptedTransport {
    answers: Mutex<Vec<ScriptedAnswer>>,
    attempts: Vec<AtomicUsize>,
    broker: MemoryTransport,
}

impl ScriptedTransport {
    fn new(answers: &[ScriptedAnswer]) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.to_vec()),
            attempts: answers.iter().map(|_| AtomicUsize::new(0)).collect(),
            broker: MemoryTransport::from_url("memory://hosts").unwrap(),
        })
    }

    fn attempts(&self) -> Vec<usize> {
        let counts = self.attempts.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).collect()
    }

    fn answer(&self, host: usize, answer: ScriptedAnswer) {
        self.answers.lock().unwrap()[host] = answer;
    }
}

#[async_trait]
impl Transport for ScriptedTransport {
    fn hosts(&self) -> usize {
        self.attempts.len()
    }

    async fn connect(&self, host: usize, purpose: Purpose) -> Result<Arc<dyn Link>, ConnectError> {
        self.attempts[host].fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.lock().unwrap()[host];
        if let UpAfter(millis) | RefusesAfter(millis) = answer {
            sleep(Duration::from_millis(millis)).await;
        }
        match answer {
            Up | UpAfter(_) => self.broker.connect(0, purpose).await,
            Refuses | RefusesAfter(_) => Err(ConnectError::unreachable(
                format!("host{host}"),
                "it refuses",
            )),
        }
    }
}

fn hosts(broker: &Arc<ScriptedTransport>) -> Failover<ServeSession> {
    Failover::new(
        Arc::clone(broker) as Arc<dyn Transport>,
        Purpose::Serving,
        (),
    )
}

/// The output of a future, and the milliseconds that it took.
async fn timed<T>(attempt: impl Future<Output = T>) -> (T, u128) {
    let before = Instant::now();
    let end = attempt.await;
    (end, before.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn the_host_that_was_used_last_comes_first() {
    let broker = ScriptedTransport::new(&[Refuses, Up]);
    let mut hosts = hosts(&broker);
    let (first, millis) = timed(hosts.connect()).await;
    first.unwrap();
    assert_eq!((broker.attempts(), millis), (vec![1, 1], 0));
    hosts.connect_again(Instant::now()).await.unwrap();
    assert_eq!(broker.attempts(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_host_costs_a_quarter_of_a_second() {
    let broker = ScriptedTransport::new(&[RefusesAfter(10_000), Up]);
    let mut hosts = hosts(&broker);
    let (first, millis) = timed(hosts.connect()).await;
    first.unwrap();
    assert_eq!((broker.attempts(), millis), (vec![1, 1], 250));
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_is_used_if_it_is_first() {
    let broker = ScriptedTransport::new(&[UpAfter(400), UpAfter(400)]);
    let mut hosts = hosts(&broker);
    let (first, millis) = timed(hosts.connect()).await;
    first.unwrap();
    assert_eq!((hosts.last, millis), (0, 400));
    // The other host comes up as well, and its session has to be closed.
    let (_, millis) = timed(hosts.straggler()).await;
    assert_eq!(millis, 250);
    assert_eq!(hosts.last, 0);
}

#[tokio::test(start_paused = true)]
async fn the_first_connection_waits_for_the_last_host() {
    let broker = ScriptedTransport::new(&[RefusesAfter(10_000), Refuses]);
    let mut hosts = hosts(&broker);
    let (first, millis) = timed(hosts.connect()).await;
    let error = first.unwrap_err().to_string();
    assert!(
        error.contains("host0") && error.contains("host1"),
        "{error}"
    );
    assert_eq!(millis, 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_host_is_tried_again_while_another_is_silent() {
    let broker = ScriptedTransport::new(&[RefusesAfter(10_000), Refuses]);
    let mut hosts = hosts(&broker);
    for round in 1..=5 {
        let (end, millis) = timed(hosts.connect_again(Instant::now())).await;
        let error = end.unwrap_err().to_string();
        assert!(error.contains("host1"), "{error}");
        // Only the first round waits for the silent host.
        assert_eq!(millis, if round == 1 { 250 } else { 0 });
    }
    assert_eq!(broker.attempts(), [1, 5]);
    broker.answer(1, Up);
    hosts.connect_again(Instant::now()).await.unwrap();
    assert_eq!((broker.attempts(), hosts.last), (vec![1, 6], 1));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_answers_between_attempts_is_used_at_once() {
    let broker = ScriptedTransport::new(&[UpAfter(1000), Refuses]);
    let mut hosts = hosts(&broker);
    hosts.connect_again(Instant::now()).await.unwrap_err();
    let at = Instant::now() + Duration::from_secs(60);
    let (end, millis) = timed(hosts.connect_again(at)).await;
    end.unwrap();
    assert_eq!(
        (broker.attempts(), millis, hosts.last),
        (vec![1, 1], 750, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn an_only_host_is_waited_for() {
    let broker = ScriptedTransport::new(&[RefusesAfter(10_000)]);
    let mut hosts = hosts(&broker);
    let (end, millis) = timed(hosts.connect_again(Instant::now())).await;
    assert_eq!(
        end.unwrap_err().to_string(),
        "cannot connect to host0: it refuses"
    );
    assert_eq!(millis, 10_000);
}
