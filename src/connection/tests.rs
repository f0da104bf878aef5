//! The connection in dialogue with a broker, in virtual time.

mod channels;
mod closing;
mod content;
mod dialogue;
mod fragments;
mod greeting;
mod handshake;
mod heartbeat;
mod login;
mod publishing;
mod violations;

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
