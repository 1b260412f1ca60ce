//! A cluster of three nodes that loses one at a time, under calls to quorum queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use rpc_core::{QueueOptions, Rpc, RpcError, Server, rpc_service};
use rpc_tests::Cluster;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::book::Book;
use crate::site::{connect, eventually};

#[rpc_service]
trait Bank {
    /// May run again.
    #[rpc(idempotent, queue = QueueOptions::default().quorum())]
    async fn look(&self, customer: u32, number: u32) -> u32;
    /// Must not.
    #[rpc(queue = QueueOptions::default().quorum())]
    async fn pay(&self, customer: u32, number: u32) -> u32;
}

impl Bank for Book {
    async fn look(&self, customer: u32, number: u32) -> u32 {
        sleep(Duration::from_millis(5)).await;
        customer + number
    }

    async fn pay(&self, customer: u32, number: u32) -> u32 {
        let sum = self.begin(customer, number);
        sleep(Duration::from_millis(5)).await;
        sum
    }
}

/// Callers that go on until they are told to stop.
#[derive(Clone, Default)]
struct Callers {
    enough: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    payments: Arc<AtomicUsize>,
}

impl Callers {
    /// Half of them by the trait, half without.
    fn look(&self, client: &Rpc, customer: u32) -> JoinHandle<()> {
        let (callers, client) = (self.clone(), client.clone());
        tokio::spawn(async move {
            for number in (0..).take_while(|_| !callers.enough.load(Ordering::SeqCst)) {
                let start = Instant::now();
                let answer = if customer.is_multiple_of(2) {
                    BankClient::new(&client).look(customer, number).await
                } else {
                    let arguments = json!({"customer": customer, "number": number});
                    let call = client
                        .call("look", arguments)
                        .idempotent(true)
                        .confirmed(true);
                    call.returning().await
                };
                assert_eq!(answer, Ok(customer + number), "after {:?}", start.elapsed());
                callers.looks.fetch_add(1, Ordering::SeqCst);
            }
        })
    }

    /// Returns how each payment ended.
    fn pay(&self, client: &Rpc, customer: u32) -> JoinHandle<Vec<Result<u32, RpcError>>> {
        let (callers, bank) = (self.clone(), BankClient::new(client));
        tokio::spawn(async move {
            let mut ends = Vec::new();
            for number in (0..).take_while(|_| !callers.enough.load(Ordering::SeqCst)) {
                let end = bank.pay(customer, number).await;
                callers
                    .payments
                    .fetch_add(usize::from(end.is_ok()), Ordering::SeqCst);
                ends.push(end);
            }
            ends
        })
    }

    async fn go_on(&self, when: &str) {
        for (what, done) in [("looks", &self.looks), ("payments", &self.payments)] {
            let goal = done.load(Ordering::SeqCst) + 100;
            let what = format!("{what} are made with {when}");
            eventually(&what, || async { done.load(Ordering::SeqCst) >= goal }).await;
        }
    }
}

async fn serve(url: String, book: Book) -> Server {
    let rpc = connect(url).await.unwrap();
    rpc.serve(BankServer::new(book)).await.unwrap()
}

/// QUORUM-1, QUORUM-2
#[tokio::test]
async fn calls_go_on_while_one_node_at_a_time_is_killed() {
    let mut cluster = Cluster::start().await.unwrap();
    // Client and servers begin on different nodes, so that a kill does not hit all of them.
    let client = connect(cluster.url(0)).await.unwrap();
    let book = Book::default();
    let servers = [cluster.url(1), cluster.url(2)].map(|url| serve(url, book.clone()));
    let _servers = join_all(servers).await;
    let callers = Callers::default();
    let looks: Vec<_> = (0..10)
        .map(|customer| callers.look(&client, customer))
        .collect();
    let payments: Vec<_> = (0..10)
        .map(|customer| callers.pay(&client, customer))
        .collect();
    callers.go_on("all nodes").await;
    for node in cluster.nodes() {
        node.kill().await.unwrap();
        callers.go_on("two nodes").await;
        node.restart().await.unwrap();
        callers.go_on("a node that is back").await;
    }
    callers.enough.store(true, Ordering::SeqCst);
    let ended = timeout(TIME_LIMIT, join(join_all(looks), join_all(payments)));
    let (looks, payments) = ended.await.expect("a call hangs");
    for caller in looks {
        caller.unwrap();
    }
    for (customer, ends) in (0..).zip(payments) {
        book.confirms(customer, &ends.unwrap());
    }
    assert_eq!(client.in_flight(), 0);
}

/// More than that of the calls.
const TIME_LIMIT: Duration = Duration::from_secs(40);
