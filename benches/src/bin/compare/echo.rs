//! What all peers do: send a text to a server and get it back, as JSON in both directions.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A client whose server returns what it receives.
pub(crate) trait Echo: Clone + Send + Sync + 'static {
    /// Makes one call. If a call can be lost, it ends after [`LIMIT`].
    fn echo(&self, text: &str) -> impl Future<Output = Result<String>> + Send;
}

/// The time limit of a call, for all peers: rpc-core's default.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The arguments of a call, for peers that leave their encoding to the user.
#[derive(Deserialize, Serialize)]
struct Args<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// The body of a call.
pub(crate) fn encode_call(text: &str) -> Result<Vec<u8>> {
    let text = text.into();
    Ok(serde_json::to_vec(&Args { text })?)
}

/// The server's work: turns the body of a call into the body of its result.
pub(crate) fn answer(body: &[u8]) -> Result<Vec<u8>> {
    let args: Args<'_> = serde_json::from_slice(body)?;
    Ok(serde_json::to_vec(&args.text)?)
}

/// The result of a call.
pub(crate) fn decode_result(body: &[u8]) -> Result<String> {
    Ok(serde_json::from_slice(body)?)
}
