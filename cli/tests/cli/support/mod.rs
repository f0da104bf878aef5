//! The real binary, a broker for it, and a hand that administers it.

pub(crate) mod admin;
pub(crate) mod broker;
pub(crate) mod command;
pub(crate) mod fifo;
pub(crate) mod relay;

pub(crate) use self::command::{leveret, serve};
