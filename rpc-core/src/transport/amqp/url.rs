//! `amqp://` URLs with several hosts.

use std::fmt;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri, SASLMechanism};

use crate::error::connect::ConnectError;
use crate::error::shorten::shorten;
use crate::wire::headers::SHORT_STRING;

/// One host of the URL.
pub(crate) struct Host {
    /// Host and port, for errors and logs.
    pub(super) name: String,
    /// The user that logs in; `None` if only the client certificate names the user.
    pub(super) user: Option<String>,
    pub(super) uri: AMQPUri,
}

impl Host {
    pub(super) fn has_tls(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }

    /// Whether the login uses a client certificate.
    pub(super) fn is_external(&self) -> bool {
        self.uri.query.auth_mechanism == Some(SASLMechanism::External)
    }

    /// The timeout in the URL, which lapin ignores.
    pub(super) fn connect_timeout(&self) -> Option<Duration> {
        self.uri.query.connection_timeout.map(Duration::from_millis)
    }
}

/// Leaves out the URI, which contains the password.
impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.name).finish()
    }
}

/// Splits `scheme://user:password@host,host/vhost?query` into one URI for each host.
///
/// The scheme must be `amqp` or `amqps`, in lower case. For other schemes, lapin may quote the
/// whole URL in its errors.
pub(crate) fn parse(url: &str) -> Result<Vec<Host>, ConnectError> {
    let parts = Parts::of(url)?;
    let invalid = |reason: String| ConnectError::invalid_url(parts.redacted(), reason);
    let Parts {
        scheme,
        user,
        hosts,
        rest,
    } = parts;
    check_query(rest).map_err(invalid)?;
    check_vhost(rest).map_err(invalid)?;
    hosts
        .split(',')
        .map(|host| {
            let host = host.trim();
            // lapin reads an IPv6 literal as `localhost`. So it gets `localhost`, and the literal
            // is put back below.
            let (literal, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']'))
            {
                Some((literal, port)) => (Some(literal), port),
                None => (None, host),
            };
            let plain = match literal {
                Some(_) => format!("localhost{port}"),
                None => host.to_owned(),
            };
            let login = user.map_or_else(String::new, |user| format!("{user}@"));
            let mut uri: AMQPUri = format!("{scheme}://{login}{plain}{rest}")
                .parse()
                .map_err(|reason| invalid(format!("host `{host}`: {reason}")))?;
            if let Some(literal) = literal {
                uri.authority.host = literal.to_owned();
            }
            // If the password is empty, lapin uses `guest`.
            if user.is_some_and(|user| user.ends_with(':') && user.matches(':').count() == 1) {
                uri.authority.userinfo.password = String::new();
            }
            // Strictly, `amqp://host/` names the virtual host "", which nobody uses. aio-pika
            // reads it as "/" too.
            if uri.vhost.is_empty() {
                uri.vhost = "/".to_owned();
            }
            check_lengths(&uri).map_err(&invalid)?;
            uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
            // 0 leaves the size to the broker.
            if let Some(size @ 1..SMALLEST_FRAME) = uri.query.frame_max {
                return Err(invalid(format!(
                    "frame_max={size} is less than RabbitMQ's minimum of {SMALLEST_FRAME}"
                )));
            }
            let name = match literal {
                Some(literal) => format!("[{literal}]:{}", uri.authority.port),
                None => format!("{}:{}", uri.authority.host, uri.authority.port),
            };
            let named = user.is_some_and(|user| !user.is_empty() && !user.starts_with(':'));
            let mut host = Host {
                name,
                user: None,
                uri,
            };
            // If the name is empty, lapin uses `guest`.
            if named || !host.is_external() {
                host.user = Some(host.uri.authority.userinfo.username.clone());
            }
            if host.is_external() && !host.has_tls() {
                return Err(invalid(
                    "auth_mechanism=external logs in with a client certificate, so the URL must start with amqps://"
                        .into(),
                ));
            }
            Ok(host)
        })
        .collect()
}

/// An `InvalidUrl` error that does not contain the secrets of the URL.
pub(super) fn invalid(url: &str, reason: &str) -> ConnectError {
    match Parts::of(url) {
        Ok(parts) => ConnectError::invalid_url(parts.redacted(), reason),
        Err(error) => error,
    }
}

/// Checks what lapin takes without a look: it panics on a virtual host that is no short string, and
/// sends a login that does not fit the first frame, on which the broker cuts the connection.
fn check_lengths(uri: &AMQPUri) -> Result<(), String> {
    let vhost = uri.vhost.len();
    if vhost > SHORT_STRING {
        return Err(format!(
            "the virtual host is {vhost} bytes, and AMQP allows {SHORT_STRING}"
        ));
    }
    let login = &uri.authority.userinfo;
    if login.username.len() + login.password.len() > LONGEST_LOGIN {
        return Err(format!(
            "the user and the password have more than {LONGEST_LOGIN} bytes together"
        ));
    }
    Ok(())
}

/// Checks the parameters of a URL. lapin ignores unknown ones, and does not report which of the
/// known ones it cannot parse.
fn check_query(rest: &str) -> Result<(), String> {
    let (_, query) = rest.split_once('?').unwrap_or_default();
    let query = query.split('#').next().unwrap_or_default();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if NUMBERS.contains(&name) {
            if value.parse::<u64>().is_err() {
                return Err(format!("the parameter `{name}` must be a whole number"));
            }
        } else if name != MECHANISM {
            let name = shorten(name);
            return Err(format!(
                "unknown parameter `{name}`; the known ones are {} and {MECHANISM}",
                NUMBERS.join(", ")
            ));
        }
    }
    Ok(())
}

/// Refuses the path steps `.` and `..` in a virtual host. The URL parser resolves them, so lapin
/// would connect to another virtual host.
fn check_vhost(rest: &str) -> Result<(), String> {
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let mut steps = path
        .split('/')
        .map(|step| step.replace("%2e", ".").replace("%2E", "."));
    match steps.find(|step| [".", ".."].contains(&&**step)) {
        Some(step) => Err(format!(
            "a URL cannot name a virtual host with the path step `{step}`; write a `/` in a name as %2F"
        )),
        None => Ok(()),
    }
}

const NUMBERS: [&str; 4] = [
    "heartbeat",
    "frame_max",
    "channel_max",
    "connection_timeout",
];
const MECHANISM: &str = "auth_mechanism";

struct Parts<'a> {
    scheme: &'a str,
    user: Option<&'a str>,
    hosts: &'a str,
    /// Virtual host and query.
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, ConnectError> {
        let (scheme, after) = url.split_once("://").unwrap_or(("", url));
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        // The password seems to end at one of those three characters, so it is not known which
        // part of the text is secret.
        if rest.contains('@') {
            let reason = "a `/`, `?`, `#` or `@` in a user name, a password or a virtual host must be written \
                          as %2F, %3F, %23 or %40";
            return Err(ConnectError::invalid_url(format!("{scheme}://..."), reason));
        }
        // Split at the last `@`, because a password may contain one, although that is not quite
        // legal.
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        Ok(Self {
            scheme,
            user,
            hosts,
            rest,
        })
    }

    /// The URL without the password, and without the query, which may contain secrets too.
    fn redacted(&self) -> String {
        let Self {
            scheme,
            user,
            hosts,
            rest,
        } = self;
        let user = user.map_or_else(String::new, |user| {
            let name = user.split(':').next().unwrap_or_default();
            format!("{name}:***@")
        });
        let vhost = rest.split(['?', '#']).next().unwrap_or_default();
        format!("{scheme}://{user}{hosts}{vhost}")
    }
}

/// RabbitMQ 4.1 and later refuse smaller frames.
const SMALLEST_FRAME: u32 = 8192;

/// A connection that is silent for twice this long counts as lost. RabbitMQ's default of 60 s
/// would leave calls waiting for two minutes. RabbitMQ's documentation recommends 5 to 20 s.
const HEARTBEAT_SECONDS: u16 = 10;

/// In bytes. The first frames of a connection have 4 KiB, for the client's properties as well.
const LONGEST_LOGIN: usize = 2048;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    proptest! {
        #[test]
        fn any_name_password_and_virtual_host_can_be_written(
            name in ".{1,20}",
            password in ".{0,20}",
            vhost in ".{1,20}".prop_filter("a step", |vhost| ![".", ".."].contains(&&**vhost)),
        ) {
            let login = format!("{}:{}", encode(&name), encode(&password));
            let hosts = parse(&format!("amqp://{login}@a,[::1]:1/{}?heartbeat=3", encode(&vhost))).unwrap();
            prop_assert_eq!(hosts.len(), 2);
            for host in hosts {
                let user = &host.uri.authority.userinfo;
                prop_assert_eq!((&user.username, &user.password), (&name, &password));
                prop_assert_eq!(host.user.as_ref(), Some(&name));
                prop_assert_eq!(&host.uri.vhost, &vhost);
            }
        }

        #[test]
        fn what_is_no_url_has_no_password_in_its_error(password in "[a-z]{8}", rest in ".{0,20}@.{0,20}") {
            if let Err(error) = parse(&format!("amqp://:{password}{rest}")) {
                prop_assert!(!format!("{error} {error:?}").contains(&password), "{}", error);
            }
        }
    }

    #[test]
    fn a_virtual_host_that_no_url_can_name_is_refused() {
        for vhost in [".", "..", "%2e", ".%2E", "a/../b"] {
            let error = parse(&format!("amqp://u:hunter2@a/{vhost}?heartbeat=3")).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("cannot name") && !error.contains("hunter2"),
                "{error}"
            );
        }
        assert_eq!(parse("amqp://a/.v").unwrap()[0].uri.vhost, ".v");
    }

    fn names(url: &str) -> Vec<String> {
        parse(url)
            .unwrap()
            .into_iter()
            .map(|host| host.name)
            .collect()
    }

    #[test]
    fn every_host_has_its_port() {
        assert_eq!(names("amqp://a"), ["a:5672"]);
        assert_eq!(names("amqp://"), ["localhost:5672"]);
        assert_eq!(
            names("amqps://u:p@a,b:1,[::1]:2/v"),
            ["a:5671", "b:1", "[::1]:2"]
        );
    }

    #[test]
    fn all_hosts_share_user_vhost_and_query() {
        for host in parse("amqp://u:p%40@a,[::1]/v%2fw?heartbeat=3&connection_timeout=500").unwrap()
        {
            assert_eq!(host.uri.authority.userinfo.username, "u");
            assert_eq!(host.uri.authority.userinfo.password, "p@");
            assert_eq!(host.uri.vhost, "v/w");
            assert_eq!(host.uri.query.heartbeat, Some(3));
            assert_eq!(host.connect_timeout(), Some(Duration::from_millis(500)));
        }
        let hosts = parse("amqp://[::1]").unwrap();
        assert_eq!(hosts[0].uri.authority.host, "::1");
        assert_eq!(hosts[0].uri.query.heartbeat, Some(HEARTBEAT_SECONDS));
        assert_eq!(hosts[0].uri.vhost, "/");
        assert_eq!(parse("amqp://a/").unwrap()[0].uri.vhost, "/");
    }

    #[test]
    fn a_login_by_certificate_has_the_name_that_the_url_gives() {
        let user = |url: &str| parse(url).unwrap()[0].user.clone();
        assert_eq!(user("amqps://h"), Some("guest".into()));
        assert_eq!(user("amqps://h?auth_mechanism=external"), None);
        assert_eq!(user("amqps://:p@h?auth_mechanism=EXTERNAL"), None);
        let named = user("amqps://ann%40bank@h/v?heartbeat=3&auth_mechanism=external");
        assert_eq!(named, Some("ann@bank".into()));
        let error = parse("amqp://h?auth_mechanism=external").unwrap_err();
        assert!(error.to_string().contains("amqps://"), "{error}");
    }

    #[test]
    fn a_password_is_in_no_error_and_no_debug() {
        for url in [
            "amqp://u:hunter2@h:notaport/v",
            "amqp://u:hunter2@h:1,h:notaport",
            "amqp://u:x@h:notaport/?password=hunter2",
            "amqp://u:hunter2@h:1?frame_max=4096",
            "amqp://u:hunter2@h?heartbeat=hunter2",
            "amqp://u:hunter2@h?secret=hunter2",
            "amqp://u:hunter2/x@h:1",
            "amqp://u:hunter2#x@h",
            "amqp://u:hunter2?x@h",
            "amqp://u:hun@ter2/hunter2@h",
        ] {
            let error = parse(url).unwrap_err();
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(!text.contains("hunter2"), "{text}");
                assert!(text.contains("amqp://"), "{text}");
            }
        }
        let hosts = parse("amqp://u:hunter2@h").unwrap();
        assert!(!format!("{hosts:?}").contains("hunter2"));
    }

    #[test]
    fn what_would_not_fit_its_place_is_refused() {
        let of = |vhost: usize, password: usize| {
            parse(&format!(
                "amqp://u:{}@host/{}",
                "p".repeat(password),
                "v".repeat(vhost)
            ))
        };
        assert!(of(255, 2047).is_ok());
        let error = of(256, 1).unwrap_err().to_string();
        assert!(error.contains("256 bytes, and AMQP allows 255"), "{error}");
        let error = of(1, 2048).unwrap_err().to_string();
        assert!(
            error.contains("more than 2048 bytes") && !error.contains("pppp"),
            "{error}"
        );
    }
}
