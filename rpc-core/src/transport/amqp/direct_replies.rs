//! Which addresses of RabbitMQ's direct reply-to may be published to.
//!
//! Such an address names a process of the broker, and callers write it. Up to RabbitMQ 4.1, the
//! broker crashes the channel that publishes to an address that it cannot resolve, with its
//! connection: all the calls of a server would fail for one forged address, again and again.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection};
use tokio::sync::{OnceCell, oneshot};
use tokio::time::timeout;
use tracing::warn;

use super::limits::short;
use super::taps::Taps;
use crate::wire::inbound::DIRECT_REPLY_TO;
use crate::wire::random_uuid::random_uuid;

/// What is known of the broker's addresses. It is learnt for the first call that has one.
pub(super) struct DirectReplies {
    connection: Arc<Connection>,
    taps: Arc<Taps>,
    rule: OnceCell<Rule>,
}

#[derive(Debug, PartialEq)]
enum Rule {
    /// The broker drops what it cannot resolve.
    All,
    /// Only those of the node to which this connection leads. This is how the processes of such
    /// addresses are encoded, up to what tells one from another.
    OfNode(Vec<u8>),
    None,
}

impl DirectReplies {
    pub(super) fn new(connection: Arc<Connection>, taps: Arc<Taps>) -> Self {
        Self {
            connection,
            taps,
            rule: OnceCell::new(),
        }
    }

    /// Whether a reply may be published to this address. Ends within a second or two.
    pub(super) async fn accept(&self, address: &str) -> bool {
        let rule = self.rule.get_or_init(|| self.learn()).await;
        rule.accepts(address)
    }

    async fn learn(&self) -> Rule {
        if self.taps.broker() >= RESOLVES_SAFELY {
            return Rule::All;
        }
        let reason = match timeout(LEARN_LIMIT, self.own_address()).await {
            Ok(Ok(Some(address))) => match process_of(&address) {
                Some(process) => return Rule::OfNode(node_of(&process).to_vec()),
                None => "its addresses have an unknown form".to_owned(),
            },
            Ok(Ok(None)) => "the broker has none".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {LEARN_LIMIT:?}"),
        };
        warn!(
            reason,
            "calls with a direct reply-to are rejected: its addresses cannot be checked"
        );
        Rule::None
    }

    /// The address that the broker gives this connection: it writes it into a message that comes
    /// back because there is no queue for it.
    async fn own_address(&self) -> Result<Option<String>, lapin::Error> {
        let channel = self.connection.create_channel().await?;
        let (tx, rx) = oneshot::channel();
        let tx = Mutex::new(Some(tx));
        let _returns = self.taps.publish(
            channel.id(),
            Arc::new(move |returned| {
                let waiting = tx.lock().ok().and_then(|mut tx| tx.take());
                if let Some(waiting) = waiting {
                    // Fails only if nobody waits any more.
                    let _ = waiting.send(returned.message.reply_to);
                }
            }),
        );
        let (tag, _replies) = self.taps.consume(Arc::new(drop));
        let pseudo_queue = DIRECT_REPLY_TO.trim_end_matches('.');
        let options = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        let _consumer = channel
            .basic_consume(short(pseudo_queue), tag, options, FieldTable::default())
            .await?;
        let nobody = format!("rpc.nobody.{}", random_uuid());
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let properties = BasicProperties::default().with_reply_to(short(pseudo_queue));
        channel
            .basic_publish("".into(), short(&nobody), options, &[], properties)
            .await?;
        let address = rx.await.ok().flatten();
        channel.close(200, "OK".into()).await?;
        Ok(address.map(|address| (*address).to_owned()))
    }
}

impl Rule {
    fn accepts(&self, address: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::OfNode(node) => process_of(address).is_some_and(|process| {
                let which = process.strip_prefix(node.as_slice());
                which.is_some_and(is_possible)
            }),
        }
    }
}

/// Whether this can be the number, the serial number and the creation of a process. RabbitMQ cannot
/// read others.
fn is_possible(which: &[u8]) -> bool {
    match which {
        [a, b, c, d, e, f, g, h, _, _, _, _] => {
            let number = u32::from_be_bytes([*a, *b, *c, *d]);
            let serial = u32::from_be_bytes([*e, *f, *g, *h]);
            number < MOST_PROCESSES && serial < MOST_SERIALS
        }
        _ => false,
    }
}

/// The process in an address, as Erlang encodes it.
fn process_of(address: &str) -> Option<Vec<u8>> {
    let rest = address.strip_prefix(DIRECT_REPLY_TO)?;
    let (process, _key) = rest.split_once('.')?;
    decode_base64(process).filter(|process| process.len() > WHICH)
}

/// What a process has in common with all others of its node.
fn node_of(process: &[u8]) -> &[u8] {
    &process[..process.len().saturating_sub(WHICH)]
}

/// Decodes padded base64 (RFC 4648, section 4), and nothing else.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(bytes)
}

impl fmt::Debug for DirectReplies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectReplies")
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

/// The first version whose broker only drops what it cannot resolve.
const RESOLVES_SAFELY: (u32, u32) = (4, 2);

/// The number, the serial number and the creation of a process, of four bytes each.
const WHICH: usize = 12;

/// The limits of Erlang/OTP 25 for its own processes. It cannot read larger ones.
const MOST_PROCESSES: u32 = 1 << 15;
const MOST_SERIALS: u32 = 1 << 13;

const LEARN_LIMIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "amq.rabbitmq.reply-to.g1h2AA5yZXBseUAxMjM0NTY3OAAAAyEAAAAAZ0bsAQ==.a2V5";

    #[test]
    fn only_processes_of_the_own_node_are_accepted() {
        let own = process_of(OWN).unwrap();
        let rule = Rule::OfNode(node_of(&own).to_vec());
        assert_eq!(node_of(&own), b"\x83Xv\x00\x0ereply@12345678");
        assert!(rule.accepts(OWN));
        for other in [
            // Another process, creation and key.
            ("g1h2AA5yZXBseUAxMjM0NTY3OAAAAyIAAAABZ0bsAg==.b2s=", true),
            // Another node.
            ("g1h2AA5yZXBseUAxMjM0NTY3OQAAAyEAAAAAZ0bsAQ==.a2V5", false),
            // A number, and a serial number, that are too large.
            ("g1h2AA5yZXBseUAxMjM0NTY3OP////AAAAAAZ0bsAQ==.a2V5", false),
            ("g1h2AA5yZXBseUAxMjM0NTY3OAAAAyH/////Z0bsAQ==.a2V5", false),
            // More, and less, than a process.
            (
                "g1h2AA5yZXBseUAxMjM0NTY3OAAAAyEAAAAAZ0bsAQEBAQ==.a2V5",
                false,
            ),
            ("g1h2AA5yZXBseUAxMjM0NTY3OAAAAyEAAAAAZw==.a2V5", false),
            ("AAAA.a2V5", false),
            ("x.y", false),
        ] {
            let address = format!("{DIRECT_REPLY_TO}{}", other.0);
            assert_eq!(rule.accepts(&address), other.1, "{address}");
        }
    }

    #[test]
    fn base64_is_read_strictly() {
        assert_eq!(decode_base64("aGk=").as_deref(), Some(&b"hi"[..]));
        assert_eq!(decode_base64("").as_deref(), Some(&b""[..]));
        for wrong in ["aGk", "aGl=", "a===", "aG k", "aGk=aGk=", "a-_="] {
            assert_eq!(decode_base64(wrong), None, "{wrong}");
        }
    }
}
