//! What all peers do: a text goes to a server and comes back, in JSON both ways.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A client whose server sends back what it gets.
pub(crate) trait Echo: Clone + Send + Sync + 'static {
    /// Makes one call. Where one can be lost, it ends after [`LIMIT`].
    fn echo(&self, text: &str) -> impl Future<Output = Result<String>> + Send;
}

/// How long a call may take, of whatever peer; the default of rpc-core.
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

/// The server's work: from the body of a call to that of its result.
pub(crate) fn answer(body: &[u8]) -> Result<Vec<u8>> {
    let args: Args<'_> = serde_json::from_slice(body)?;
    Ok(serde_json::to_vec(&args.text)?)
}

/// The result of a call.
pub(crate) fn decode_result(body: &[u8]) -> Result<String> {
    Ok(serde_json::from_slice(body)?)
}
