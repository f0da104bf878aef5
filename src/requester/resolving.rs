//! How calls end, each once.

use super::Requester;
use super::calls::{Call, CallId, Phase};
use crate::{CallError, Instant, Reply, SessionError};

impl Requester {
    /// Whether the call's request has been handed to the connection. Nothing takes it back from
    /// there while that goes on: it will be sent, if it was not.
    pub(super) fn is_sent(&mut self, id: CallId) -> bool {
        matches!(self.calls.get_mut(id), Some(Call { phase: Phase::Sent { .. }, .. }))
    }

    /// Whether the call's request has been handed to the driver. That is what counts where the
    /// broker takes no more: what had not been sent by then is not read any more.
    pub(super) fn is_transmitted(&mut self, id: CallId) -> bool {
        let call = self.calls.get_mut(id);
        let phase = call.map(|call| &call.phase);
        matches!(phase, Some(Phase::Sent { end, .. }) if *end <= self.connection.transmitted())
    }

    /// Ends a call, once, or sends it again.
    pub(super) fn resolve(&mut self, id: CallId, result: Result<Reply, CallError>) {
        let goes_on = self.ended.is_none();
        let Some(call) = self.calls.get_mut(id) else { return };
        if call.phase.is_done() {
            return;
        }
        let phase = core::mem::replace(&mut call.phase, Phase::BEGUN);
        let was_in_flight = phase.is_in_flight();
        let did_well = is_word_of_the_channel(&result);
        let result = match result {
            Err(error) if goes_on => match call.retries.after(error, phase.into_unsent()) {
                Ok(outgoing) => {
                    call.phase = Phase::Waiting(outgoing);
                    self.waiting.push_back(id);
                    self.stats.retries = self.stats.retries.saturating_add(1);
                    return self.leave_flight(id, was_in_flight, false);
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(call.retries.conclude(error)),
            Ok(reply) => Ok(reply),
        };
        let counter = match &result {
            Ok(_) => &mut self.stats.replies,
            Err(CallError::Fault(_)) => &mut self.stats.faults,
            Err(_) => &mut self.stats.failures,
        };
        *counter = counter.saturating_add(1);
        call.phase = Phase::done(result);
        self.wake.extend(call.waker.take());
        self.leave_flight(id, was_in_flight, did_well);
    }

    /// The call no longer is what it was, and gives back what it had.
    pub(super) fn leave_flight(&mut self, id: CallId, was_in_flight: bool, did_well: bool) {
        if was_in_flight {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        if let Some(channel) = self.side_channels.give_back(id, did_well) {
            self.abandon_channel(channel);
        }
    }

    /// Ends the calls that have been sent, or all of them at the end of everything.
    pub(super) fn fail_pending(&mut self, all: bool, error: impl Fn(bool) -> CallError) {
        for id in self.calls.ids() {
            // A close of our own goes out behind the requests.
            let over = self.connection.is_finished();
            let is_sent = self.is_sent(id);
            let written = if over { self.is_transmitted(id) } else { is_sent };
            if all || is_sent {
                self.resolve(id, Err(error(written)));
            }
        }
    }

    pub(super) fn close_when_drained(&mut self, now: Instant) {
        if self.draining && self.ended.is_none() && self.pending() == 0 {
            self.close(now);
        }
    }

    /// A call whose turn came to nothing has the next one.
    pub(super) fn wait_for_another(&mut self, id: CallId) {
        let Some(Call { phase, .. }) = self.calls.get_mut(id) else { return };
        if let Phase::Opening(outgoing) = phase {
            *phase = Phase::Waiting(core::mem::take(outgoing));
            self.in_flight = self.in_flight.saturating_sub(1);
            self.waiting.push_front(id);
        }
    }

    /// Calls that had had their turn and were not sent come before all others.
    pub(super) fn wait_again(&mut self) {
        for id in self.calls.ids().into_iter().rev() {
            self.wait_for_another(id);
        }
        while let Some(id) = self.without_channel.pop_back() {
            self.waiting.push_front(id);
        }
    }
}

/// Whether the channel has been heard of since the request went out, so that the broker has taken it.
fn is_word_of_the_channel(result: &Result<Reply, CallError>) -> bool {
    use CallError::{Fault, UnreadableReply, Unroutable};
    matches!(result, Ok(_) | Err(Fault(_) | UnreadableReply(_) | Unroutable { .. }))
}

pub(super) fn ended_error(ended: &Result<(), SessionError>, written: bool) -> CallError {
    match ended {
        Ok(()) => CallError::Closed { written },
        Err(cause) => CallError::Disconnected { written, cause: cause.clone() },
    }
}
