//! A post office: every way to pass an argument.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::rpc_service;

/// What is sent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Parcel {
    /// What is in it.
    pub contents: String,
    /// In grams.
    pub weight: u32,
}

/// Sends things.
#[rpc_service(crate = wire, prefix = "post.")]
pub trait Post {
    /// Reads a text aloud.
    async fn read(&self, text: &str) -> String;

    /// Weighs letters, given as their bytes, and parcels.
    async fn weigh(&self, letter: &[u8], parcels: &[Parcel]) -> u32;

    /// Writes the label of a parcel.
    async fn label(
        &self,
        parcel: &Parcel,
        marks: &BTreeMap<String, bool>,
        copies: &usize,
    ) -> String;

    /// Stamps a text, which its caller may keep or hand over.
    async fn stamp(
        &self,
        text: Cow<'_, str>,
        ink: Cow<'_, [u8]>,
        fixed: Cow<'static, str>,
    ) -> String;

    /// Sends a parcel, and says to whom it goes.
    async fn send(
        &self,
        parcel: Parcel,
        route: BTreeMap<String, Vec<Option<i64>>>,
    ) -> (Parcel, Vec<String>);

    /// Says what it was told of what one may leave out.
    async fn trace(
        &self,
        number: Option<u64>,
        name: Option<&str>,
        bytes: Option<&[u8]>,
        parcel: Option<Parcel>,
    ) -> Value;

    /// Sorts by what are words of Rust.
    async fn sort(&self, r#type: u8, r#in: &str, r#match: Option<bool>) -> String;

    /// The price, with what serde has to say.
    async fn price(
        &self,
        weight: u32,
        #[serde(default)] express: bool,
        #[serde(default = "second")] class: u8,
        #[serde(rename = "from")] sender: &str,
        #[serde(with = "hex")] code: u32,
        #[serde(default, rename = "to-country", skip_serializing_if = "str::is_empty")]
        country: &str,
    ) -> String;

    /// Takes what is known by name, and all else.
    async fn declare(&self, kind: &str, #[serde(flatten)] rest: BTreeMap<String, Value>) -> Value;
}

/// The class of those who do not say.
const fn second() -> u8 {
    2
}

/// Numbers as texts of hexadecimal digits.
mod hex {
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    /// To a text.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(number: &u32, json: S) -> Result<S::Ok, S::Error> {
        json.serialize_str(&format!("{number:x}"))
    }

    /// From a text.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(json: D) -> Result<u32, D::Error> {
        let text = String::deserialize(json)?;
        u32::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}
