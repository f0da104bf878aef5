//! The requester in dialogue with a broker, in virtual time.

#![allow(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]

mod blocked;
mod channel_closed;
mod deadlines;
mod dialogue;
mod dropping;
mod ending;
mod in_flight;
mod own_channel;
mod own_channel_ends;
mod random;
mod reconnecting;
mod replies;
mod requests;
mod same_read;
mod side_channels;
mod slots;
mod subscribing;
mod unreadable;
mod unsent;
mod violations;
mod wakers;
mod whole;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use bytes::Bytes;
use leveret_codec::{
    BasicProperties, FieldArray, FieldTable, FieldValue, Frame, LongStr, Method, ReplyCode,
    ShortStr, basic, channel, connection,
};

use self::dialogue::*;
use super::{CallId, Outgoing, Requester, Stats};
use crate::connection::{Config, ConnectionError, Unreadable};
use crate::engine::Engine;
use crate::testing::*;
use crate::{CallError, Fault, InvalidRequest, Outcome, Reply, Retry, SessionError};
