use rpc_core::__internals::Wire;

use crate::properties::arrives;

/// The body of a batch, of calls or of replies.
///
/// What is taken apart is the same when it was put together again. A batch of replies, in which there is one way to
/// write each thing, is so to the byte. It holds no more than its body did.
pub fn batch(data: &[u8]) {
    let batch = Wire::batch(data);
    let Ok(messages) = batch.unpack() else {
        return;
    };
    let again = Wire::pack(&messages);
    assert_eq!(again.unpack().as_ref(), Ok(&messages));
    if !messages.iter().any(Wire::is_call) {
        assert_eq!(again, batch);
    }
    assert!(messages.len() <= 4096);
    let bodies: usize = messages.iter().map(|message| message.body().len()).sum();
    assert!(bodies <= data.len());
    for message in &messages {
        // The shortest in JSON that takes the most in AMQP is a digit: with its comma two bytes, there nine.
        assert!(message.headers_size() <= 5 * data.len() + 4);
        if message.is_call() {
            arrives(message);
        }
    }
}
