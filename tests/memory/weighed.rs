//! The process whose memory is measured, as its test sees it.

use std::process::Stdio;

use rpc_tests::{RawConsumer, RawMessage, RawPeer, reply_properties};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The process that is measured.
pub(crate) struct Weighed {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Weighed {
    pub(crate) async fn start(url: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_weighed"))
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut weighed = Self {
            _child: child,
            input,
            output,
        };
        assert_eq!(weighed.line().await, "ready");
        weighed
    }

    async fn line(&mut self) -> String {
        self.output.next_line().await.unwrap().expect("it lives")
    }

    async fn ask(&mut self, what: &str) {
        self.input.write_all(what.as_bytes()).await.unwrap();
        self.input.write_all(b"\n").await.unwrap();
    }

    /// The most memory that it ever had, in bytes.
    async fn peak(&mut self) -> usize {
        self.ask("peak").await;
        self.line().await.parse::<usize>().unwrap() << 10
    }

    /// Its call, as its server sees it.
    pub(crate) async fn call(&mut self, calls: &mut RawConsumer) -> RawMessage {
        self.ask("call").await;
        calls.next().await.unwrap()
    }

    /// Answers its call, and asks for its peak once that has ended.
    pub(crate) async fn peak_after(&mut self, peer: &RawPeer, call: &RawMessage) -> usize {
        let reply = reply_properties("result", call.correlation_id().unwrap());
        peer.publish(call.reply_to().unwrap(), reply, "1")
            .await
            .unwrap();
        assert_eq!(self.line().await, "called");
        self.peak().await
    }
}
