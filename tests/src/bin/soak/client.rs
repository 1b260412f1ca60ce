//! A client process. It makes calls at a steady rate until it is asked to stop, then waits until
//! all its calls have ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use rpc_core::{CallError, Progress, Rpc, RpcError};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::kinds::{Method, Outcome};
use crate::ledger::Ledger;
use crate::record::Event;
use crate::role::{Role, connect, orders};
use crate::till::{Refusal, TillClient, is_refused, proof_of};

pub(crate) async fn run(role: Role) -> Result<()> {
    let mut orders = orders();
    let ledger = Arc::new(Ledger::open(&role.folder, role.process)?);
    role.watch_for_stalls(&ledger);
    let rpc = connect(|| Rpc::builder(&role.url).max_in_flight(MOST)).await;
    let caller = Caller {
        till: TillClient::new(&rpc),
        ledger,
        // The numbers of the calls of one process begin with its own.
        next: Arc::new(AtomicU64::new(u64::from(role.process) << 32)),
    };
    caller.use_everything().await;
    println!("ready");

    let mut random = fastrand::Rng::with_seed(role.seed);
    let mut calls = JoinSet::new();
    loop {
        let pause = Duration::from_millis(random.u64(0..=2 * PACE));
        tokio::select! {
            order = orders.recv() => match order.as_deref() {
                Some("measure") => caller.measure(&mut calls).await,
                _ => break,
            },
            () = sleep(pause) => {}
        }
        // Now and then many at once, because some bugs show only among many calls.
        let crowd = if random.u8(..) < 2 { 40 } else { 1 };
        for _ in 0..crowd {
            let plan = Plan::random(&mut random);
            let caller = caller.clone();
            calls.spawn(async move { caller.call(&plan).await });
        }
        while calls.try_join_next().is_some() {}
    }
    // A call that has not ended by then has no end in the ledger, which counts it as a hang.
    let all = async { while calls.join_next().await.is_some() {} };
    if timeout(LONGEST + PATIENCE, all).await.is_err() {
        eprintln!("{} calls hang", calls.len());
    }
    println!("ended in_flight={}", rpc.in_flight());
    while let Some("measure") = orders.recv().await.as_deref() {
        caller.measure(&mut calls).await;
    }
    rpc.close().await;
    println!("closed in_flight={}", rpc.in_flight());
    Ok(())
}

/// A call that is to be made.
#[derive(Debug)]
struct Plan {
    method: Method,
    millis: u64,
    limit: Duration,
}

impl Plan {
    fn random(random: &mut fastrand::Rng) -> Self {
        let method = match random.u8(0..100) {
            0..25 => Method::Echo,
            25..45 => Method::Nap,
            45..65 => Method::Pay,
            65..80 => Method::Look,
            80..90 => Method::Note,
            _ => Method::Remind,
        };
        let millis = match method {
            Method::Nap => random.u64(5..=300),
            Method::Pay | Method::Look => random.u64(0..=100),
            Method::Remind => random.u64(0..=20),
            Method::Echo | Method::Note => 0,
        };
        let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
        let limit = Duration::from_millis(random.u64(200..=longest));
        Self {
            method,
            millis,
            limit,
        }
    }
}

#[derive(Clone, Debug)]
struct Caller {
    till: TillClient,
    ledger: Arc<Ledger>,
    next: Arc<AtomicU64>,
}

impl Caller {
    /// Makes a call of each kind end well, and one end for lack of time, so that all that is made
    /// on demand is there.
    async fn use_everything(&self) {
        for &method in Method::ALL {
            let plan = Plan {
                method,
                millis: 1,
                limit: LONGEST,
            };
            let patience = Instant::now() + 12 * LONGEST;
            while !matches!(self.call(&plan).await, Outcome::Answered | Outcome::Refused)
                && Instant::now() < patience
            {
                sleep(Duration::from_millis(20)).await;
            }
        }
        let limit = Duration::from_millis(50);
        self.call(&Plan {
            method: Method::Nap,
            millis: 300,
            limit,
        })
        .await;
    }

    /// Says how many tasks there are while no call is made.
    async fn measure(&self, calls: &mut JoinSet<Outcome>) {
        while calls.join_next().await.is_some() {}
        self.use_everything().await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        println!("measured tasks={tasks}");
    }

    async fn call(&self, plan: &Plan) -> Outcome {
        let call = self.next.fetch_add(1, Ordering::Relaxed);
        let &Plan {
            method,
            millis,
            limit,
        } = plan;
        let till = &self.till;
        let right = proof_of(method.words(), call);
        self.ledger.write(call, Event::Begun { method, limit });
        let outcome = match method {
            Method::Echo => value(till.echo(call).timeout(limit).await, right),
            Method::Nap => value(till.nap(call, millis).timeout(limit).await, right),
            Method::Look => value(till.look(call, millis).timeout(limit).await, right),
            Method::Note => value(till.note(call).timeout(limit).await, ()),
            Method::Remind => value(till.remind(call, millis).timeout(limit).await, ()),
            Method::Pay => match till.pay(call, millis).timeout(limit).await {
                Err(CallError::Service(Refusal { proof })) => {
                    if proof == right && is_refused(call) {
                        Outcome::Refused
                    } else {
                        Outcome::WrongValue
                    }
                }
                Err(CallError::Rpc(error)) => of_error(&error),
                Ok(_) if is_refused(call) => Outcome::WrongValue,
                Ok(proof) => value(Ok(proof), right),
            },
        };
        self.ledger.write(call, Event::Ended { outcome });
        if outcome.is_never_right() {
            eprintln!("call {call} of {} ended as {outcome:?}", method.words());
        }
        outcome
    }
}

fn value<T: PartialEq>(end: Result<T, RpcError>, right: T) -> Outcome {
    match end {
        Ok(value) if value == right => Outcome::Answered,
        Ok(_) => Outcome::WrongValue,
        Err(error) => of_error(&error),
    }
}

fn of_error(error: &RpcError) -> Outcome {
    match error {
        RpcError::Encode { .. } => Outcome::Unencodable,
        RpcError::TooLarge { .. } => Outcome::TooLarge,
        RpcError::NotConnected { .. } => Outcome::NotConnected,
        RpcError::Blocked { .. } => Outcome::Blocked,
        RpcError::NoSuchMethod { .. } => Outcome::NoSuchMethod,
        RpcError::Overloaded { .. } => Outcome::Overloaded,
        RpcError::Expired { .. } => Outcome::Expired,
        RpcError::Rejected { .. } => Outcome::Rejected,
        RpcError::Timeout { progress, .. } => match progress {
            Progress::NotSent => Outcome::NotSentInTime,
            Progress::Stopped => Outcome::Stopped,
            _ => Outcome::TimedOut,
        },
        RpcError::ConnectionLost { sent: false, .. } => Outcome::LostUnsent,
        RpcError::ConnectionLost { sent: true, .. } => Outcome::Lost,
        RpcError::Interrupted { .. } => Outcome::Interrupted,
        RpcError::Remote(error) if error.kind == "rpc.Poisoned" => Outcome::Poisoned,
        RpcError::Remote(error) => {
            eprintln!("{error}");
            Outcome::Remote
        }
        RpcError::Decode { .. } => Outcome::Undecodable,
        RpcError::Closed { .. } => Outcome::Closed,
        other => {
            eprintln!("{other}");
            Outcome::Unknown
        }
    }
}

/// The mean pause between two calls, in milliseconds.
const PACE: u64 = 18;
/// How many calls may be in flight. Low enough to be met while the broker is away.
const MOST: usize = 150;
/// The longest time limit of a call.
const LONGEST: Duration = Duration::from_secs(5);
/// What counts as a hang, and as much again.
const PATIENCE: Duration = Duration::from_secs(2);
