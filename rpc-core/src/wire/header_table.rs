//! Headers as they travel: a field table of AMQP 0-9-1 (section 4.2.5.5, in RabbitMQ's dialect).

use std::fmt;
use std::str::from_utf8;
use std::sync::Arc;

use serde_json::{Number, Value};

use crate::wire::flaw::Flaw;
use crate::wire::headers::{DEEPEST, Headers, SHORT_STRING};

/// The headers of a message, in the bytes in which they travel, without the length before them.
///
/// What a peer wrote stays as it wrote it: JSON has fewer types, and takes more room. It becomes
/// JSON when a user looks at it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct HeaderTable(Option<Arc<[u8]>>);

/// One header.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: FieldValue<'a>,
    /// Name and value as they travel.
    pub(crate) bytes: &'a [u8],
}

/// The value of a header.
#[derive(Clone, Copy)]
pub(crate) struct FieldValue<'a> {
    /// The letter of its type.
    pub(crate) kind: u8,
    /// Without its length, if it has one.
    content: &'a [u8],
}

impl HeaderTable {
    /// No headers.
    pub(crate) const EMPTY: Self = Self(None);

    /// Encodes what a user has set, or what a batch holds. A string becomes a long string, an
    /// integer one of 64 bits.
    pub(crate) fn encode(headers: &Headers) -> Self {
        let mut table = Vec::new();
        for (name, value) in headers {
            push(&mut table, name, value);
        }
        Self::of_fields(table)
    }

    /// Takes over fields that were [checked](check) before.
    pub(crate) fn of_fields(fields: Vec<u8>) -> Self {
        Self((!fields.is_empty()).then(|| fields.into()))
    }

    /// The headers as JSON.
    pub(crate) fn decode(&self) -> Headers {
        let fields = self.fields();
        fields
            .map(|field| (field.name.to_owned(), field.value.to_json()))
            .collect()
    }

    /// The encoded fields.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        fields(self.as_bytes())
    }

    /// The last header of this name.
    pub(crate) fn get(&self, name: &str) -> Option<FieldValue<'_>> {
        let of_name = self.fields().filter(|field| field.name == name);
        of_name.last().map(|field| field.value)
    }

    /// The same headers without those of these names.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        if self.fields().all(|field| !names.contains(&field.name)) {
            return self.clone();
        }
        let kept = self.fields().filter(|field| !names.contains(&field.name));
        Self::of_fields(kept.flat_map(|field| field.bytes).copied().collect())
    }
}

impl<'a> FieldValue<'a> {
    /// A string that is UTF-8.
    pub(crate) fn as_str(self) -> Option<&'a str> {
        match self.kind {
            b'S' => from_utf8(self.content).ok(),
            _ => None,
        }
    }

    pub(crate) fn as_bool(self) -> Option<bool> {
        match (self.kind, self.content) {
            (b't', [value]) => Some(*value != 0),
            _ => None,
        }
    }

    /// An integer of any size that is not negative.
    pub(crate) fn as_u64(self) -> Option<u64> {
        self.to_json().as_u64()
    }

    /// Whether it is what a broker writes as `x-death`: a list of tables with certain fields.
    pub(crate) fn is_deaths(self) -> bool {
        let Value::Array(deaths) = self.to_json() else {
            return false;
        };
        let is_text = |death: &Value, name: &str| death.get(name).is_some_and(Value::is_string);
        self.kind == b'A'
            && deaths.iter().all(|death| {
                death.get("count").is_some_and(Value::is_i64)
                    && death.get("routing-keys").is_some_and(Value::is_array)
                    && ["reason", "queue", "exchange"]
                        .iter()
                        .all(|name| is_text(death, name))
            })
    }

    fn to_json(self) -> Value {
        let content = self.content;
        match self.kind {
            b't' => Value::Bool(content != [0]),
            b'b' => i8::from_be_bytes(array(content)).into(),
            b'B' => u8::from_be_bytes(array(content)).into(),
            b's' | b'U' => i16::from_be_bytes(array(content)).into(),
            b'u' => u16::from_be_bytes(array(content)).into(),
            b'I' => i32::from_be_bytes(array(content)).into(),
            b'i' => u32::from_be_bytes(array(content)).into(),
            b'L' | b'l' => i64::from_be_bytes(array(content)).into(),
            b'T' => u64::from_be_bytes(array(content)).into(),
            b'f' => number(f32::from_be_bytes(array(content)).into()),
            b'd' => number(f64::from_be_bytes(array(content))),
            b'D' => {
                let [scale, value @ ..] = array::<5>(content);
                let value = f64::from(u32::from_be_bytes(value));
                number(value / 10_f64.powi(i32::from(scale)))
            }
            b'S' => String::from_utf8_lossy(content).into(),
            b'x' => content.to_vec().into(),
            b'A' => {
                let mut rest = content;
                let values = std::iter::from_fn(|| take_value(&mut rest).ok());
                values.map(FieldValue::to_json).collect()
            }
            b'F' => {
                let fields = fields(content);
                let named = fields.map(|field| (field.name.to_owned(), field.value.to_json()));
                Value::Object(named.collect())
            }
            _ => Value::Null,
        }
    }
}

/// Checks a table, at every depth, and that it is no burden: nested at most [`DEEPEST`], with at
/// most [`MOST_VALUES`] values. It does not recurse, because a message from a peer must not
/// determine how much stack is used. Tables that are not nested cost no allocation.
pub(crate) fn check(table: &[u8]) -> Result<(), Flaw> {
    let mut level = Level {
        rest: table,
        is_table: true,
    };
    let (mut outer, mut values) = (Vec::new(), 0);
    loop {
        if level.rest.is_empty() {
            match outer.pop() {
                Some(next) => level = next,
                None => return Ok(()),
            }
            continue;
        }
        values += 1;
        if values > MOST_VALUES {
            return Err(Flaw::Values);
        }
        if level.is_table {
            take_name(&mut level.rest)?;
        }
        let value = take_value(&mut level.rest)?;
        if let b'A' | b'F' = value.kind {
            outer.push(level);
            if outer.len() == DEEPEST {
                return Err(Flaw::Depth);
            }
            level = Level {
                rest: value.content,
                is_table: value.kind == b'F',
            };
        }
    }
}

/// A table or an array that is being checked.
struct Level<'a> {
    rest: &'a [u8],
    /// Whether its values have names.
    is_table: bool,
}

/// The fields of a table that was checked. It ends early at one that is wrong.
pub(crate) fn fields(table: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = table;
    std::iter::from_fn(move || {
        let before = rest;
        let name = take_name(&mut rest).ok()?;
        let value = take_value(&mut rest).ok()?;
        Some(Field {
            name,
            value,
            bytes: &before[..before.len() - rest.len()],
        })
    })
}

fn take_name<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Flaw> {
    let [length] = *take_array(rest)?;
    from_utf8(take(rest, length.into())?).map_err(|_| Flaw::Name)
}

fn take_value<'a>(rest: &mut &'a [u8]) -> Result<FieldValue<'a>, Flaw> {
    let [kind] = *take_array(rest)?;
    let size = match kind {
        b'V' => 0,
        b't' | b'b' | b'B' => 1,
        b's' | b'U' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'L' | b'l' | b'd' | b'T' => 8,
        b'S' | b'x' | b'A' | b'F' => {
            let size = u32::from_be_bytes(*take_array(rest)?);
            usize::try_from(size).map_err(|_| Flaw::Length)?
        }
        kind => return Err(Flaw::Type(kind)),
    };
    let content = take(rest, size)?;
    Ok(FieldValue { kind, content })
}

pub(crate) fn take<'a>(rest: &mut &'a [u8], size: usize) -> Result<&'a [u8], Flaw> {
    let (taken, left) = rest.split_at_checked(size).ok_or(Flaw::Length)?;
    *rest = left;
    Ok(taken)
}

pub(crate) fn take_array<'a, const SIZE: usize>(
    rest: &mut &'a [u8],
) -> Result<&'a [u8; SIZE], Flaw> {
    let (taken, left) = rest.split_first_chunk().ok_or(Flaw::Length)?;
    *rest = left;
    Ok(taken)
}

/// Appends a field to a table. A name is cut at [`SHORT_STRING`] bytes, but those of users were
/// checked before, and others came from the wire.
pub(crate) fn push(table: &mut Vec<u8>, name: &str, value: &Value) {
    let name = &name.as_bytes()[..name.len().min(SHORT_STRING)];
    table.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    table.extend(name);
    push_value(table, value);
}

fn push_value(table: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => table.push(b'V'),
        Value::Bool(value) => table.extend([b't', u8::from(*value)]),
        // AMQP has no unsigned integer of 64 bits.
        Value::Number(number) => match number.as_i64() {
            Some(integer) => {
                table.push(b'l');
                table.extend(integer.to_be_bytes());
            }
            None => {
                table.push(b'd');
                table.extend(number.as_f64().unwrap_or(f64::MAX).to_be_bytes());
            }
        },
        Value::String(text) => {
            table.push(b'S');
            push_with_length(table, |table| table.extend(text.as_bytes()));
        }
        Value::Array(values) => {
            table.push(b'A');
            push_with_length(table, |table| {
                values.iter().for_each(|value| push_value(table, value));
            });
        }
        Value::Object(fields) => {
            table.push(b'F');
            push_with_length(table, |table| {
                fields
                    .iter()
                    .for_each(|(name, value)| push(table, name, value));
            });
        }
    }
}

/// Appends what `content` appends, behind its length of four bytes.
fn push_with_length(table: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let start = table.len();
    table.extend([0; 4]);
    content(table);
    let length = u32::try_from(table.len() - start - 4).unwrap_or(u32::MAX);
    table[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// JSON has no NaN and no infinities, so they become null.
fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// The bytes of a number, which are as many as its type says.
fn array<const SIZE: usize>(content: &[u8]) -> [u8; SIZE] {
    content.try_into().unwrap_or([0; SIZE])
}

impl fmt::Debug for HeaderTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.decode()).finish()
    }
}

/// How many values a table may have, at all depths together. Each takes about 100 bytes once it is
/// JSON, which may be 30 times its size.
const MOST_VALUES: usize = 4096;
