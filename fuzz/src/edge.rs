use rpc_core::__internals::whatever_comes_can_be_read;

/// The content header of a message, and all that a broker sends on a connection.
///
/// What is handed to the AMQP library can be read by it, what was good is as it was, and it makes no difference in which
/// pieces the bytes come.
pub fn edge(data: &[u8]) {
    whatever_comes_can_be_read(data);
}
