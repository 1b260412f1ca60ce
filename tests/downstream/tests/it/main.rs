//! Every feature of a service as its user meets it, on `memory://` and on a real RabbitMQ.

#![deny(warnings, clippy::pedantic)]
#![allow(clippy::doc_markdown, reason = "RabbitMQ is written so")]

mod arguments;
mod attributes;
mod banks;
mod evolution;
mod generic;
mod kiosk;
mod one_way;
mod options;
mod returns;
mod services;
mod site;
