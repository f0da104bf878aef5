//! AMQP 0-9-1 as octets: frames, methods, properties and field tables.
//!
//! ```
//! use bytes::BytesMut;
//! use leveret_codec::{Frame, Method, ShortStr, basic};
//!
//! let mut octets = BytesMut::new();
//! Frame::method(1, basic::Consume {
//!     queue: ShortStr::from_static("amq.rabbitmq.reply-to"),
//!     no_ack: true,
//!     ..Default::default()
//! })
//! .encode(&mut octets);
//!
//! match Frame::decode(&mut octets, 131_072)? {
//!     Some(Frame::Method { channel: 1, method: Method::BasicConsume(consume) }) => {
//!         assert_eq!(consume.queue, "amq.rabbitmq.reply-to");
//!     }
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), leveret_codec::DecodeError>(())
//! ```
//!
//! This crate knows no connection, no socket and no clock. What it promises:
//!
//! - **The peer is hostile.** No input panics, and nothing is allocated or recursed because a
//!   length on the wire says so. A frame's size is judged on its first seven octets, nested tables
//!   have a depth limit, and a payload must be used up to its last octet.
//! - **Encoding cannot fail.** The limits of the wire are in the types ([`ShortStr`],
//!   [`FieldTable`]), so a value that exists can be sent.
//! - **Nothing is copied that need not be.** Long strings, tables and bodies share the memory of the
//!   buffer that they were read from. Copy what you keep for long, or the buffer stays with it. Where
//!   a buffer is to be used again, [`FrameRef`], [`Method::decode_copied`] and
//!   [`BasicProperties::fill_in`] read from it and leave it alone.
//!
//! # Features
//! - `std` (default): passes `std` on to the dependencies. Without it the crate needs `alloc` only.
//! - `framed`: [`AmqpCodec`] for tokio-util's `Framed`.
//! - `arbitrary`: `Arbitrary` for everything that goes over the wire, for fuzzing.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "arbitrary")]
mod arbitrary;
mod error;
mod frame;
#[cfg(feature = "framed")]
mod framed;
mod method;
mod properties;
mod reply_code;
mod table;
mod text;
mod value;
mod wire;

pub use error::{DecodeError, Problem};
pub use frame::{
    FRAME_END, FRAME_HEADER_SIZE, FRAME_OVERHEAD, Frame, FrameKind, FrameRef, ProtocolHeader,
    RawFrame, encode_body, encode_header,
};
#[cfg(feature = "framed")]
pub use framed::{AmqpCodec, FramedError};
pub use method::{DeliverRef, FieldRef, Method, basic, channel, confirm, connection, queue};
pub use properties::{BasicProperties, ContentHeader, ContentHeaderRef, PropertiesRef};
pub use reply_code::{Level, ReplyCode};
pub use table::{FieldTable, TableError};
pub use text::{LongStr, Secret, ShortStr, TooLong};
pub use value::{FieldArray, FieldValue};

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
