//! Properties and headers of messages as bytes, right ones and wrong ones.

use rpc_tests::{short, sized};

/// A property, by its place in the order of AMQP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    ContentType = 0,
    ContentEncoding = 1,
    Headers = 2,
    DeliveryMode = 3,
    Priority = 4,
    CorrelationId = 5,
    ReplyTo = 6,
    Expiration = 7,
    MessageId = 8,
    Timestamp = 9,
    Type = 10,
    UserId = 11,
    AppId = 12,
    ClusterId = 13,
}

/// The properties of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties {
    /// Each as its bytes on the wire.
    fields: [Option<Vec<u8>>; 14],
    headers: Vec<(Vec<u8>, Value)>,
    /// Flags beside those of the fields.
    pub(crate) flags: u16,
    /// What follows the last property.
    pub(crate) tail: Vec<u8>,
}

/// The type of a header and its content, as on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Value(Vec<u8>);

impl Properties {
    pub(crate) fn text(&mut self, field: Field, text: impl AsRef<[u8]>) {
        self.fields[field as usize] = Some(short(text.as_ref()));
    }

    pub(crate) fn bytes(&mut self, field: Field, bytes: &[u8]) {
        self.fields[field as usize] = Some(bytes.to_vec());
    }

    pub(crate) fn without(&mut self, field: Field) {
        self.fields[field as usize] = None;
    }

    /// Adds a header, whether there is one of the name or not.
    pub(crate) fn add(&mut self, name: impl AsRef<[u8]>, value: Value) {
        self.headers.push((name.as_ref().to_vec(), value));
    }

    /// Sets a header.
    pub(crate) fn set(&mut self, name: impl AsRef<[u8]>, value: Value) {
        self.headers.retain(|(known, _)| known != name.as_ref());
        self.add(name, value);
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut flags = self.flags;
        let mut fields = Vec::new();
        for (place, field) in self.fields.iter().enumerate() {
            let written = match field {
                Some(bytes) => bytes.clone(),
                None if place == Field::Headers as usize => sized(&fields_of(&self.headers)),
                None => continue,
            };
            flags |= 1 << (15 - place);
            fields.extend(written);
        }
        [&flags.to_be_bytes()[..], &fields, &self.tail].concat()
    }
}

fn fields_of(fields: &[(Vec<u8>, Value)]) -> Vec<u8> {
    let fields = fields
        .iter()
        .flat_map(|(name, value)| [short(name), value.0.clone()]);
    fields.collect::<Vec<_>>().concat()
}

impl Value {
    fn new(kind: u8, content: impl AsRef<[u8]>) -> Self {
        Self([&[kind], content.as_ref()].concat())
    }

    /// A value of a fixed size, or of an unknown type.
    pub(crate) fn fixed(kind: u8, content: &[u8]) -> Self {
        Self::new(kind, content)
    }

    pub(crate) fn void() -> Self {
        Self::new(b'V', b"")
    }

    pub(crate) fn flag(is_set: bool) -> Self {
        Self::new(b't', [u8::from(is_set)])
    }

    pub(crate) fn long(number: i64) -> Self {
        Self::new(b'l', number.to_be_bytes())
    }

    pub(crate) fn double(number: f64) -> Self {
        Self::new(b'd', number.to_be_bytes())
    }

    pub(crate) fn text(text: impl AsRef<[u8]>) -> Self {
        Self::new(b'S', sized(text.as_ref()))
    }

    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        Self::new(b'x', sized(bytes))
    }

    pub(crate) fn array(values: &[Self]) -> Self {
        let content: Vec<_> = values.iter().map(|value| value.0.clone()).collect();
        Self::new(b'A', sized(&content.concat()))
    }

    pub(crate) fn table(fields: &[(Vec<u8>, Self)]) -> Self {
        Self::new(b'F', sized(&fields_of(fields)))
    }

    /// Arrays or tables in each other.
    pub(crate) fn nested(kind: u8, levels: usize) -> Self {
        let name: &[u8] = if kind == b'F' { &[0] } else { &[] };
        // Built from the inside, and turned round at the end: the sizes are known only then.
        let (mut reversed, mut size) = (Vec::new(), 0_u32);
        for level in 0..levels {
            reversed.extend(size.to_be_bytes().iter().rev());
            reversed.push(kind);
            if level + 1 < levels {
                reversed.extend(name);
            }
            size = u32::try_from(reversed.len()).unwrap();
        }
        reversed.reverse();
        Self(reversed)
    }
}
