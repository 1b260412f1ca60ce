//! The load of one point: callers, each of which makes its next call when its last one has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How much, and for how long.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Load {
    pub(crate) callers: usize,
    /// The measured time. A quarter of it is a warm-up before. It is longer if calls are slow: see
    /// [`EACH`].
    pub(crate) seconds: f64,
}

/// The results. aio-pika's script prints the same.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Outcome {
    /// Calls that succeeded in the measured time.
    pub(crate) calls: usize,
    pub(crate) seconds: f64,
    /// Percentiles of how long they took, in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Calls that failed or returned a wrong result, at any time.
    pub(crate) errors: usize,
    pub(crate) first_error: Option<String>,
    /// How many of the calls each server answered.
    pub(crate) by_server: Vec<usize>,
}

/// Runs the load. `call` makes a call and returns the number of the server that answered. Prints
/// `begin` and `end` when the measured time begins and ends, so that other processes can measure at
/// the same moments.
pub(crate) async fn run<F, Fut>(load: Load, call: F) -> Result<Outcome>
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<usize>> + Send + 'static,
{
    let shared = Arc::new(Shared {
        phase: AtomicU8::new(WARMING),
        warm: Semaphore::new(0),
        measured: Semaphore::new(0),
        errors: AtomicUsize::new(0),
    });
    let mut callers = JoinSet::new();
    for _ in 0..load.callers {
        callers.spawn(caller(Arc::clone(&shared), call.clone()));
    }
    sleep(Duration::try_from_secs_f64(load.seconds / 4.0)?).await;
    // A caller that waits for its first answer is not yet part of the steady state.
    let all = u32::try_from(load.callers)?;
    drop(shared.warm.acquire_many(all).await?);

    println!("begin");
    let start = Instant::now();
    shared.phase.store(MEASURED, Ordering::Relaxed);
    sleep(Duration::try_from_secs_f64(load.seconds)?).await;
    if let Ok(all) = timeout(LONGEST, shared.measured.acquire_many(all)).await {
        drop(all?);
    }
    shared.phase.store(OVER, Ordering::Relaxed);
    let seconds = start.elapsed().as_secs_f64();
    println!("end");

    let mut histogram = Histogram::<u64>::new(3)?;
    let mut outcome = Outcome {
        seconds,
        ..Outcome::default()
    };
    while let Some(caller) = callers.join_next().await {
        let Records {
            nanoseconds,
            by_server,
            first_error,
        } = caller.context("a caller panicked")?;
        outcome.calls += nanoseconds.len();
        for nanoseconds in nanoseconds {
            histogram.record(nanoseconds)?;
        }
        let servers = outcome.by_server.len().max(by_server.len());
        outcome.by_server.resize(servers, 0);
        for (all, calls) in outcome.by_server.iter_mut().zip(by_server) {
            *all += calls;
        }
        outcome.first_error = outcome.first_error.or(first_error);
    }
    outcome.errors = shared.errors.load(Ordering::Relaxed);
    let microseconds = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    (outcome.p50, outcome.p99, outcome.p999) =
        (microseconds(0.5), microseconds(0.99), microseconds(0.999));
    Ok(outcome)
}

struct Shared {
    phase: AtomicU8,
    /// A permit for each caller that has had its first answer.
    warm: Semaphore,
    /// A permit for each caller that has had [`EACH`] measured answers.
    measured: Semaphore,
    errors: AtomicUsize,
}

/// The results of one caller. Each caller has its own, so that callers share no lock.
#[derive(Default)]
struct Records {
    nanoseconds: Vec<u64>,
    by_server: Vec<usize>,
    first_error: Option<String>,
}

async fn caller<F, Fut>(shared: Arc<Shared>, call: F) -> Records
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<usize>>,
{
    let mut records = Records::default();
    let mut warm = false;
    loop {
        let start = Instant::now();
        let result = call().await;
        let time = start.elapsed();
        if !warm {
            shared.warm.add_permits(1);
            warm = true;
        }
        let phase = shared.phase.load(Ordering::Relaxed);
        match result {
            Ok(server) if phase == MEASURED => {
                let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                records.nanoseconds.push(nanoseconds);
                if records.nanoseconds.len() == EACH {
                    shared.measured.add_permits(1);
                }
                if records.by_server.len() <= server {
                    records.by_server.resize(server + 1, 0);
                }
                records.by_server[server] += 1;
            }
            Ok(_) => (),
            Err(error) => {
                shared.errors.fetch_add(1, Ordering::Relaxed);
                records
                    .first_error
                    .get_or_insert_with(|| format!("{error:#}"));
                // Immediate errors must not crowd out the other callers' calls.
                sleep(AFTER_ERROR).await;
            }
        }
        if phase == OVER {
            return records;
        }
    }
}

/// The least number of calls of each caller in the measured time, unless that takes [`LONGEST`]
/// more. Many callers with slow calls are answered in waves, and a part of a wave would say little.
const EACH: usize = 4;
pub(crate) const LONGEST: Duration = Duration::from_secs(20);
const WARMING: u8 = 0;
const MEASURED: u8 = 1;
const OVER: u8 = 2;
const AFTER_ERROR: Duration = Duration::from_millis(10);
