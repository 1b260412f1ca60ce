use super::*;

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
