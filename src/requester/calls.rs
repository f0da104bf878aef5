//! The table of calls, and the correlation-ids that lead back into it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::task::{Poll, Waker};
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
    #[inline]
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
    Done(Result<Reply, Box<CallError>>),
}

impl Phase {
    /// On its way, when nothing of it has been written yet.
    pub(super) const BEGUN: Self = Self::Sent { channel: 0, body_size: 0, end: u64::MAX };

    #[inline]
    pub(super) fn done(result: Result<Reply, CallError>) -> Self {
        Self::Done(result.map_err(Box::new))
    }

    /// All of it has been handed to the connection.
    #[inline]
    pub(super) fn sent(&mut self, to: u16, size: u64, written_to: u64) {
        if let Self::Sent { channel, body_size, end } = self {
            (*channel, *body_size, *end) = (to, size, written_to);
        }
    }

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
    correlation_id: CorrelationId,
    call: Option<Call>,
}

impl Calls {
    /// `secret` is random, so that no two clients use the same correlation-ids, and nobody knows one
    /// that it was not sent.
    pub(super) fn new(secret: u128) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), secret: Secret(secret) }
    }

    #[inline]
    pub(super) fn insert(&mut self, call: Call) -> CallId {
        let slot = self.free.pop().unwrap_or_else(|| self.add_slot());
        let mut id = CallId { slot, generation: 0 };
        if let Some(slot) = self.slots.get_mut(slot as usize) {
            id.generation = slot.generation.wrapping_add(1);
            slot.generation = id.generation;
            correlation::write_anew(&mut slot.correlation_id, id, self.secret.seal(id));
            slot.call = Some(call);
        }
        id
    }

    /// One whose first call will be of generation 0.
    #[cold]
    fn add_slot(&mut self) -> u32 {
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let generation = u32::MAX;
        let correlation_id = correlation::write(CallId { slot, generation }, 0);
        self.slots.push(Slot { generation, correlation_id, call: None });
        slot
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation == id.generation { slot.call.as_mut() } else { None }
    }

    /// The call with what its request and its reply carry.
    #[inline]
    pub(super) fn with_correlation_id(
        &mut self,
        id: CallId,
    ) -> Option<(&mut Call, &CorrelationId)> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        let call = slot.call.as_mut().filter(|_| slot.generation == id.generation)?;
        Some((call, &slot.correlation_id))
    }

    /// What a call's request and its reply carry, whether it is still there or not.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "only spans ask for it"))]
    pub(super) fn correlation_id(&self, id: CallId) -> CorrelationId {
        correlation::write(id, self.secret.seal(id))
    }

    /// Whether the call is there, and not done.
    #[inline]
    pub(super) fn is_pending(&self, id: CallId) -> bool {
        self.slots.get(id.slot as usize).is_some_and(|slot| {
            let is_pending = |call: &Call| !call.phase.is_done();
            slot.generation == id.generation && slot.call.as_ref().is_some_and(is_pending)
        })
    }

    /// The result of a call that is done, which is gone with it.
    pub(super) fn take_result(&mut self, id: CallId) -> Poll<Result<Reply, CallError>> {
        let is_its_own = |slot: &&mut Slot| slot.generation == id.generation;
        let slot = self.slots.get_mut(id.slot as usize).filter(is_its_own);
        let Some(call) = slot.and_then(|slot| slot.call.take_if(|call| call.phase.is_done()))
        else {
            return Poll::Pending;
        };
        self.free.push(id.slot);
        match call.phase {
            Phase::Done(result) => Poll::Ready(result.map_err(|error| *error)),
            _ => Poll::Pending,
        }
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

    /// The call that a correlation-id was made for, whether it is still there or not. `None`: it
    /// is none of ours.
    #[inline]
    pub(super) fn find(&self, correlation_id: &[u8]) -> Option<CallId> {
        let text: &CorrelationId = correlation_id.try_into().ok()?;
        let slot = correlation::slot(text);
        match self.slots.get(slot as usize) {
            Some(last) if last.correlation_id == *text => {
                Some(CallId { slot, generation: last.generation })
            }
            _ => self.parse(text),
        }
    }

    /// The same for a call that is not the last in its place.
    #[cold]
    fn parse(&self, correlation_id: &CorrelationId) -> Option<CallId> {
        let (id, seal) = correlation::read(correlation_id)?;
        (seal == self.secret.seal(id)).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call::new(Phase::BEGUN, Retry::Never, Duration::ZERO, Instant::default())
    }

    fn correlation_id(calls: &mut Calls, id: CallId) -> CorrelationId {
        *calls.with_correlation_id(id).unwrap().1
    }

    #[test]
    fn a_correlation_id_leads_back_to_its_call() {
        let mut calls = Calls::new(0x0706_0504_0302_0100_0f0e_0d0c_0b0a_0908);
        let first = calls.insert(call());
        let second = calls.insert(call());
        let text = correlation_id(&mut calls, second);
        assert!(text.ends_with(b"-0000000000000001"), "{}", text.escape_ascii());
        assert_eq!(calls.find(&text), Some(second));
        assert_ne!(first, second);
    }

    #[test]
    fn one_id_does_not_tell_another() {
        let mut calls = Calls::new(7);
        let ids = [calls.insert(call()), calls.insert(call())];
        let [one, other] = ids.map(|id| correlation_id(&mut calls, id));
        assert_eq!(calls.find(&[&one[..17], &other[17..]].concat()), None);
        assert_eq!(Calls::new(8).find(&one), None, "nor that of another client");
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
        let good = correlation_id(&mut calls, id);
        assert_eq!(calls.find(&good), Some(id));
        let mut bad = good;
        bad[0] = if bad[0] == b'0' { b'1' } else { b'0' };
        assert_eq!(calls.find(&bad), None);
    }

    #[test]
    fn the_id_of_a_call_that_has_gone_is_still_ours() {
        let mut calls = Calls::new(1);
        let gone = calls.insert(call());
        let text = correlation_id(&mut calls, gone);
        assert!(calls.remove(gone).is_some());
        assert_eq!(calls.find(&text), Some(gone));
        let next = calls.insert(call());
        assert_ne!(correlation_id(&mut calls, next), text);
        assert_eq!(calls.find(&text), Some(gone));
    }
}
