//! Certificates for a test, made with `openssl`.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// A certificate authority that nobody trusts but the test.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    pem: String,
}

/// A certificate and its private key, in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key, in PKCS#8.
    pub key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.certificate)
    }
}

impl Authority {
    /// Makes one of that name.
    ///
    /// # Errors
    /// If there is no `openssl`, or it fails.
    pub fn new(name: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rpc-ca-").tempdir()?;
        let request = ["req", "-x509", "-days", "2", "-subj"];
        let names = [
            &format!("/CN={name}"),
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ];
        openssl(folder.path(), &[&request, &names[..], &NEW_KEY].concat())?;
        let pem = fs::read_to_string(folder.path().join("ca.pem"))?;
        Ok(Self { folder, pem })
    }

    /// Its own certificate, in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Issues a certificate with that common name, which is valid for the host of that name.
    ///
    /// # Errors
    /// As [`Authority::new`].
    pub fn issue(&self, name: &str) -> Result<Identity> {
        self.issue_for(name, "2")
    }

    /// The same, with a certificate that expired yesterday.
    ///
    /// # Errors
    /// As [`Authority::new`].
    pub fn issue_expired(&self, name: &str) -> Result<Identity> {
        self.issue_for(name, "-1")
    }

    fn issue_for(&self, name: &str, days: &str) -> Result<Identity> {
        // A folder for each, so that two may be issued at a time.
        let folder = tempfile::Builder::new().prefix("rpc-cert-").tempdir()?;
        let path = folder.path();
        fs::write(path.join("names"), format!("subjectAltName=DNS:{name}\n"))?;
        let subject = format!("/CN={name}");
        let request = [
            "req", "-subj", &subject, "-keyout", "key", "-out", "request",
        ];
        openssl(path, &[&request[..], &NEW_KEY].concat())?;
        let [authority, authority_key] = ["ca.pem", "ca.key"].map(|file| {
            let path = self.folder.path().join(file);
            path.to_string_lossy().into_owned()
        });
        let issue = [
            ["x509", "-req", "-in", "request", "-out", "certificate"],
            ["-extfile", "names", "-set_serial", "1", "-days", days],
        ];
        let by = ["-CA", &authority, "-CAkey", &authority_key];
        openssl(path, &[&issue.concat()[..], &by].concat())?;
        Ok(Identity {
            certificate: fs::read_to_string(path.join("certificate"))?,
            key: fs::read_to_string(path.join("key"))?,
        })
    }
}

/// Keys of this kind are made in no time.
const NEW_KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
];

fn openssl(folder: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("cannot run openssl, which the tests of TLS need; tests/install installs it")?;
    if !output.status.success() {
        bail!(
            "openssl {}: {}\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
