//! A broker that its operator restarts in order, under calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use rpc_core::{Rpc, RpcError, rpc_service};
use rpc_tests::RabbitNode;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::book::Book;
use crate::site::{assert_lost, connect, eventually};

#[rpc_service]
trait Bank {
    /// May run again.
    #[rpc(idempotent)]
    async fn look(&self, customer: u32, number: u32) -> u32;
    /// Must not.
    async fn pay(&self, customer: u32, number: u32) -> u32;
}

/// One that takes its time over the calls of [`SLOW`] customers.
#[derive(Clone)]
struct Clerk {
    book: Book,
    /// Closed until the broker is back.
    gate: Arc<Semaphore>,
    at_the_gate: Arc<AtomicUsize>,
}

impl Clerk {
    async fn serve(&self, customer: u32) {
        if customer >= SLOW {
            self.at_the_gate.fetch_add(1, Ordering::SeqCst);
            drop(self.gate.acquire().await.unwrap());
        } else {
            sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Bank for Clerk {
    async fn look(&self, customer: u32, number: u32) -> u32 {
        self.serve(customer).await;
        customer + number
    }

    async fn pay(&self, customer: u32, number: u32) -> u32 {
        let sum = self.book.begin(customer, number);
        self.serve(customer).await;
        sum
    }
}

/// Calls that are answered soon, one after the other until it is enough, and how they ended.
struct Callers {
    enough: Arc<AtomicBool>,
    ended: Arc<AtomicUsize>,
    looks: Vec<JoinHandle<Ends>>,
    payments: Vec<JoinHandle<Ends>>,
}

type Ends = Vec<Result<u32, RpcError>>;

impl Callers {
    fn start(clients: &[Rpc]) -> Self {
        let (enough, ended) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let caller = |customer: u32, pays: bool| {
            let bank = BankClient::new(&clients[customer as usize % clients.len()]);
            let (enough, ended) = (Arc::clone(&enough), Arc::clone(&ended));
            tokio::spawn(async move {
                let mut ends = Vec::new();
                for number in (0..).take_while(|_| !enough.load(Ordering::SeqCst)) {
                    let call = match pays {
                        true => bank.pay(customer, number),
                        false => bank.look(customer, number),
                    };
                    let end = call.timeout(LIMIT).await;
                    ended.fetch_add(usize::from(end.is_ok()), Ordering::SeqCst);
                    ends.push(end);
                }
                ends
            })
        };
        Self {
            looks: (0..CALLERS)
                .map(|customer| caller(customer, false))
                .collect(),
            payments: (0..CALLERS)
                .map(|customer| caller(customer, true))
                .collect(),
            enough,
            ended,
        }
    }

    async fn go_on(&self, when: &str) {
        let goal = self.ended.load(Ordering::SeqCst) + 500;
        eventually(&format!("calls are answered {when}"), || async {
            self.ended.load(Ordering::SeqCst) >= goal
        })
        .await;
    }

    /// How they ended: each look with its value, each payment truthfully.
    async fn end(self, book: &Book) {
        self.enough.store(true, Ordering::SeqCst);
        let ended = timeout(LIMIT, join(join_all(self.looks), join_all(self.payments)));
        let (looks, payments) = ended.await.expect("a call hangs");
        for (customer, ends) in (0..).zip(looks) {
            for (number, end) in (0..).zip(ends.unwrap()) {
                assert_eq!(end, Ok(customer + number));
            }
        }
        for (customer, ends) in (0..).zip(payments) {
            book.confirms(customer, &ends.unwrap());
        }
    }
}

/// Lets the broker go and come back while calls are under way, some of which are answered all the time and some
/// not before it is back.
async fn restart(broker: &mut RabbitNode, how: impl AsyncFnOnce(&mut RabbitNode)) {
    let url = broker.url();
    let clerk = Clerk {
        book: Book::default(),
        gate: Arc::new(Semaphore::new(0)),
        at_the_gate: Arc::default(),
    };
    let mut servers = Vec::new();
    for _ in 0..2 {
        let rpc = connect(&url).await.unwrap();
        servers.push(rpc.serve(BankServer::new(clerk.clone())).await.unwrap());
    }
    let clients = [connect(&url).await.unwrap(), connect(&url).await.unwrap()];
    let callers = Callers::start(&clients);
    let slow = |client: &Rpc| {
        let bank = BankClient::new(client);
        let looks = (0..10).map(|number| tokio::spawn(bank.look(SLOW, number).timeout(LIMIT)));
        let looks: Vec<_> = looks.collect();
        let payments = (0..10).map(|number| tokio::spawn(bank.pay(SLOW, number).timeout(LIMIT)));
        (looks, payments.collect::<Vec<_>>())
    };
    let (looks, payments) = slow(&clients[0]);
    eventually("the slow ones run", || async {
        clerk.at_the_gate.load(Ordering::SeqCst) == 20
    })
    .await;
    callers.go_on("before it goes").await;

    how(broker).await;
    // Payments are lost with their connection; looks are sent again by themselves.
    let lost = timeout(SOON, join_all(payments)).await;
    let lost = lost.expect("a payment waits for an answer that cannot come");
    let lost: Vec<_> = lost.into_iter().map(Result::unwrap).collect();
    for end in &lost {
        assert_lost(end.as_ref().unwrap_err());
    }
    clerk.book.confirms(SLOW, &lost);
    eventually("the slow looks run again", || async {
        clerk.at_the_gate.load(Ordering::SeqCst) == 30
    })
    .await;
    clerk.gate.add_permits(1);
    for (number, end) in (0..).zip(join_all(looks).await) {
        assert_eq!(end.unwrap(), Ok(SLOW + number));
    }
    callers.go_on("after it is back").await;
    callers.end(&clerk.book).await;
    for client in &clients {
        assert_eq!(client.in_flight(), 0);
    }
    for server in servers {
        server.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn calls_outlive_a_broker_that_is_told_to_stop_and_started_again() {
    let mut node = RabbitNode::start().await.unwrap();
    restart(&mut node, async |node| {
        node.stop().await.unwrap();
        node.restart().await.unwrap();
    })
    .await;
}

/// The node goes on to run, and is reachable for its operator alone.
#[tokio::test]
async fn calls_outlive_a_broker_whose_application_is_stopped_and_started_again() {
    let mut node = RabbitNode::start().await.unwrap();
    restart(&mut node, async |node| {
        node.ctl(&["stop_app"]).await.unwrap();
        node.ctl(&["start_app"]).await.unwrap();
    })
    .await;
}

const CALLERS: u32 = 10;

/// Customers from this one on are served slowly.
const SLOW: u32 = 1000;

/// More than a broker needs for a restart on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

/// That a call was lost is known when the broker is back, at the latest.
const SOON: Duration = Duration::from_secs(5);
