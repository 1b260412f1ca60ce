//! How much memory a process takes for what others send it.

use std::io::Cursor;
use std::time::Duration;

use lapin::BasicProperties;
use lapin::protocol::basic::gen_properties;
use lapin::types::{AMQPValue, ByteArray, FieldTable};
use rpc_tests::{
    RawPeer, Vhost, call_properties, fresh_vhost, long, reply_properties, shared_node, short,
    sized, table,
};
use tokio::time::{Instant, sleep};

use crate::weighed::Weighed;

/// No properties are larger.
const FRAME: usize = 131_072;

const MIB: usize = 1 << 20;

/// What a process may take for what it has been sent at the same time, as a multiple of that.
const TIMES: usize = 4;

/// And whatever that is: buffers of the connection, tasks, what the allocator does not give back.
const BESIDE: usize = 16 * MIB;

/// Messages of a sort, as many as are sent at once.
struct Sort {
    name: &'static str,
    to: To,
    count: usize,
    properties: BasicProperties,
    body: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum To {
    Method,
    /// A method that takes its time, so that all are held at once.
    Slow,
    Lane,
    Caller,
}

impl Sort {
    fn call(name: &'static str, count: usize, headers: FieldTable, body: Vec<u8>) -> Self {
        Self {
            name,
            to: To::Method,
            count,
            properties: call_properties("rpc.reply.nobody", "1").with_headers(headers),
            body,
        }
    }

    fn headers(name: &'static str, headers: FieldTable) -> Self {
        Self {
            to: To::Slow,
            ..Self::call(name, 32, headers, b"{}".to_vec())
        }
    }

    fn batch(name: &'static str, count: usize, records: &[Vec<u8>]) -> Self {
        let properties = call_properties("rpc.reply.nobody", "").with_type("batch".into());
        Self {
            name,
            to: To::Lane,
            count,
            properties,
            body: records.concat(),
        }
    }

    fn reply(name: &'static str, count: usize, kind: &str, body: Vec<u8>) -> Self {
        Self {
            name,
            to: To::Caller,
            count,
            properties: reply_properties(kind, "1"),
            body,
        }
    }

    /// All of them, on the wire.
    fn size(&self) -> usize {
        let mut frame = vec![0; FRAME];
        let start = Cursor::new(&mut frame[..]).into();
        let written = gen_properties(&self.properties)(start).unwrap();
        let properties = usize::try_from(written.position).unwrap();
        (properties + self.body.len()) * self.count
    }
}

/// A record of a call.
fn record(headers: &[u8], body: &[u8]) -> Vec<u8> {
    let limit = 60_000_u64.to_be_bytes();
    let parts = [
        &b"C"[..],
        &short(b"1"),
        &limit,
        &[0; 8],
        &sized(headers),
        &sized(body),
    ];
    parts.concat()
}

fn result() -> Vec<u8> {
    [&b"R"[..], &short(b"1"), &sized(b"1")].concat()
}

fn array(value: AMQPValue, count: usize) -> FieldTable {
    let array = AMQPValue::FieldArray(vec![value; count].into());
    table(&[("a", array)])
}

fn tiny_headers(count: usize) -> FieldTable {
    let mut headers = FieldTable::default();
    for number in 0..count {
        headers.insert(format!("{number:x}").into(), AMQPValue::Void);
    }
    headers
}

fn text_of(size: usize) -> Vec<u8> {
    let text = vec![b't'; size - 2];
    [&b"\""[..], &text, b"\""].concat()
}

fn sorts() -> Vec<Sort> {
    let none = FieldTable::default;
    let zeros = |count| format!("{{\"a\":[{}0]}}", "0,".repeat(count)).into_bytes();
    let text = format!("{{\"a\":\"{}\"}}", "t".repeat(100_000)).into_bytes();
    let bytes = AMQPValue::ByteArray(ByteArray::from(vec![200; 120_000]));
    vec![
        Sort::call("a body of 16 MiB", 1, none(), text_of(16 * MIB)),
        Sort::call(
            "a body of 64 MiB, which is refused",
            1,
            none(),
            text_of(64 * MIB),
        ),
        Sort::call("40 bodies of 1 MiB", 40, none(), text_of(MIB)),
        Sort::headers(
            "a header with text",
            table(&[("a", long(&"t".repeat(120_000)))]),
        ),
        Sort::headers("a header with bytes", table(&[("a", bytes)])),
        Sort::headers("a header with voids", array(AMQPValue::Void, 120_000)),
        Sort::headers(
            "a header with flags",
            array(AMQPValue::Boolean(true), 60_000),
        ),
        Sort::headers(
            "a header with tables",
            array(AMQPValue::FieldTable(FieldTable::default()), 24_000),
        ),
        Sort::headers("tiny headers", tiny_headers(18_000)),
        Sort::batch(
            "batches of tiny calls",
            20,
            &vec![record(b"", b"{}"); 4_096],
        ),
        Sort::batch(
            "a batch of bodies",
            1,
            &vec![record(b"", &text_of(MIB / 4)); 60],
        ),
        Sort::batch(
            "a batch of headers with text",
            1,
            &vec![record(&text, b"{}"); 150],
        ),
        Sort::batch(
            "a batch of headers with zeros",
            1,
            &vec![record(&zeros(6_000), b"{}"); 1_000],
        ),
        Sort::batch(
            "a batch beyond the limit",
            1,
            &vec![record(&zeros(6_000), b"{}"); 4_000],
        ),
        Sort::reply("a reply of 16 MiB", 1, "result", text_of(16 * MIB)),
        Sort::reply(
            "a reply of 64 MiB, which is refused",
            1,
            "result",
            text_of(64 * MIB),
        ),
        Sort::reply(
            "batches of tiny replies",
            20,
            "batch",
            result().repeat(4_096),
        ),
    ]
}

/// Waits until all that was sent to the queues of the method is settled.
async fn settled(vhost: &Vhost) {
    let node = shared_node()
        .await
        .node()
        .expect("a test that needs rabbitmqctl; unset RABBITMQ_URL");
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let arguments = [
            "-q",
            "list_queues",
            "-p",
            vhost.name(),
            "--no-table-headers",
            "name",
            "messages",
        ];
        let queues = node.ctl(&arguments).await.unwrap();
        let ours = queues
            .lines()
            .filter(|line| line.contains("weigh") || line.contains("hold"));
        if ours.filter(|line| !line.ends_with("\t0")).count() == 0 {
            return;
        }
        assert!(Instant::now() < end, "not settled: {queues}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the process takes batches.
async fn lane(vhost: &Vhost) {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        // A queue that is not there closes the channel.
        let peer = RawPeer::connect(vhost.url()).await.unwrap();
        if peer
            .counts("rpc.lane.weigh")
            .await
            .is_ok_and(|(_, servers)| servers == 1)
        {
            return;
        }
        assert!(Instant::now() < end, "it takes no batches");
        sleep(Duration::from_millis(10)).await;
    }
}

/// How much memory a new process takes for messages of a sort.
async fn cost(sort: &Sort) -> usize {
    let vhost = fresh_vhost().await;
    let peer = RawPeer::connect(vhost.url()).await.unwrap();
    peer.method_queue("peek").await.unwrap();
    let mut calls = peer.consume_no_ack("peek").await.unwrap();
    let mut weighed = Weighed::start(vhost.url()).await;
    let call = weighed.call(&mut calls).await;
    let queue = match sort.to {
        To::Method => "weigh",
        To::Slow => "hold",
        To::Lane => "rpc.lane.weigh",
        To::Caller => call.reply_to().unwrap(),
    };
    if sort.to == To::Lane {
        // It is declared a moment after the server has started.
        lane(&vhost).await;
    }
    let before = weighed.peak_after(&peer, &call).await;
    for _ in 0..sort.count {
        peer.publish(queue, sort.properties.clone(), &sort.body)
            .await
            .unwrap();
    }
    settled(&vhost).await;
    // What came to its reply queue before the answer to this call has been looked at.
    let call = weighed.call(&mut calls).await;
    weighed.peak_after(&peer, &call).await - before
}

#[tokio::test]
async fn a_message_costs_no_more_than_four_times_its_size() {
    let mut above = Vec::new();
    for sort in sorts() {
        let (size, cost) = (sort.size(), cost(&sort).await);
        let bound = size * TIMES + BESIDE;
        let line = format!(
            "{:36} {:4} x, {:6.1} MiB in all: {:7.1} MiB, {:5.1} times",
            sort.name,
            sort.count,
            mib(size),
            mib(cost),
            mib(cost) / mib(size),
        );
        println!("{line}");
        if cost > bound {
            above.push(line);
        }
    }
    assert!(above.is_empty(), "{above:#?}");
}

#[expect(clippy::cast_precision_loss, reason = "to be read")]
fn mib(bytes: usize) -> f64 {
    bytes as f64 / MIB as f64
}
