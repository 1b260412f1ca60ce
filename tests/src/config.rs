//! The files and the environment of one node.

use std::env;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result};

use crate::authority::Identity;

// One for all nodes of the process, so that they can form a cluster.
static COOKIE: LazyLock<String> =
    LazyLock::new(|| format!("{:016X}", RandomState::new().hash_one(1)));

/// Everything about a node that is known before it runs.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) dist_port: u16,
    pub(crate) epmd_port: u16,
    /// Settings of the application `rabbit`: a key, and a value as an Erlang term.
    pub(crate) settings: Vec<(String, String)>,
    /// A listener with TLS, and its port.
    pub(crate) tls: Option<(TlsListener, u16)>,
}

/// How a node speaks TLS. A client may show a certificate, and log in by its common name.
#[derive(Debug, Clone)]
pub struct TlsListener {
    /// As whom the node shows itself.
    pub identity: Identity,
    /// The authority that issues certificates to clients, in PEM.
    pub client_authority: String,
    /// Whether clients must have a certificate.
    pub demands_certificate: bool,
}

impl Config {
    /// Writes the files into the node's folder. Old data there stay.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let mut terms = vec![format!(
            r#"{{tcp_listeners, [{{"127.0.0.1", {}}}]}}"#,
            self.port
        )];
        terms.extend(
            self.settings
                .iter()
                .map(|(key, value)| format!("{{{key}, {value}}}")),
        );
        let mut plugins = "";
        if let Some((listener, port)) = &self.tls {
            terms.push(listener.write(*port, folder)?);
            plugins = "rabbitmq_auth_mechanism_ssl";
        }
        let text = format!("[{{rabbit, [\n  {}\n]}}].\n", terms.join(",\n  "));
        fs::write(folder.join("rabbitmq.config"), text)?;
        fs::write(folder.join("enabled_plugins"), format!("[{plugins}].\n"))?;
        let cookie = folder.join(".erlang.cookie");
        if !cookie.exists() {
            // Erlang refuses a cookie that others can read.
            let mut file = fs::File::options()
                .write(true)
                .create_new(true)
                .mode(0o400)
                .open(&cookie)?;
            file.write_all(COOKIE.as_bytes())
                .context("cannot write the cookie")?;
        }
        Ok(())
    }

    /// Makes a command of RabbitMQ run this node, or talk to it.
    pub(crate) fn apply(&self, folder: &Path, command: &mut Command) {
        // Whatever is set for another broker would mix with this one.
        for (key, _) in env::vars_os() {
            if ["RABBITMQ_", "ERL_"]
                .iter()
                .any(|prefix| key.to_string_lossy().starts_with(prefix))
            {
                command.env_remove(key);
            }
        }
        let loopback = "-kernel inet_dist_use_interface {127,0,0,1}";
        command
            .current_dir(folder)
            .env("HOME", folder)
            .env("LC_ALL", "C.UTF-8")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_CRASH_DUMP_BYTES", "0")
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_DIST_PORT", self.dist_port.to_string())
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.config"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_SCHEMA_DIR", folder.join("schema"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", folder.join("config"))
            .env("RABBITMQ_PLUGINS_EXPAND_DIR", folder.join("plugins"))
            .env("RABBITMQ_FEATURE_FLAGS_FILE", folder.join("feature_flags"))
            .env(
                "RABBITMQ_ENABLED_PLUGINS_FILE",
                folder.join("enabled_plugins"),
            )
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", loopback)
            .env("RABBITMQ_CTL_ERL_ARGS", loopback)
            // Any free port: the usual range holds eleven, too few for many nodes at once.
            .env("RABBITMQ_CTL_DIST_PORT_MIN", "0")
            .env("RABBITMQ_CTL_DIST_PORT_MAX", "0")
            // The script then becomes the node instead of watching over it, so signals reach the
            // node.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env_remove("NOTIFY_SOCKET");
    }

    /// The last lines of what the node wrote, for an error.
    pub(crate) fn log_tail(folder: &Path) -> String {
        let mut files = vec![folder.join("console.log")];
        if let Ok(entries) = fs::read_dir(folder.join("log")) {
            files.extend(entries.flatten().map(|entry| entry.path()));
        }
        let mut tail = String::new();
        for file in files {
            let text = match fs::read(&file) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) => format!("cannot be read: {error}"),
            };
            let lines: Vec<_> = text
                .lines()
                .filter(|line| !line.trim().is_empty())
                .collect();
            let last = &lines[lines.len().saturating_sub(25)..];
            tail.push_str(&format!(
                "\n--- {} ---\n{}",
                file.display(),
                last.join("\n")
            ));
        }
        tail
    }
}

impl TlsListener {
    /// Writes the files, and returns the settings.
    fn write(&self, port: u16, folder: &Path) -> Result<String> {
        let file = |name: &str, pem: &str| {
            let path = folder.join(name);
            fs::write(&path, pem)?;
            anyhow::Ok(format!("{:?}", path.to_string_lossy()))
        };
        let certificate = file("tls.pem", &self.identity.certificate)?;
        let key = file("tls.key", &self.identity.key)?;
        let authority = file("tls-ca.pem", &self.client_authority)?;
        Ok(format!(
            r#"{{ssl_listeners, [{{"127.0.0.1", {port}}}]}},
  {{ssl_options, [{{certfile, {certificate}}}, {{keyfile, {key}}}, {{cacertfile, {authority}}},
    {{verify, verify_peer}}, {{fail_if_no_peer_cert, {}}}]}},
  {{auth_mechanisms, ['PLAIN', 'EXTERNAL']}},
  {{ssl_cert_login_from, common_name}}"#,
            self.demands_certificate
        ))
    }
}
