//! Binary data: bodies are JSON, so bytes travel as base64, and what is large in parts.
//!
//! `cargo run --example binary` runs over `memory://`; with `RABBITMQ_URL` set, over that broker.

use std::env;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rpc_core::{Rpc, rpc_service};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are base64 on the wire: 4 bytes for 3. A plain `Vec<u8>` is an array of numbers: about 11 for 3.
#[derive(Clone, Debug, PartialEq)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(D::Error::custom)
    }
}

/// Keeps one file.
#[rpc_service(prefix = "file.")]
trait File {
    /// Turns the bytes round.
    #[rpc(idempotent)]
    async fn reversed(&self, bytes: Blob) -> Blob;
    /// At most `length` bytes from `start`; none at the end.
    #[rpc(idempotent)]
    async fn part(&self, start: usize, length: usize) -> Blob;
}

struct Disk(Vec<u8>);

/// One message may have 16 MiB, which is 12 MiB of bytes. Smaller parts hold up others less.
const LARGEST_PART: usize = 256 * 1024;

impl File for Disk {
    async fn reversed(&self, Blob(mut bytes): Blob) -> Blob {
        bytes.reverse();
        Blob(bytes)
    }

    async fn part(&self, start: usize, length: usize) -> Blob {
        let rest = self.0.get(start..).unwrap_or_default();
        Blob(rest[..rest.len().min(length).min(LARGEST_PART)].to_vec())
    }
}

async fn download(file: &FileClient) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let Blob(part) = file.part(bytes.len(), LARGEST_PART).await?;
        if part.is_empty() {
            return Ok(bytes);
        }
        bytes.extend(part);
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://".into());
    let rpc = Rpc::connect(broker).await?;
    let content: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let server = rpc.serve(FileServer::new(Disk(content.clone()))).await?;
    let file = FileClient::new(&rpc);

    let Blob(reversed) = file.reversed(Blob(vec![1, 2, 255])).await?;
    println!("reversed: {reversed:?}");
    ensure!(reversed == [255, 2, 1]);

    let downloaded = download(&file).await?;
    println!("downloaded: {} bytes", downloaded.len());
    ensure!(downloaded == content);

    // Whoever calls without the trait sends the same text.
    let args = serde_json::json!({"bytes": "not base64!"});
    let refused = rpc.call("file.reversed", args).await;
    println!("refused: {}", refused.expect_err("it is no base64"));
    server.shutdown().await?;
    Ok(())
}
