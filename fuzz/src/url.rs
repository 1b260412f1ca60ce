use rpc_core::__internals::check_url;

/// What follows `amqp://` or `amqps://` in a URL, and the same as what follows the beginning of a password.
///
/// Neither an error nor what is shown of the hosts depends on the password.
pub fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for scheme in ["amqp", "amqps"] {
        let shown = either(check_url(&format!("{scheme}://{text}")));
        // The URL and the name of a host in it, each in two ways of writing it.
        assert!(shown.len() <= 24 * text.len() + 1024, "{shown}");
        // Without it there is neither user nor password.
        if text.contains('@') {
            let [one, other] = ["hunter2", "Swordfi"]
                .map(|password| either(check_url(&format!("{scheme}://user:{password}{text}"))));
            assert_eq!(one, other);
        }
    }
}

fn either(shown: Result<String, String>) -> String {
    shown.unwrap_or_else(|error| error)
}
