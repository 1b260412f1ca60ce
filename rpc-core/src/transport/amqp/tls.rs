//! TLS: which certificates a client trusts, and with which one it identifies itself.
//!
//! The connector is built here and not by lapin. The options of lapin can only add to the roots of
//! the platform, are parsed again for each connection, and print the private key in their `Debug`.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::TryFutureExt;
use lapin::tcp::{RustlsConnector, RustlsConnectorConfig};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties, ErrorKind};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, RootCertStore};

use super::Failure;
use super::opening::{Connecting, open, plain};
use super::url::Host;
use crate::error::connect::ConnectError;

/// The TLS options of the user, not parsed yet.
#[derive(Clone, Default)]
pub(crate) struct TlsOptions {
    /// Certificates that replace the platform's roots, unless this is empty.
    pub(crate) ca: Vec<Vec<u8>>,
    pub(crate) identity: Option<PemIdentity>,
}

#[derive(Clone)]
pub(crate) struct PemIdentity {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl TlsOptions {
    /// The name of an option that is set.
    fn any(&self) -> Option<&'static str> {
        match (&self.identity, self.ca.is_empty()) {
            (Some(_), _) => Some(IDENTITY),
            (None, false) => Some(CA),
            (None, true) => None,
        }
    }
}

/// Shows only which options are set, because the private key is a secret.
impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("private_ca", &!self.ca.is_empty())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

/// The options, parsed and checked.
pub(super) struct Tls {
    connector: RustlsConnector,
    private_ca: bool,
    identity: bool,
}

impl Tls {
    /// The TLS setup for the hosts of a URL, which all share its scheme; `None` if it is
    /// `amqp://`.
    pub(super) fn for_hosts(
        hosts: &[Host],
        options: &TlsOptions,
    ) -> Result<Option<Self>, ConnectError> {
        if !hosts.iter().any(Host::has_tls) {
            return match options.any() {
                // A user who sets a TLS option does not expect to send a password in plain text.
                Some(option) => Err(refuse(
                    option,
                    "it is set, but the URL does not use TLS: it must start with amqps://".into(),
                )),
                None => Ok(None),
            };
        }
        if options.identity.is_none() && hosts.iter().any(Host::is_external) {
            return Err(refuse(
                IDENTITY,
                "it is not set, but `auth_mechanism=external` in the URL logs in with a client certificate".into(),
            ));
        }
        Self::new(options).map(Some)
    }

    fn new(options: &TlsOptions) -> Result<Self, ConnectError> {
        let private_ca = !options.ca.is_empty();
        let mut config = RustlsConnectorConfig::default();
        if private_ca {
            config.add_parsable_certificates(roots(&options.ca)?);
        } else {
            config = config.with_platform_verifier();
        }
        let connector = match &options.identity {
            Some(PemIdentity { certificate, key }) => {
                let chain = certificates(IDENTITY, certificate)?;
                config
                    .connector_with_single_cert(chain, private_key(key)?)
                    .map_err(|error| refuse(IDENTITY, mismatch(&error)))?
            }
            None => config.connector_with_no_client_auth().map_err(|error| {
                let reason = format!("this machine's root certificates cannot be used: {error}");
                refuse(CA, reason)
            })?,
        };
        Ok(Self {
            connector,
            private_ca,
            identity: options.identity.is_some(),
        })
    }

    /// Connects. The future borrows nothing. The server's certificate is checked before anything
    /// else is sent.
    pub(super) fn connect(
        &self,
        uri: AMQPUri,
        properties: ConnectionProperties,
    ) -> impl Future<Output = Result<Connection, Failure>> + Send + use<> {
        let connector = self.connector.clone();
        let handshake_done = Arc::new(AtomicBool::new(false));
        let set_done = Arc::clone(&handshake_done);
        let connect = move |uri: AMQPUri| -> Connecting {
            let (connector, set_done) = (connector.clone(), Arc::clone(&set_done));
            Box::pin(async move {
                let host = uri.authority.host.clone();
                let stream = plain(uri).await?.into_rustls(&connector, &host).await?;
                set_done.store(true, Ordering::Relaxed);
                Ok(stream)
            })
        };
        open(uri, properties, connect).map_err(move |error| Failure {
            error,
            after_handshake: handshake_done.load(Ordering::Relaxed),
        })
    }

    /// What went wrong with TLS; `None` if the host does not seem to speak TLS, or TLS is not the
    /// reason.
    pub(super) fn explain(&self, failure: &Failure) -> Option<String> {
        let ErrorKind::IOError(error) = failure.error.kind() else {
            return None;
        };
        // In TLS 1.3 the handshake of the client ends before the server has checked the client's
        // certificate. A server that refuses it sends an alert and closes the connection. But data
        // that the client has sent meanwhile may make the operating system discard that alert.
        let was_cut = matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        );
        if failure.after_handshake && was_cut {
            return Some(match self.identity {
                true => {
                    format!("the connection was cut, perhaps because the broker {REFUSES}: {error}")
                }
                false => {
                    format!("the connection was cut, perhaps because the broker {ASKS}: {error}")
                }
            });
        }
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        match error {
            rustls::Error::InvalidMessage(_) => None,
            rustls::Error::InvalidCertificate(reason) => Some(self.untrusted(reason)),
            rustls::Error::AlertReceived(alert) => Some(self.alert(*alert)),
            error => Some(error.to_string()),
        }
    }

    fn untrusted(&self, reason: &CertificateError) -> String {
        let what = match reason {
            CertificateError::UnknownIssuer if self.private_ca => {
                "the issuer of its certificate is not trusted: it is not among those given to `tls_ca`"
            }
            CertificateError::UnknownIssuer => {
                "the issuer of its certificate is not trusted: it is not among those that this machine trusts. \
                 If the broker has a private CA, give that CA's certificate to `RpcBuilder::tls_ca`"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            _ => "its certificate is not valid",
        };
        match reason {
            CertificateError::UnknownIssuer => what.to_owned(),
            reason => format!("{what}: {reason}"),
        }
    }

    /// What an alert from the broker means.
    fn alert(&self, alert: AlertDescription) -> String {
        let is_about_client = matches!(
            alert,
            AlertDescription::CertificateRequired
                | AlertDescription::NoCertificate
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::HandshakeFailure
        );
        match (is_about_client, self.identity) {
            (true, true) => format!("the broker {REFUSES}: {alert:?}"),
            (true, false) => format!("the broker {ASKS}: {alert:?}"),
            (false, _) => format!("the broker ended the handshake: {alert:?}"),
        }
    }
}

fn roots(given: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let mut roots = Vec::new();
    for pem in given {
        for root in certificates(CA, pem)? {
            // The connector would silently skip a certificate that it cannot read.
            RootCertStore::empty()
                .add(root.clone())
                .map_err(|error| refuse(CA, format!("a certificate cannot be read: {error}")))?;
            roots.push(root);
        }
    }
    Ok(roots)
}

fn certificates(
    option: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| refuse(option, broken("certificate", &error)))?;
    if certificates.is_empty() {
        return Err(refuse(
            option,
            broken("certificate", &pem::Error::NoItemsFound),
        ));
    }
    Ok(certificates)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, ConnectError> {
    // The word is in the label of the PEM section or, in the older format, in a header.
    let encrypted = pem.windows(ENCRYPTED.len()).any(|words| words == ENCRYPTED);
    if encrypted {
        let reason = "its private key is encrypted, which is not supported; decrypt it first";
        return Err(refuse(IDENTITY, reason.into()));
    }
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|error| refuse(IDENTITY, broken("private key", &error)))
}

/// Never uses the parser's own text, which may quote what it could not read, and so the key.
fn broken(what: &str, error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => format!(
            "there is no {what} in it: PEM is expected, which begins with `-----BEGIN {}-----`",
            what.to_uppercase()
        ),
        pem::Error::MissingSectionEnd { .. } => {
            format!("its {what} is cut off: there is no `-----END ...-----`")
        }
        pem::Error::Base64Decode(_) => {
            format!("its {what} is not valid PEM: the content is not base64")
        }
        _ => format!("its {what} is not valid PEM"),
    }
}

fn mismatch(error: &io::Error) -> String {
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InconsistentKeys(_)) => {
            "its private key does not belong to its first certificate".into()
        }
        Some(rustls::Error::InvalidCertificate(_)) => "its first certificate cannot be read".into(),
        // The texts of other errors name kinds of keys, but quote nothing of this key.
        _ => error.to_string(),
    }
}

fn refuse(option: &str, reason: String) -> ConnectError {
    ConnectError::TlsOptions {
        option: option.to_owned(),
        reason,
    }
}

const CA: &str = "tls_ca";
const IDENTITY: &str = "tls_identity";
const REFUSES: &str = "refuses the certificate of `tls_identity`";
const ASKS: &str = "asks for a client certificate, which is given by `RpcBuilder::tls_identity`";
const ENCRYPTED: &[u8] = b"ENCRYPTED";

#[cfg(test)]
mod tests;
