//! No log line holds what callers and servers say to each other, or how they log in.
//!
//! A test binary of its own, since it captures the log of the whole process: of this library and
//! of those below it, in the default set-up of a user.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use std::collections::BTreeMap;

use rpc_tests::{Log, RabbitNode, Vhost, fresh_vhost, shared_node};
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

mod foreign;
mod traffic;

/// Everything that must not be logged begins with this, in this process and in no other text.
const MARK: &str = "zq7";

const PASSWORD: &str = "zq7-password";

/// One who may do everything, and one who may not serve.
const USER: &str = "zq7-user";
const POOR: &str = "zq7-poor";

/// Where the traffic goes.
struct Place {
    node: &'static RabbitNode,
    vhost: Vhost,
}

impl Place {
    async fn open() -> Self {
        let node = shared_node()
            .await
            .node()
            .expect("a test that needs rabbitmqctl; unset RABBITMQ_URL");
        let vhost = fresh_vhost().await;
        let user = |name: &str| json!({"name": name, "password": PASSWORD, "tags": ""});
        let all = ".*";
        let few = r"^(rpc\.reply\..*|rpc\.dlx)$";
        let permission = |user: &str, pattern: &str| {
            json!({
                "user": user, "vhost": vhost.name(),
                "configure": pattern, "write": pattern, "read": pattern
            })
        };
        let definitions = json!({
            "users": [user(USER), user(POOR)],
            "permissions": [permission(USER, all), permission(POOR, few)],
        });
        node.import(&definitions).await.unwrap();
        Self { node, vhost }
    }

    fn url(&self, user: &str, password: &str) -> String {
        self.node.url_for(user, password, self.vhost.name())
    }
}

/// Where a line comes from: its level, its target, and the words before what it tells of.
fn source(line: &str) -> String {
    let mut words = line.split_whitespace();
    let level = words.find(|word| LEVELS.contains(word)).unwrap_or("?");
    // A span stands before the target.
    let target = words.find(|word| word.contains("::")).unwrap_or("?");
    let words = words.take_while(|word| !word.contains(['=', '{', '"']));
    let message: Vec<_> = words.collect();
    format!("{level} {target} {}", message.join(" "))
}

const LEVELS: [&str; 4] = ["ERROR", "WARN", "INFO", "DEBUG"];

/// What a line says that it should not.
fn leaks(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (place, _) in line.match_indices(MARK) {
        let rest = line[place..].chars();
        found.push(
            rest.take_while(|sign| sign.is_alphanumeric() || *sign == '-')
                .collect(),
        );
    }
    // As a list of the numbers of its text, which is how lapin shows bodies.
    for list in [
        format!("{:?}", MARK.as_bytes()),
        format!("{:x?}", MARK.as_bytes()),
    ] {
        if line.contains(list.trim_matches(['[', ']'])) {
            found.push("bytes".to_owned());
        }
    }
    found.retain(|mark| !NAMES.contains(&&**mark));
    found.sort();
    found.dedup();
    found
}

/// Who was refused what is what an operator has to know, and no secret.
const NAMES: [&str; 4] = [USER, POOR, "zq7-unknown", "zq7-vhost"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_line_holds_what_is_said() {
    let log = Log::default();
    let writer = log.clone();
    // As `tracing_subscriber::fmt().init()`, which shows INFO, and one level more.
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let place = Place::open().await;
    // The words of panics go to standard error, which is not the log.
    std::panic::set_hook(Box::new(|panic| {
        let words = panic.to_string();
        if !words.contains(MARK) {
            eprintln!("{words}");
        }
    }));
    traffic::all(&place).await;
    foreign::all(&place).await;
    drop(std::panic::take_hook());

    let log = log.text();
    let mut sources = BTreeMap::new();
    let mut found = BTreeMap::new();
    for line in log.lines() {
        *sources.entry(source(line)).or_insert(0_usize) += 1;
        for leaked in leaks(line) {
            let (count, _) = found
                .entry((source(line), leaked))
                .or_insert_with(|| (0_usize, line.chars().take(200).collect::<String>()));
            *count += 1;
        }
    }
    for (source, count) in &sources {
        println!("{count:5} {source}");
    }
    for expected in EXPECTED {
        assert!(
            log.contains(expected),
            "the traffic did not bring about: {expected}"
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Lines without which the traffic was not what it should be.
const EXPECTED: [&str; 10] = [
    "a handler panicked",
    "giving up on a call",
    "a one-way call failed",
    "a dead-lettered call is lost",
    "rejected a message that cannot be read",
    "dropped a batch that cannot be read",
    "connection lost",
    "serving again",
    "dropped a message that no call waits for",
    "not accepting batches",
];
