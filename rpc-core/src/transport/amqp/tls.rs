//! TLS: which certificates a client trusts, and with which one it identifies itself.
//!
//! The connector is built here and not by lapin. The options of lapin can only add to the roots of
//! the platform, are parsed again for each connection, and print the private key in their `Debug`.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_rustls::TlsConnector;
use futures_util::TryFutureExt;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties, ErrorKind};
use rustls::client::ResolvesClientCert;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;

use super::failure::ConnectFailure;
use super::opening::{Connecting, open, plain};
use super::runtime::Socket;
use super::taps::Taps;
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
    config: ClientConfig,
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
        let installed = CryptoProvider::get_default().cloned();
        let provider = installed.unwrap_or_else(|| Arc::new(ring::default_provider()));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse(PROVIDER, error.to_string()))?;
        let config = if private_ca {
            config.with_root_certificates(roots(&options.ca)?)
        } else {
            config.with_platform_verifier().map_err(|error| {
                let reason = format!("this machine's root certificates cannot be used: {error}");
                refuse(CA, reason)
            })?
        };
        let config = match &options.identity {
            Some(PemIdentity { certificate, key }) => {
                let chain = certificates(IDENTITY, certificate)?;
                config
                    .with_client_auth_cert(chain, private_key(key)?)
                    .map_err(|error| refuse(IDENTITY, mismatch(&error)))?
            }
            None => config.with_no_client_auth(),
        };
        Ok(Self {
            config,
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
        taps: Arc<Taps>,
    ) -> impl Future<Output = Result<Connection, ConnectFailure>> + Send + use<> {
        let handshake = Arc::new(Handshake::default());
        // Cheap: what is large in it is shared, and so are the sessions that can be resumed.
        let mut config = self.config.clone();
        config.client_auth_cert_resolver = Arc::new(CertificateWatch {
            resolver: config.client_auth_cert_resolver,
            handshake: Arc::clone(&handshake),
        });
        let connector = TlsConnector::from(Arc::new(config));
        let noted = Arc::clone(&handshake);
        let connect = move |uri: AMQPUri| -> Connecting {
            let (connector, handshake) = (connector.clone(), Arc::clone(&handshake));
            Box::pin(async move {
                let host = ServerName::try_from(uri.authority.host.clone())
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
                let stream = connector.connect(host, plain(uri).await?).await?;
                handshake.is_over.store(true, Ordering::Relaxed);
                Ok(Box::new(stream) as Socket)
            })
        };
        open(uri, properties, taps, connect).map_err(move |error| ConnectFailure {
            error,
            after_handshake: noted.is_over.load(Ordering::Relaxed),
            certificate_asked: noted.certificate_asked.load(Ordering::Relaxed),
        })
    }

    /// What went wrong with TLS; `None` if the host does not seem to speak TLS, or TLS is not the
    /// reason.
    pub(super) fn explain(&self, failure: &ConnectFailure) -> Option<String> {
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
            rustls::Error::AlertReceived(alert) => {
                Some(self.alert(*alert, failure.certificate_asked))
            }
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
    fn alert(&self, alert: AlertDescription, certificate_asked: bool) -> String {
        // In TLS 1.2, a broker also refuses a certificate with this alert.
        if alert == AlertDescription::HandshakeFailure && !certificate_asked {
            return format!(
                "the broker and this client have no TLS version, cipher suite or key type in common: {alert:?}"
            );
        }
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

/// How far a handshake got.
#[derive(Debug, Default)]
struct Handshake {
    certificate_asked: AtomicBool,
    is_over: AtomicBool,
}

/// Notes that the broker asks for a certificate.
#[derive(Debug)]
struct CertificateWatch {
    resolver: Arc<dyn ResolvesClientCert>,
    handshake: Arc<Handshake>,
}

impl ResolvesClientCert for CertificateWatch {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.handshake
            .certificate_asked
            .store(true, Ordering::Relaxed);
        self.resolver.resolve(hints, schemes)
    }

    fn only_raw_public_keys(&self) -> bool {
        self.resolver.only_raw_public_keys()
    }

    fn has_certs(&self) -> bool {
        self.resolver.has_certs()
    }
}

fn roots(given: &[Vec<u8>]) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    for pem in given {
        for root in certificates(CA, pem)? {
            roots
                .add(root)
                .map_err(|error| refuse(CA, format!("a certificate cannot be read: {error}")))?;
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

fn mismatch(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            "its private key does not belong to its first certificate".into()
        }
        rustls::Error::InvalidCertificate(_) => "its first certificate cannot be read".into(),
        // The texts of other errors name kinds of keys, but quote nothing of this key.
        _ => error.to_string(),
    }
}

fn refuse(option: &str, reason: String) -> ConnectError {
    ConnectError::tls_options(option, reason)
}

const PROVIDER: &str = "CryptoProvider::install_default";
const CA: &str = "tls_ca";
const IDENTITY: &str = "tls_identity";
const REFUSES: &str = "refuses the certificate of `tls_identity`";
const ASKS: &str = "asks for a client certificate, which is given by `RpcBuilder::tls_identity`";
const ENCRYPTED: &[u8] = b"ENCRYPTED";

#[cfg(test)]
mod tests;
