//! Measures how long `cargo check` takes for a service, compared with the same service under tarpc.
//!
//! ```console
//! $ cargo run -p benches --bin compile-time           # a trait of 100 methods, 7 runs
//! $ cargo run -p benches --bin compile-time -- 200 3  # of 200 methods, 3 runs
//! ```
//!
//! The checked workspace is generated in cargo's target folder, so no other crate depends on tarpc.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let methods: usize = args.next().map_or(Ok(100), |arg| arg.parse())?;
    let runs: usize = args.next().map_or(Ok(7), |arg| arg.parse())?;
    let (methods, runs) = (methods.max(1), runs.max(1));

    let program = env::current_exe()?;
    let target = program.ancestors().nth(2).ok_or("no target folder")?;
    let workspace = target.join("compile-time");
    fs::create_dir_all(&workspace)?;
    // Not `env!`: two checkouts that share a target folder may share this program too.
    let package = env::var("CARGO_MANIFEST_DIR")?;
    fs::write(
        workspace.join("Cargo.toml"),
        WORKSPACE.replace("PACKAGE", &package),
    )?;
    let pair = |mix| [RPC_CORE, TARPC].map(|framework| framework.package(&workspace, methods, mix));
    let (mixed, fallible) = (pair(Mix::Any), pair(Mix::Fallible));

    println!("checking all that the crates depend on");
    for package in mixed.iter().chain(&fallible) {
        package.write()?;
    }
    for package in mixed.iter().chain(&fallible) {
        package.check(&["--features", "used"])?;
    }
    println!("\n{methods} methods, and an implementation");
    compare(&mixed, runs, &[])?;
    println!("\nthe same, with a server, and a call of each method");
    compare(&mixed, runs, &["--features", "used"])?;
    println!("\nthe same, where each method returns a `Result`");
    compare(&fallible, runs, &["--features", "used"])
}

/// Checks the two in turn, because the machine's speed may vary over time.
fn compare(pair: &[Package; 2], runs: usize, options: &[&str]) -> Result<()> {
    let mut times = [Vec::new(), Vec::new()];
    for run in 1..=runs {
        for (package, times) in pair.iter().zip(&mut times) {
            times.push(package.check(options)?);
        }
        print(&format!("run {run}"), &times, run - 1);
    }
    for times in &mut times {
        times.sort_by(f64::total_cmp);
    }
    print("minimum", &times, 0);
    print("median", &times, runs / 2);
    Ok(())
}

fn print(what: &str, times: &[Vec<f64>; 2], index: usize) {
    let [ours, theirs] = times.each_ref().map(|times| times[index]);
    let ratio = ours / theirs;
    println!("{what:8} rpc-core {ours:.3} s, tarpc {theirs:.3} s, ratio {ratio:.2}");
}

/// A generated crate.
struct Package {
    folder: PathBuf,
    manifest: String,
    /// The trait and an implementation.
    lib: String,
    /// What uses all that is generated.
    used: String,
}

impl Package {
    fn write(&self) -> Result<()> {
        fs::create_dir_all(self.folder.join("src"))?;
        fs::write(self.folder.join("Cargo.toml"), &self.manifest)?;
        fs::write(self.folder.join("src/used.rs"), &self.used)?;
        fs::write(self.folder.join("src/lib.rs"), &self.lib)?;
        Ok(())
    }

    /// Checks the crate again, but not its dependencies. Returns the seconds that this took.
    fn check(&self, options: &[&str]) -> Result<f64> {
        // cargo takes a rewritten file for a changed one.
        fs::write(self.folder.join("src/lib.rs"), &self.lib)?;
        let start = Instant::now();
        let status = Command::new(env::var("CARGO")?)
            .args(["check", "--quiet"])
            .args(options)
            .current_dir(&self.folder)
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TARGET_DIR", self.folder.with_file_name("target"))
            .status()?;
        let time = start.elapsed().as_secs_f64();
        if status.success() {
            Ok(time)
        } else {
            Err(format!("`cargo check` failed in {}", self.folder.display()).into())
        }
    }
}

/// What the methods return.
#[derive(Clone, Copy)]
enum Mix {
    /// Nothing, values and `Result`s.
    Any,
    /// `Result`s only. Then our client implements the trait as well.
    Fallible,
}

/// The templates of a service for one of the two. `NAME` and the like stand for the parts of a
/// method.
struct Framework {
    name: &'static str,
    dependencies: &'static str,
    attribute: &'static str,
    declared: &'static str,
    implemented: &'static str,
    called: &'static str,
    served: &'static str,
}

impl Framework {
    fn package(&self, workspace: &Path, methods: usize, mix: Mix) -> Package {
        let name = match mix {
            Mix::Any => self.name.to_owned(),
            Mix::Fallible => format!("{}-fallible", self.name),
        };
        let each = |text| {
            (0..methods)
                .map(|number| method(text, number, mix))
                .collect()
        };
        let [declared, implemented, called]: [String; 3] =
            [self.declared, self.implemented, self.called].map(each);
        Package {
            manifest: MANIFEST.replace("NAME", &name) + self.dependencies,
            folder: workspace.join(name),
            lib: format!(
                "{TYPES}\n{}\npub trait Store {{\n{declared}}}\n\nimpl Store for Shop {{\n{implemented}}}\n",
                self.attribute
            ),
            used: format!("use super::*;\n{}\n{called}", self.served),
        }
    }
}

/// A line for a method of the trait: with none to four arguments, all of them in several types.
fn method(text: &str, number: usize, mix: Mix) -> String {
    let of = |index: usize| VALUES[index % VALUES.len()];
    let args = || (0..number % 5).map(|index| (index, of(number / 5 + index)));
    let (ty, value) = of(number / 3);
    let (returns, body) = match (mix, number % 3) {
        (Mix::Any, 0) => (String::new(), String::new()),
        (Mix::Any, 1) => (format!("-> {ty}"), value.to_owned()),
        _ => (format!("-> Result<{ty}, Refusal>"), format!("Ok({value})")),
    };
    let params: String = args()
        .map(|(index, (ty, _))| format!("arg_{index}: {ty}, "))
        .collect();
    let args: String = args().map(|(_, (_, value))| format!("{value}, ")).collect();
    let line = text
        .replace("NAME", &format!("method_{number}"))
        .replace("PARAMS", &params)
        .replace("ARGS", &args)
        .replace("RETURNS", &returns)
        .replace("BODY", &body);
    line + "\n"
}

/// The types of arguments and results, each with a value.
const VALUES: [(&str, &str); 5] = [
    ("u64", "7"),
    ("String", "String::new()"),
    ("Option<String>", "None"),
    ("Vec<u64>", "Vec::new()"),
    ("Item", "Item::default()"),
];

const RPC_CORE: Framework = Framework {
    name: "with-rpc-core",
    dependencies: "rpc-core.workspace = true\n",
    attribute: "
impl From<rpc_core::RpcError> for Refusal {
    fn from(_: rpc_core::RpcError) -> Self {
        Self::Absent
    }
}

#[rpc_core::rpc_service]",
    declared: "/// Does what NAME does.\nasync fn NAME(&self, PARAMS) RETURNS;",
    implemented: "async fn NAME(&self, PARAMS) RETURNS { BODY }",
    called: "pub async fn NAME(client: &StoreClient) { let _ = client.NAME(ARGS).await; }",
    served: r#"
pub async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let rpc = rpc_core::Rpc::connect("memory://").await?;
    rpc.serve(StoreServer::new(Shop)).await?;
    method_0(&StoreClient::new(&rpc)).await;
    Ok(())
}
"#,
};

const TARPC: Framework = Framework {
    name: "with-tarpc",
    dependencies: r#"
futures = "0.3"
tarpc = { version = "0.38", features = ["serde-transport", "serde-transport-json"] }
tokio = { version = "1", features = ["io-util", "rt"] }
"#,
    attribute: "#[tarpc::service]",
    declared: "/// Does what NAME does.\nasync fn NAME(PARAMS) RETURNS;",
    implemented: "async fn NAME(self, _: tarpc::context::Context, PARAMS) RETURNS { BODY }",
    called: "pub async fn NAME(client: &StoreClient) { let _ = client.NAME(current(), ARGS).await; }",
    served: r#"
use futures::StreamExt;
use tarpc::context::current;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Json;
use tarpc::tokio_util::codec::Framed;

pub async fn serve() {
    let (near, far) = tokio::io::duplex(1024);
    let near = tarpc::serde_transport::new(Framed::new(near, Default::default()), Json::default());
    let far = tarpc::serde_transport::new(Framed::new(far, Default::default()), Json::default());
    let server = BaseChannel::with_defaults(far).execute(Shop.serve());
    tokio::spawn(server.for_each(async |answer| drop(tokio::spawn(answer))));
    method_0(&StoreClient::new(Default::default(), near).spawn()).await;
}
"#,
};

const WORKSPACE: &str = r#"[workspace]
resolver = "3"
members = ["with-*"]

[workspace.dependencies]
rpc-core.path = 'PACKAGE/../rpc-core'
"#;

const MANIFEST: &str = r#"[package]
name = "NAME"
edition = "2024"

[features]
used = []

[dependencies]
serde = { version = "1", features = ["derive"] }
"#;

/// What services of both have in common.
const TYPES: &str = r#"#![allow(unused_variables)]
#[cfg(feature = "used")]
pub mod used;

#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Item {
    pub name: String,
    pub tags: Vec<String>,
    pub price: Option<u64>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub enum Refusal {
    Absent,
    Limit(u64),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

#[derive(Clone)]
pub struct Shop;
"#;
