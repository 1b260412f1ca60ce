use std::collections::BTreeMap;

use rpc_core::__internals::{End, Wire};
use rpc_core::{CallError, RpcError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::WORDS;

/// A message on the reply queue: its properties, and its body behind them. It may be a batch.
///
/// Whatever it is, the call that it answers ends, and says no more of what it could not read than is good for a log.
pub fn reply(data: &[u8]) {
    let Some(message) = Wire::parse(data) else {
        return;
    };
    if !message.is_batch() {
        return ends(&message);
    }
    for message in message.unpack().unwrap_or_default() {
        ends(&message);
    }
}

fn ends(message: &Wire) {
    end::<Value>(message);
    end::<()>(message);
    end::<u8>(message);
    end::<String>(message);
    end::<Option<f64>>(message);
    end::<Vec<(bool, i64)>>(message);
    end::<Payment>(message);
    end::<BTreeMap<String, Payment>>(message);
}

fn end<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(message: &Wire) {
    let end = match message.end::<T, Refused>("pay") {
        End::Bounced => return assert!(message.is_call()),
        End::Answered(end) => end,
    };
    match end {
        Ok(value) => {
            assert!(message.is_result());
            let body = serde_json::to_string(&value).expect("it was JSON");
            assert_eq!(
                serde_json::from_str::<T>(&body).expect("it was a value"),
                value
            );
        }
        Err(CallError::Service(Refused::Short { .. } | Refused::Unknown(_))) => {}
        // What a service says is its own, and is printed short as well.
        Err(CallError::Rpc(error @ (RpcError::Remote(_) | RpcError::Decode { .. }))) => {
            assert!(matches!(error, RpcError::Decode { .. }) || !message.is_result());
            let words = error.to_string();
            let names_and_two_texts = 2 * WORDS;
            assert!(
                words.len() <= names_and_two_texts,
                "{} bytes: {words}",
                words.len()
            );
        }
        Err(error) => panic!("{error:?}"),
    }
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    amount: u64,
    #[serde(default)]
    to: Vec<String>,
    kind: Kind,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
enum Kind {
    Cash,
    Card { number: String },
    Other(Box<Self>),
}

#[derive(Debug, Deserialize)]
enum Refused {
    #[expect(dead_code, reason = "it is only decoded")]
    Short { by: u64 },
    #[expect(dead_code, reason = "it is only decoded")]
    Unknown(String),
}
