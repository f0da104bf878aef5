//! The table of calls, and the correlation-ids that lead back into it.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use core::hash::Hasher;
#[allow(deprecated, reason = "what replaces it in std is not in core")]
use core::hash::SipHasher;
use core::task::Waker;
use core::time::Duration;

use bytes::Bytes;
use leveret_codec::{BasicProperties, ShortStr};

use super::retrying::{Retries, Retry};
use crate::{CallError, Instant, Reply};

/// A call's place in the table, and which of the calls that have used it.
///
/// A reply that comes after its call has gone finds the place empty or with another generation,
/// and so can never be taken for the answer to another call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId {
    slot: u32,
    generation: u32,
}

/// A request before it is sent.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Empty for the default exchange, which routes to the queue named by the routing key.
    pub exchange: ShortStr,
    /// A queue's name, or what the exchange routes by.
    pub routing_key: ShortStr,
    /// The properties that the user chose. The requester adds those that make it a request.
    pub properties: BasicProperties,
    /// The payload.
    pub body: Bytes,
    /// Whether to subscribe, publish, wait and cancel on a channel of its own, for servers that do
    /// not echo the correlation-id: whatever arrives there is the reply.
    pub own_channel: bool,
    /// Whether to send it again when it fails with its connection or channel.
    pub retry: Retry,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) phase: Phase,
    pub(super) timeout: Duration,
    pub(super) deadline: Instant,
    pub(super) waker: Option<Waker>,
    pub(super) retries: Retries,
}

impl Call {
    pub(super) fn new(outgoing: Outgoing, timeout: Duration, deadline: Instant) -> Self {
        let retries = Retries::new(outgoing.retry);
        Self { phase: Phase::Waiting(outgoing), timeout, deadline, waker: None, retries }
    }
}

#[derive(Debug)]
pub(super) enum Phase {
    /// For its turn: a connection, room among those in flight, room in front of the socket.
    Waiting(Outgoing),
    /// For a channel that it is lent.
    Opening(Outgoing),
    /// Handed to the connection, on this channel. Its last octet is the `end`th of the stream.
    Sent { channel: u16, body_size: u64, end: u64 },
    /// For the user to come and see.
    Done(Result<Reply, CallError>),
}

impl Phase {
    /// Whether the call has had its turn, and not ended.
    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self, Self::Opening(_) | Self::Sent { .. })
    }

    /// The request, if it was not sent.
    pub(super) fn into_unsent(self) -> Option<Outgoing> {
        match self {
            Self::Waiting(outgoing) | Self::Opening(outgoing) => Some(outgoing),
            Self::Sent { .. } | Self::Done(_) => None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

#[derive(Debug)]
pub(super) struct Calls {
    slots: Vec<Slot>,
    free: Vec<u32>,
    secret: Secret,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    call: Option<Call>,
}

impl Calls {
    /// `secret` is random, so that no two clients use the same correlation-ids, and nobody knows one
    /// that it was not sent.
    pub(super) fn new(secret: u128) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), secret: Secret(secret) }
    }

    pub(super) fn insert(&mut self, call: Call) -> CallId {
        if let Some(slot) = self.free.pop()
            && let Some(entry) = self.slots.get_mut(slot as usize)
        {
            entry.generation = entry.generation.wrapping_add(1);
            entry.call = Some(call);
            return CallId { slot, generation: entry.generation };
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { generation: 0, call: Some(call) });
        CallId { slot, generation: 0 }
    }

    pub(super) fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation == id.generation { slot.call.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, id: CallId) -> Option<Call> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let call = slot.call.take()?;
        self.free.push(id.slot);
        Some(call)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// How many have not been sent.
    pub(super) fn waiting(&self) -> usize {
        let calls = self.slots.iter().filter_map(|slot| slot.call.as_ref());
        calls.filter(|call| matches!(call.phase, Phase::Waiting(_) | Phase::Opening(_))).count()
    }

    pub(super) fn ids(&self) -> Vec<CallId> {
        let ids = self.slots.iter().zip(0u32..);
        ids.filter(|(slot, _)| slot.call.is_some())
            .map(|(&Slot { generation, .. }, slot)| CallId { slot, generation })
            .collect()
    }

    /// The correlation-id on the wire: 16 digits of seal, a dash, 8 of generation, 8 of slot.
    pub(super) fn correlation_id(&self, id: CallId) -> ShortStr {
        let CallId { slot, generation } = id;
        // 33 octets of 255.
        ShortStr::new(format!("{:016x}-{generation:08x}{slot:08x}", self.secret.seal(id)))
            .unwrap_or_default()
    }

    /// The call that a correlation-id was made for, whether it is still there or not. `None`: it
    /// is none of ours.
    pub(super) fn parse(&self, correlation_id: &[u8]) -> Option<CallId> {
        let (seal, rest) = correlation_id.split_first_chunk::<16>()?;
        let (dash, rest) = rest.split_first()?;
        let (generation, slot) = rest.split_first_chunk::<8>()?;
        let slot = u32::try_from(hexadecimal(slot.first_chunk::<8>()?)?).ok()?;
        let generation = u32::try_from(hexadecimal(generation)?).ok()?;
        let id = CallId { slot, generation };
        let ours = *dash == b'-' && rest.len() == 16 && hexadecimal(seal)? == self.secret.seal(id);
        ours.then_some(id)
    }
}

/// What the correlation-ids are sealed with. All calls of a client share one reply address, so whoever
/// serves one of them could answer the others, if it could guess their ids from its own.
struct Secret(u128);

impl Secret {
    /// SipHash-2-4 of the id, with the secret as its key.
    #[allow(deprecated, reason = "what replaces it in std is not in core")]
    fn seal(&self, CallId { slot, generation }: CallId) -> u64 {
        let [high, low] = [self.0 >> 64, self.0 & u128::from(u64::MAX)];
        let [high, low] = [high, low].map(|half| u64::try_from(half).unwrap_or_default());
        let mut hasher = SipHasher::new_with_keys(high, low);
        hasher.write(&slot.to_le_bytes());
        hasher.write(&generation.to_le_bytes());
        hasher.finish()
    }
}

/// Not derived: it would show.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, digit| {
        let value = char::from(*digit).to_digit(16)?;
        number.checked_mul(16)?.checked_add(value.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    fn call() -> Call {
        Call::new(Outgoing::default(), Duration::ZERO, Instant::default())
    }

    #[test]
    fn a_correlation_id_leads_back_to_its_call() {
        let mut calls = Calls::new(0x0706_0504_0302_0100_0f0e_0d0c_0b0a_0908);
        let first = calls.insert(call());
        let second = calls.insert(call());
        let text = calls.correlation_id(second).to_string();
        let (seal, place) = text.split_once('-').unwrap();
        assert_eq!((seal.len(), place), (16, "0000000000000001"));
        assert_eq!(calls.parse(text.as_bytes()), Some(second));
        assert_ne!(first, second);
    }

    /// The key of the reference implementation, and eight octets of its messages: 00 01 02 ... 07.
    #[test]
    fn the_seal_is_siphash_2_4() {
        let secret = Secret(0x0706_0504_0302_0100_0f0e_0d0c_0b0a_0908);
        let id = CallId { slot: 0x0302_0100, generation: 0x0706_0504 };
        assert_eq!(secret.seal(id), 0x93f5_f579_9a93_2462);
    }

    #[test]
    fn one_id_does_not_tell_another() {
        let mut calls = Calls::new(7);
        let ids = [calls.insert(call()), calls.insert(call())];
        let [one, other] = ids.map(|id| calls.correlation_id(id).to_string());
        let (seal, _) = one.split_once('-').unwrap();
        let (_, place) = other.split_once('-').unwrap();
        assert_eq!(calls.parse(format!("{seal}-{place}").as_bytes()), None);
        assert_eq!(Calls::new(8).parse(one.as_bytes()), None, "nor that of another client");
        assert_eq!(format!("{:?}", calls.secret), "Secret(***)");
    }

    #[test]
    fn a_slot_used_again_does_not_answer_to_its_old_id() {
        let mut calls = Calls::new(1);
        let old = calls.insert(call());
        assert!(calls.remove(old).is_some());
        let new = calls.insert(call());
        assert!(calls.get_mut(old).is_none());
        assert!(calls.remove(old).is_none());
        assert!(calls.get_mut(new).is_some());
        assert_eq!((calls.len(), calls.ids()), (1, alloc::vec![new]));
    }

    #[test]
    fn foreign_correlation_ids_are_not_ours() {
        let mut calls = Calls::new(1);
        let id = calls.insert(call());
        let good = calls.correlation_id(id).to_string();
        let (seal, place) = good.split_once('-').unwrap();
        assert!(calls.parse(good.as_bytes()).is_some());
        let next = u64::from_str_radix(seal, 16).unwrap().wrapping_add(1);
        for bad in [
            String::new(),
            format!("{next:016x}-{place}"),
            format!("{seal}+{place}"),
            format!("{seal}-{}", &place[1..]),
            format!("{seal}-{place}0"),
            format!("{seal}-{}g", &place[1..]),
            format!("é{}-{place}", &seal[2..]),
        ] {
            assert_eq!(calls.parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
