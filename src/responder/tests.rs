//! The responder in dialogue with a broker, in virtual time.

#![allow(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

mod acknowledging;
mod answering;
mod apart;
mod cancelled;
mod delivering;
mod dialogue;
mod ending;
mod expired;
mod limits;
mod owed;
mod properties;
mod reconnecting;
mod refused;
mod renewed;
mod same_read;
mod shutdown;
mod starting;
mod unreadable;
mod violations;
mod wakers;
mod whole;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::task::Poll;
use core::time::Duration;

use bytes::Bytes;
use leveret_codec::{
    BasicProperties, FieldTable, Frame, Method, ReplyCode, ShortStr, basic, channel, connection,
    queue as queue_method,
};

use self::dialogue::*;
use super::{Answer, Arrived, Pending, QueueOptions, Responder, Sent, ServerStats};
use crate::connection::{Config, ConnectionError};
use crate::engine::Engine;
use crate::testing::*;
use crate::{Fault, Reply, Request, SessionError};
