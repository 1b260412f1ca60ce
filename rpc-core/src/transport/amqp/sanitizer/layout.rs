//! How a frame is laid out (AMQP 0-9-1, section 4.2.3).

/// The type of a content header frame.
pub(super) const HEADER: u8 = 2;

/// Bytes before the payload: the type, the channel and the size of the payload.
pub(super) const HEAD: usize = 7;

/// The byte that ends every frame.
pub(super) const END: u8 = 0xCE;
