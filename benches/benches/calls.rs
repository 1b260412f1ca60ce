//! Measures a call and its parts, without a broker: `cargo bench -p benches --bench calls`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rpc_core::__internals::{Edge, Pending, delivery, dispatch};
use rpc_core::{Rpc, Service, rpc_service};
use serde_json::{Value, json};
use std::hint::black_box;
use tokio::runtime::{Builder, Runtime};

#[rpc_service]
trait Bench {
    /// Returns the text.
    async fn echo(&self, text: &str) -> String;
}

struct Desk;

impl Bench for Desk {
    async fn echo(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// A single-threaded runtime, so that no call waits for another core.
fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("the system has a thread")
}

/// An `Rpc` that serves what it calls.
async fn connect() -> Rpc {
    let rpc = Rpc::connect("memory://").await;
    let rpc = rpc.expect("memory:// is always there");
    let served = rpc.serve(BenchServer::new(Desk)).await;
    served.expect("a new broker has no other queues");
    rpc
}

/// Whole calls over `memory://`, alone and many together.
fn memory(criterion: &mut Criterion) {
    let runtime = runtime();
    let rpc = runtime.block_on(connect());
    let client = BenchClient::new(&rpc);
    let text = "x".repeat(64);
    let mut group = criterion.benchmark_group("memory");
    for at_once in [1, 100] {
        group.throughput(Throughput::Elements(at_once));
        group.bench_function(format!("typed/{at_once}"), |bencher| {
            bencher.iter(|| {
                runtime.block_on(async {
                    let calls: Vec<_> = (0..at_once)
                        .map(|_| tokio::spawn(client.echo(&text)))
                        .collect();
                    for call in calls {
                        let back = call.await.expect("no panic");
                        assert_eq!(back.expect("an answer"), text);
                    }
                });
            });
        });
        group.bench_function(format!("untyped/{at_once}"), |bencher| {
            bencher.iter(|| {
                runtime.block_on(async {
                    let calls: Vec<_> = (0..at_once)
                        .map(|_| tokio::spawn(rpc.call("echo", json!({ "text": text }))))
                        .collect();
                    for call in calls {
                        let back: Value = call.await.expect("no panic").expect("an answer");
                        assert_eq!(back, *text);
                    }
                });
            });
        });
    }
}

/// The client's half of the codec: a call is encoded when it is made, and these calls are never
/// sent. `dispatch` measures the server's half.
fn encode(criterion: &mut Criterion) {
    let rpc = runtime().block_on(connect());
    let client = BenchClient::new(&rpc);
    let mut group = criterion.benchmark_group("encode");
    for bytes in SIZES {
        let text = "x".repeat(bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("typed/{bytes}"), |bencher| {
            bencher.iter(|| drop(black_box(client.echo(&text))));
        });
        group.bench_function(format!("untyped/{bytes}"), |bencher| {
            let args = json!({ "text": text });
            bencher.iter(|| drop(black_box(rpc.call("echo", &args))));
        });
    }
}

/// From a call that has arrived to its reply.
fn dispatched(criterion: &mut Criterion) {
    let runtime = runtime();
    let methods = BenchServer::new(Desk).into_methods();
    let mut group = criterion.benchmark_group("dispatch");
    for bytes in SIZES {
        let body = json!({ "text": "x".repeat(bytes) }).to_string();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(bytes.to_string(), |bencher| {
            bencher.iter(|| {
                let reply = runtime.block_on(dispatch(&methods[0], body.as_bytes()));
                assert!(reply.is_some_and(|reply| reply.is_result()));
            });
        });
    }
}

/// A call in the table of pending calls, from its entry to its answer.
fn pending(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("pending");
    for waiting in [0, 10_000] {
        let table = Pending::with(waiting);
        group.bench_function(waiting.to_string(), |bencher| {
            bencher.iter(|| assert!(runtime.block_on(table.round_trip())));
        });
    }
}

/// A call that is taken out of what a broker sends.
fn edge(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("edge");
    for bytes in [64, 1024, 32 * 1024] {
        let call = delivery(&vec![b'x'; bytes]);
        let mut edge = Edge::default();
        group.throughput(Throughput::Bytes(call.len() as u64));
        group.bench_function(bytes.to_string(), |bencher| {
            bencher.iter(|| assert_eq!(edge.take(black_box(&call)), 1));
        });
    }
}

const SIZES: [usize; 3] = [64, 1024, 64 * 1024];

criterion_group!(calls, memory, encode, dispatched, pending, edge);
criterion_main!(calls);
