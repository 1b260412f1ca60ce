//! How a frame is laid out (AMQP 0-9-1, section 4.2.3).

/// The types of frames.
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;

/// Bytes before the payload: the type, the channel and the size of the payload.
pub(super) const HEAD: usize = 7;

/// The byte that ends every frame.
pub(super) const END: u8 = 0xCE;

/// A heartbeat.
pub(super) const HEARTBEAT: [u8; 8] = [8, 0, 0, 0, 0, 0, 0, END];

/// The first byte of a protocol header, which is no frame. A broker that speaks another version
/// answers with one.
pub(super) const PROTOCOL: u8 = b'A';

/// `AMQP` and its version.
pub(super) const PROTOCOL_SIZE: usize = 8;

/// The bytes of a content header before its properties: the class, a weight that is always 0, and
/// the body size.
pub(super) const START: usize = 12;
