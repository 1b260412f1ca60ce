//! The RabbitMQ installation that the tests run.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

// Scripts that run as whoever calls them. Those in /usr/sbin switch to the user `rabbitmq`.
const KNOWN: [&str; 4] = [
    "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "/opt/rabbitmq/sbin/rabbitmq-server",
    "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
    "/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
];

const HELP: &str = "\
no RabbitMQ server was found, and the tests need a real one. Either
  - run tests/install, or as root: apt-get install rabbitmq-server; or
  - set RABBITMQ_SERVER to the script `rabbitmq-server` of an installation (`rabbitmqctl` beside it); or
  - set RABBITMQ_URL to a running broker (the tests of faults still need one of the above)";

/// The scripts of one RabbitMQ installation.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    pub(crate) server: PathBuf,
    pub(crate) ctl: PathBuf,
    pub(crate) epmd: PathBuf,
}

impl Installation {
    /// `$RABBITMQ_SERVER`, else the first of the usual places, else the first in `$PATH`.
    pub(crate) fn find() -> Result<Self> {
        let server = match env::var_os("RABBITMQ_SERVER") {
            Some(named) => {
                let named = PathBuf::from(named);
                if !named.is_file() {
                    bail!(
                        "RABBITMQ_SERVER names {}, which is no file",
                        named.display()
                    );
                }
                // The node runs in a folder of its own.
                std::path::absolute(named)?
            }
            None => match KNOWN
                .map(PathBuf::from)
                .into_iter()
                .find(|path| path.is_file())
            {
                Some(known) => known,
                None => match in_path("rabbitmq-server") {
                    Some(found) => found,
                    None => bail!("{HELP}"),
                },
            },
        };
        let folder = server.parent().unwrap_or_else(|| Path::new("/"));
        let ctl = folder.join("rabbitmqctl");
        if !ctl.is_file() {
            bail!(
                "{} has no rabbitmqctl beside it, which the tests need",
                server.display()
            );
        }
        let beside = Some(folder.join("epmd")).filter(|path| path.is_file());
        let Some(epmd) = beside.or_else(|| in_path("epmd")) else {
            bail!(
                "epmd, the port mapper of Erlang, is neither in PATH nor beside {}; it is part of every Erlang, \
                 under erts-*/bin",
                server.display()
            );
        };
        Ok(Self { server, ctl, epmd })
    }
}

/// The first program of that name in `$PATH`.
pub(crate) fn in_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
