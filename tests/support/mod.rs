//! What tests need to talk to a broker: by hand, and with Leveret.

#![allow(unused_imports, reason = "each test binary uses a part of it")]

pub(crate) mod broker;
pub(crate) mod in_process;
pub(crate) mod operator;
pub(crate) mod own_address;
pub(crate) mod service;
pub(crate) mod wire;
