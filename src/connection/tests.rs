//! The connection in dialogue with a broker, in virtual time.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::needless_pass_by_value,
    reason = "tests may fail, and read better without references"
)]

mod channels;
mod closing;
mod content;
mod content_violations;
mod dialogue;
mod ending;
mod fragments;
mod greeting;
mod handshake;
mod heartbeat;
mod login;
mod publishing;
mod secrecy;
mod tune;
mod unreadable;
mod violations;
mod whole;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use leveret_codec::{
    BasicProperties, ContentHeader, FieldTable, FieldValue, Frame, LongStr, Method, ReplyCode,
    Secret, ShortStr, basic, channel, confirm, connection, queue,
};

use self::dialogue::{Dialogue, lost, on, seconds};
use super::*;
