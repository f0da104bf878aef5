//! The table of calls, and the correlation-ids that lead back into it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::task::Waker;
use core::time::Duration;

use bytes::Bytes;
use leveret_codec::ShortStr;

use super::correlation::{self, CorrelationId, Secret};
use super::retrying::{Retries, Retry};
use crate::{CallError, Instant, Properties, Reply};

/// A call's place in the table, and which of the calls that have used it.
///
/// A reply that comes after its call has gone finds the place empty or with another generation,
/// and so can never be taken for the answer to another call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// A request before it is sent.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Empty for the default exchange, which routes to the queue named by the routing key.
    pub exchange: ShortStr,
    /// A queue's name, or what the exchange routes by.
    pub routing_key: ShortStr,
    /// The properties that the user chose. The requester adds those that make it a request.
    pub properties: Properties,
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
    pub(super) fn new(phase: Phase, retry: Retry, timeout: Duration, deadline: Instant) -> Self {
        Self { phase, timeout, deadline, waker: None, retries: Retries::new(retry) }
    }
}

/// What is large lies elsewhere: most calls are only sent and awaited.
#[derive(Debug)]
pub(super) enum Phase {
    /// For its turn: a connection, room among those in flight, room in front of the socket.
    Waiting(Box<Outgoing>),
    /// For a channel that it is lent.
    Opening(Box<Outgoing>),
    /// Handed to the connection, on this channel. Its last octet is the `end`th of the stream.
    Sent { channel: u16, body_size: u64, end: u64 },
    /// For the user to come and see.
    Done(Result<Reply, CallError>),
}

impl Phase {
    /// On its way, when nothing of it has been written yet.
    pub(super) const BEGUN: Self = Self::Sent { channel: 0, body_size: 0, end: u64::MAX };

    /// Whether the call has had its turn, and not ended.
    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self, Self::Opening(_) | Self::Sent { .. })
    }

    /// The request, if it was not sent.
    pub(super) fn into_unsent(self) -> Option<Box<Outgoing>> {
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
    /// Of its place and generation.
    seal: u64,
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
            let id = CallId { slot, generation: entry.generation.wrapping_add(1) };
            entry.generation = id.generation;
            entry.seal = self.secret.seal(id);
            entry.call = Some(call);
            return id;
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let id = CallId { slot, generation: 0 };
        self.slots.push(Slot { generation: 0, seal: self.secret.seal(id), call: Some(call) });
        id
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

    /// What a call's request and its reply carry.
    pub(super) fn correlation_id(&self, id: CallId) -> CorrelationId {
        correlation::write(id, self.seal(id))
    }

    /// The call that a correlation-id was made for, whether it is still there or not. `None`: it
    /// is none of ours.
    pub(super) fn parse(&self, correlation_id: &[u8]) -> Option<CallId> {
        let (id, seal) = correlation::read(correlation_id)?;
        (seal == self.seal(id)).then_some(id)
    }

    /// Made once a call, and again only for what comes after its end.
    fn seal(&self, id: CallId) -> u64 {
        match self.slots.get(id.slot as usize) {
            Some(slot) if slot.generation == id.generation => slot.seal,
            _ => self.secret.seal(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call::new(Phase::BEGUN, Retry::Never, Duration::ZERO, Instant::default())
    }

    #[test]
    fn a_correlation_id_leads_back_to_its_call() {
        let mut calls = Calls::new(0x0706_0504_0302_0100_0f0e_0d0c_0b0a_0908);
        let first = calls.insert(call());
        let second = calls.insert(call());
        let text = calls.correlation_id(second);
        assert!(text.ends_with(b"-0000000000000001"), "{}", text.escape_ascii());
        assert_eq!(calls.parse(&text), Some(second));
        assert_ne!(first, second);
    }

    #[test]
    fn one_id_does_not_tell_another() {
        let mut calls = Calls::new(7);
        let ids = [calls.insert(call()), calls.insert(call())];
        let [one, other] = ids.map(|id| calls.correlation_id(id));
        assert_eq!(calls.parse(&[&one[..17], &other[17..]].concat()), None);
        assert_eq!(Calls::new(8).parse(&one), None, "nor that of another client");
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
        let good = calls.correlation_id(id);
        assert_eq!(calls.parse(&good), Some(id));
        let mut bad = good;
        bad[0] = if bad[0] == b'0' { b'1' } else { b'0' };
        assert_eq!(calls.parse(&bad), None);
    }

    #[test]
    fn the_id_of_a_call_that_has_gone_is_still_ours() {
        let mut calls = Calls::new(1);
        let gone = calls.insert(call());
        let text = calls.correlation_id(gone);
        assert!(calls.remove(gone).is_some());
        assert_eq!(calls.parse(&text), Some(gone));
        let next = calls.insert(call());
        assert_ne!(calls.correlation_id(next), text);
        assert_eq!(calls.parse(&text), Some(gone));
    }
}
