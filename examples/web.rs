//! An HTTP server (axum) in front of a service: its errors become statuses, and the id of a request goes along.
//!
//! `cargo run --example web` runs over `memory://`; with `RABBITMQ_URL` set, over that broker. It makes three
//! requests to itself. A real one ends with `axum::serve(TcpListener::bind("0.0.0.0:80").await?, app).await?`.

use std::env;
use std::future::pending;

use anyhow::{Result, ensure};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use rpc_core::{CallError, Context, Rpc, RpcError, kind, rpc_service};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower::ServiceExt;

const REQUEST_ID: &str = "x-request-id";

/// Accounts.
#[rpc_service(prefix = "web.")]
trait Accounts {
    /// What is on an account, in cents.
    #[rpc(idempotent, timeout = "500ms")]
    async fn balance(&self, account: &str) -> Result<u64, NoSuchAccount>;
}

#[derive(Debug, Deserialize, Serialize, thiserror::Error)]
#[error("there is no account `{0}`")]
struct NoSuchAccount(String);

/// An error on its way to a browser.
struct Failure(CallError<NoSuchAccount>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, text) = match &self.0 {
            CallError::Service(error) => (StatusCode::NOT_FOUND, error.to_string()),
            CallError::Rpc(error) => {
                // What went wrong inside is for the log, not for strangers.
                eprintln!("web:     {error}");
                (status(error), "try again later".into())
            }
        };
        (status, Json(json!({ "error": text }))).into_response()
    }
}

/// The status of a call that failed.
fn status(error: &RpcError) -> StatusCode {
    if error.kind() == kind::INVALID_ARGUMENTS {
        StatusCode::BAD_REQUEST
    } else if error.is_retryable() {
        // It did not run: whoever asks may ask again.
        StatusCode::SERVICE_UNAVAILABLE
    } else if error.is_timeout() {
        StatusCode::GATEWAY_TIMEOUT
    } else if error.may_have_run() {
        StatusCode::BAD_GATEWAY
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}

async fn balance(
    State(accounts): State<AccountsClient>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let mut call = accounts.balance(&account);
    if let Some(id) = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()) {
        call = call.header(REQUEST_ID, id);
    }
    // If the browser goes away, axum drops this future, and with it the call.
    let cents = call.await.map_err(Failure)?;
    Ok(Json(json!({ "cents": cents })).into_response())
}

struct Ledger;

impl Accounts for Ledger {
    async fn balance(&self, account: &str) -> Result<u64, NoSuchAccount> {
        let id = Context::current().header(REQUEST_ID).cloned();
        println!("service: {account}, request {id:?}");
        match account {
            "ada" => Ok(1000),
            "slow" => pending().await,
            other => Err(NoSuchAccount(other.into())),
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://".into());
    let rpc = Rpc::connect(broker).await?;
    let app = Router::new()
        .route("/accounts/{account}", get(balance))
        .with_state(AccountsClient::new(&rpc));
    let server = rpc.serve(AccountsServer::new(Ledger)).await?;
    request(&app, "/accounts/ada", StatusCode::OK).await?;
    request(&app, "/accounts/eve", StatusCode::NOT_FOUND).await?;
    request(&app, "/accounts/slow", StatusCode::GATEWAY_TIMEOUT).await?;
    server.shutdown().await?;
    Ok(())
}

async fn request(app: &Router, path: &str, expected: StatusCode) -> Result<()> {
    let request = Request::get(path)
        .header(REQUEST_ID, "r-1")
        .body(Body::empty())?;
    let status = app.clone().oneshot(request).await?.status();
    println!("browser: GET {path} -> {status}");
    ensure!(status == expected, "expected {expected}");
    Ok(())
}
