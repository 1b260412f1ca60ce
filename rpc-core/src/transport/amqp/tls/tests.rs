use std::error::Error;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::{AmqpOptions, AmqpTransport};
use super::*;
use crate::transport::{Purpose, Transport};
use crate::wire::size_limit::SizeLimit;

/// Stands for a private key, which must not appear in any error.
const SECRET: &str = "hunter2";

fn error(ca: &[&str], identity: Option<(&str, &str)>) -> String {
    let options = TlsOptions {
        ca: ca.iter().map(|pem| pem.as_bytes().to_vec()).collect(),
        identity: identity.map(|(certificate, key)| PemIdentity {
            certificate: certificate.into(),
            key: key.into(),
        }),
    };
    assert!(!format!("{options:?}").contains(SECRET));
    let Err(error) = Tls::new(&options) else {
        panic!("{options:?} was accepted");
    };
    let debug = format!("{error:?}");
    assert!(!debug.contains(SECRET), "{debug}");
    error.to_string()
}

/// A PEM section with any body.
fn pem(name: &str, body: &str) -> String {
    format!("-----BEGIN {name}-----\n{body}\n-----END {name}-----\n")
}

#[test]
fn what_is_wrong_with_a_ca_is_said() {
    let key = pem("PRIVATE KEY", SECRET);
    for wrong in ["", "ca.pem", &key] {
        let text = error(&[wrong], None);
        assert!(
            text.contains("`tls_ca`") && text.contains("no certificate in it"),
            "{text}"
        );
    }
    let text = error(&["-----BEGIN CERTIFICATE-----\naGk="], None);
    assert!(text.contains("cut off"), "{text}");
    let text = error(&[&pem("CERTIFICATE", "h\u{fc}nter2")], None);
    assert!(text.contains("base64"), "{text}");
    let text = error(&[&pem("CERTIFICATE", "aGk=")], None);
    assert!(text.contains("cannot be read"), "{text}");
}

#[test]
fn what_is_wrong_with_an_identity_is_said_without_the_key() {
    let certificate = pem("CERTIFICATE", "aGk=");
    let identity = |key: &str| error(&[], Some((&certificate, key)));
    let text = identity(SECRET);
    assert!(
        text.contains("`tls_identity`") && text.contains("BEGIN PRIVATE KEY"),
        "{text}"
    );
    let text = identity(&pem("ENCRYPTED PRIVATE KEY", SECRET));
    assert!(text.contains("encrypted"), "{text}");
    let text = identity(&format!("-----BEGIN PRIVATE KEY-----\n{SECRET}"));
    assert!(text.contains("cut off"), "{text}");
    let text = identity(&format!("-----BEGIN {SECRET}\n"));
    assert!(text.contains("not valid PEM"), "{text}");
    let text = identity(&pem("PRIVATE KEY", &format!("{SECRET}!")));
    assert!(text.contains("base64"), "{text}");
    // "hunter20" is valid base64, unlike "hunter2!", but not a key.
    let text = identity(&pem("PRIVATE KEY", &format!("{SECRET}0")));
    assert!(text.contains("key"), "{text}");
    let text = error(&[], Some((SECRET, &pem("PRIVATE KEY", SECRET))));
    assert!(text.contains("no certificate in it"), "{text}");
}

/// What a broker says that takes nothing of what it was offered: a fatal alert, handshake_failure.
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

#[tokio::test]
async fn a_broker_without_a_common_cipher_suite_does_not_seem_to_ask_for_a_certificate() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let broker = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
        stream.read_exact(&mut hello).await.unwrap();
        stream.write_all(&HANDSHAKE_FAILURE).await.unwrap();
        // Until the other side has read it.
        let _ = stream.read(&mut [0; 64]).await;
    });
    let options = AmqpOptions {
        name: None,
        connect_timeout: Duration::from_secs(10),
        send_user_id: false,
        message_size: SizeLimit::new(1024),
        tls: TlsOptions::default(),
    };
    let transport = AmqpTransport::from_url(&format!("amqps://{address}"), options).unwrap();
    let error = transport.connect(0, Purpose::Calling).await.unwrap_err();
    broker.await.unwrap();
    let text = error.to_string();
    assert!(
        text.contains("cipher suite") && text.contains("HandshakeFailure"),
        "{text}"
    );
    assert!(!text.contains("certificate"), "{text}");
    let source = error.source().and_then(|source| source.downcast_ref());
    let alert = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
    assert_eq!(source, Some(&alert));
}

#[test]
fn a_failure_after_the_broker_asked_for_a_certificate_is_about_that() {
    let tls = Tls::new(&TlsOptions::default()).unwrap();
    let handshake = Arc::new(Handshake::default());
    let asked = CertificateWatch {
        resolver: Arc::clone(&tls.config.client_auth_cert_resolver),
        handshake: Arc::clone(&handshake),
    };
    assert!(!asked.has_certs() && !asked.only_raw_public_keys());
    assert!(asked.resolve(&[], &[]).is_none());
    let certificate_asked = handshake.certificate_asked.load(Ordering::Relaxed);
    let text = tls.alert(AlertDescription::HandshakeFailure, certificate_asked);
    assert!(text.contains("asks for a client certificate"), "{text}");
}
