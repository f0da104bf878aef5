//! Channels: their numbers, their states, and the content that arrives on them.
//!
//! ```text
//!            open sent            open-ok              close sent
//!   (free) ────────────▶ Opening ──────────▶ Open ──────────────▶ Closing
//!      ▲                    │                 │                      │
//!      └─────── (told) ◀── Closed ◀───────────┴──────────────────────┘
//!                    close received, close-ok sent    close-ok received
//! ```

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use leveret_codec::{DeliverRef, Method, ReplyCode, ShortStr};

use super::recycled::Recycled;
use super::unreadable::Unreadable;
use super::violation::Violation;
use crate::Properties;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Opening,
    Open,
    /// We have sent close, and drop what comes until close-ok.
    Closing,
    /// It is over, and its user has not heard of it yet: the number is not to be used before.
    Closed,
}

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) state: State,
    /// Whether the peer lets us send content (`channel.flow`).
    pub(super) flow: bool,
    content: Expect,
    /// That of the last delivery.
    envelope: Arc<Envelope>,
    recycled: Recycled,
}

/// What may come next: content is a method, a header, and as many octets of body as that says,
/// with nothing else on the same channel in between (4.2.6).
#[derive(Debug, Default)]
enum Expect {
    #[default]
    Method,
    Header(Origin),
    Body(Partial),
}

/// A message whose body is on its way.
#[derive(Debug)]
struct Partial {
    content: Content,
    missing: u64,
    /// What has come of the body, unless that is only counted.
    body: BytesMut,
}

/// A message that has come to its end, with what brought it.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The method that brought it.
    pub origin: Origin,
    /// The message's properties, as far as they could be read.
    pub properties: Properties,
    /// The message's body, or why the message was not taken: its octets were read past.
    pub body: Result<Bytes, Unreadable>,
}

/// The method that brings a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// `basic.deliver`.
    Delivery {
        /// What an acknowledgement names.
        delivery_tag: u64,
        /// Whether it may have been delivered before.
        redelivered: bool,
        /// The strings, which deliveries in a row have in common.
        envelope: Arc<Envelope>,
    },
    /// `basic.return` or `basic.get-ok`.
    Other(Box<Method>),
}

impl Origin {
    /// The method's name, such as "basic.deliver".
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delivery { .. } => "basic.deliver",
            Self::Other(method) => method.name(),
        }
    }
}

/// Where a message comes from, and for whom it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The consumer that gets it.
    pub consumer_tag: ShortStr,
    /// Where it was published; empty for the default exchange.
    pub exchange: ShortStr,
    /// What it was published with.
    pub routing_key: ShortStr,
}

impl Envelope {
    fn is_of(&self, deliver: &DeliverRef<'_>) -> bool {
        self.routing_key.as_bytes() == deliver.routing_key
            && self.consumer_tag.as_bytes() == deliver.consumer_tag
            && self.exchange.as_bytes() == deliver.exchange
    }
}

/// One of a length that one octet counts, which all are that were read.
fn short(octets: &[u8]) -> ShortStr {
    ShortStr::copied(octets).unwrap_or_default()
}

/// A body below this size is copied out of the read buffer, so that it does not keep a buffer of
/// many times its own size in memory for as long as somebody holds it.
pub(super) const COPY_BELOW: usize = 0x4000;

/// Room for so many times what has come is made for a body of many frames, and never for more than is
/// announced. A body of up to a megabyte, in frames of 128 KiB, is so moved no more than once.
const ROOM_FACTOR: usize = 8;

impl Channel {
    fn opening() -> Self {
        let (envelope, recycled) = (Arc::default(), Recycled::default());
        Self { state: State::Opening, flow: true, content: Expect::Method, envelope, recycled }
    }

    /// A method that brings content has come.
    pub(super) fn begin_content(&mut self, method: Method) {
        self.content = Expect::Header(Origin::Other(Box::new(method)));
    }

    /// A delivery has come.
    pub(super) fn begin_delivery(&mut self, deliver: DeliverRef<'_>) {
        if !self.envelope.is_of(&deliver) {
            let DeliverRef { consumer_tag, exchange, routing_key, .. } = deliver;
            let [consumer_tag, exchange, routing_key] =
                [consumer_tag, exchange, routing_key].map(short);
            self.envelope = Arc::new(Envelope { consumer_tag, exchange, routing_key });
        }
        let DeliverRef { delivery_tag, redelivered, .. } = deliver;
        let envelope = Arc::clone(&self.envelope);
        self.content = Expect::Header(Origin::Delivery { delivery_tag, redelivered, envelope });
    }

    /// Whether a method may come now.
    pub(super) fn expect_method(&self) -> Result<(), Violation> {
        match self.content {
            Expect::Method => Ok(()),
            Expect::Header(_) => Err(unexpected("a method where a content header was expected")),
            Expect::Body(_) => Err(unexpected("a method where a content body was expected")),
        }
    }

    /// Whether a content header has a place here, be it that it is dropped.
    pub(super) fn lets_header_come(&self) -> bool {
        self.state == State::Closing || matches!(self.content, Expect::Header(_))
    }

    /// Takes a header frame. The message is at its end if its body is empty: no body frame follows.
    ///
    /// `read` fills in the properties, and tells the size of the body, and why the message is not to
    /// be taken, if so. No honest broker announces a body of more than `ceiling` octets.
    pub(super) fn header<E: Into<Violation>>(
        &mut self,
        read: impl FnOnce(&mut Properties) -> Result<(u64, Option<Unreadable>), E>,
        ceiling: u64,
    ) -> Result<Option<Content>, Violation> {
        let Expect::Header(origin) = core::mem::take(&mut self.content) else {
            return Err(unexpected("a content header where none was expected"));
        };
        let mut properties = Properties::new();
        let (body_size, unreadable) = read(&mut properties).map_err(Into::into)?;
        if body_size > ceiling {
            let text = alloc::format!(
                "a body of {body_size} octets is announced, and no broker takes more than {ceiling}"
            );
            return Err(Violation::new(ReplyCode::FRAME_ERROR, text));
        }
        let body = unreadable.map_or(Ok(Bytes::new()), Err);
        let content = Content { origin, properties, body };
        if body_size == 0 {
            return Ok(Some(content));
        }
        let body = BytesMut::new();
        self.content = Expect::Body(Partial { content, missing: body_size, body });
        Ok(None)
    }

    /// Takes a body frame. The message is at its end when its body is as long as announced.
    ///
    /// `shared` is the same payload, if it may be kept as it is.
    pub(super) fn body(
        &mut self,
        payload: &[u8],
        shared: Option<Bytes>,
    ) -> Result<Option<Content>, Violation> {
        let Expect::Body(partial) = &mut self.content else {
            return Err(unexpected("a content body where none was expected"));
        };
        let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
        let Some(missing) = partial.missing.checked_sub(length) else {
            let text = alloc::format!(
                "a body frame of {length} octets where {} were left of the body",
                partial.missing
            );
            return Err(Violation::new(ReplyCode::FRAME_ERROR, text));
        };
        partial.missing = missing;
        if missing > 0 {
            if partial.body.capacity() == 0 {
                partial.body = self.recycled.take();
            }
            partial.add(payload);
            return Ok(None);
        }
        let Expect::Body(partial) = core::mem::take(&mut self.content) else { return Ok(None) };
        let is_gathered = !partial.body.is_empty();
        let content = partial.finish(payload, shared);
        if is_gathered && let Ok(body) = &content.body {
            self.recycled.keep(body);
        }
        Ok(Some(content))
    }
}

impl Partial {
    fn add(&mut self, payload: &[u8]) {
        if self.content.body.is_err() {
            return;
        }
        if self.body.capacity().saturating_sub(self.body.len()) < payload.len() {
            let come = self.body.len().saturating_add(payload.len());
            let missing = usize::try_from(self.missing).unwrap_or(usize::MAX);
            let whole = come.saturating_add(missing);
            let room = come.saturating_mul(ROOM_FACTOR).min(whole);
            // Exactly that, where `reserve` might make more.
            let before = core::mem::replace(&mut self.body, BytesMut::with_capacity(room));
            self.body.extend_from_slice(&before);
        }
        self.body.extend_from_slice(payload);
    }

    fn finish(mut self, last: &[u8], shared: Option<Bytes>) -> Content {
        if self.content.body.is_ok() {
            self.content.body = Ok(match shared {
                Some(only) if self.body.is_empty() => only,
                _ if self.body.is_empty() => Bytes::copy_from_slice(last),
                _ => {
                    self.add(last);
                    self.body.freeze()
                }
            });
        }
        self.content
    }
}

fn unexpected(text: &str) -> Violation {
    Violation::new(ReplyCode::UNEXPECTED_FRAME, text)
}

/// The channels by number. Channel 0 is the connection's own and not among them.
#[derive(Debug, Default)]
pub(super) struct Channels {
    slots: Vec<Option<Channel>>,
    /// No slot before this one is free.
    first_free: usize,
}

impl Channels {
    /// Whether not all `max` are in use.
    pub(super) fn has_free(&self, max: u16) -> bool {
        self.lowest_free() < max.into()
    }

    /// The index of the lowest free number.
    fn lowest_free(&self) -> usize {
        let used = self.slots.iter().skip(self.first_free).take_while(|slot| slot.is_some());
        self.first_free.saturating_add(used.count())
    }

    /// Takes the lowest free number. `None`: all `max` are in use.
    pub(super) fn allocate(&mut self, max: u16) -> Option<u16> {
        let index = self.lowest_free();
        self.first_free = index;
        let number = u16::try_from(index).ok()?.checked_add(1)?;
        if number > max {
            return None;
        }
        if index == self.slots.len() {
            self.slots.push(None);
        }
        *self.slots.get_mut(index)? = Some(Channel::opening());
        Some(number)
    }

    /// A channel that is not over.
    pub(super) fn get_mut(&mut self, number: u16) -> Option<&mut Channel> {
        let channel = self.slots.get_mut(usize::from(number).checked_sub(1)?)?.as_mut()?;
        (channel.state != State::Closed).then_some(channel)
    }

    pub(super) fn is_open(&self, number: u16) -> bool {
        let index = usize::from(number).wrapping_sub(1);
        matches!(self.slots.get(index), Some(Some(Channel { state: State::Open, .. })))
    }

    /// Whether the channel is open and between two messages.
    #[inline]
    pub(super) fn takes_method(&self, number: u16) -> bool {
        let index = usize::from(number).wrapping_sub(1);
        matches!(
            self.slots.get(index),
            Some(Some(Channel { state: State::Open, content: Expect::Method, .. }))
        )
    }

    pub(super) fn takes_content(&self, number: u16) -> bool {
        let index = usize::from(number).wrapping_sub(1);
        matches!(self.slots.get(index), Some(Some(Channel { state: State::Open, flow: true, .. })))
    }

    pub(super) fn free(&mut self, number: u16) {
        let index = usize::from(number).wrapping_sub(1);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = None;
            self.first_free = self.first_free.min(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_by_what_has_come_and_no_more_than_is_announced() {
        for (announced, piece) in [(1_000_000, 1), (1_000_000, 4088), (100_000, 65_536)] {
            let origin = Origin::Other(Box::new(leveret_codec::basic::Return::default().into()));
            let properties = Properties::new();
            let content = Content { origin, properties, body: Ok(Bytes::new()) };
            let mut partial = Partial { content, missing: announced, body: BytesMut::new() };
            while partial.missing > 0 {
                let length = partial.missing.min(piece);
                partial.missing -= length;
                partial.add(&[b'x'; 65_536][..usize::try_from(length).unwrap()]);
                let Partial { body, .. } = &partial;
                assert!(body.capacity() <= ROOM_FACTOR * body.len(), "{}", body.capacity());
            }
            let announced = usize::try_from(announced).unwrap();
            assert_eq!((partial.body.len(), partial.body.capacity()), (announced, announced));
        }
    }
}
