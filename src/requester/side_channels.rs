//! Channels beside the one that calls share, each lent to one call at a time.
//!
//! The broker answers a request that it refuses by closing the channel, and with it goes the consumer
//! of the replies there. So what the broker may refuse goes where it can do no harm to other calls,
//! and is known by the close to be what was refused. A channel that has done well is lent again.
//!
//! A server that does not echo the correlation-id needs a channel that is the call's own: whatever
//! arrives there is the reply, and nothing else may arrive there afterwards.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::calls::CallId;

#[derive(Debug, Default)]
pub(super) struct SideChannels {
    channels: BTreeMap<u16, SideChannel>,
    lent_to: BTreeMap<CallId, u16>,
    /// Those whose consumer is there, while the request may not go.
    held_back: BTreeSet<u16>,
    /// Those that are lent to nobody.
    idle: Vec<u16>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct SideChannel {
    /// Whom it is lent to.
    pub(super) call: Option<CallId>,
    /// Whether its consumer is there, so that the request may go.
    pub(super) is_consuming: bool,
    /// Whether whatever arrives is the reply.
    pub(super) is_own: bool,
}

/// The most channels that are kept for the next call that needs one.
const MAX_IDLE: usize = 32;

impl SideChannels {
    pub(super) fn get(&self, channel: u16) -> Option<SideChannel> {
        self.channels.get(&channel).copied()
    }

    /// A channel that is being opened for a call.
    pub(super) fn add(&mut self, channel: u16, call: CallId, is_own: bool) {
        let added = SideChannel { call: Some(call), is_consuming: false, is_own };
        self.channels.insert(channel, added);
        self.lent_to.insert(call, channel);
    }

    /// Whether one is lent to nobody.
    pub(super) fn has_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    /// Gives up one that is lent to nobody.
    pub(super) fn take_idle(&mut self) -> Option<u16> {
        let channel = self.idle.pop()?;
        self.channels.remove(&channel);
        Some(channel)
    }

    /// One that is there already.
    pub(super) fn lend(&mut self, call: CallId) -> Option<u16> {
        let channel = self.idle.pop()?;
        self.channels.get_mut(&channel)?.call = Some(call);
        self.lent_to.insert(call, channel);
        Some(channel)
    }

    /// The call has ended. Gives the channel back if it is to be closed: one that has not been heard
    /// of since the request went out may yet be closed by the broker, and not over the next request.
    pub(super) fn give_back(&mut self, call: CallId, did_well: bool) -> Option<u16> {
        let channel = self.lent_to.remove(&call)?;
        self.held_back.remove(&channel);
        let lent = self.channels.get_mut(&channel)?;
        if did_well && !lent.is_own && self.idle.len() < MAX_IDLE {
            lent.call = None;
            self.idle.push(channel);
            return None;
        }
        self.channels.remove(&channel);
        Some(channel)
    }

    /// The channel is gone. What it was.
    pub(super) fn remove(&mut self, channel: u16) -> Option<SideChannel> {
        let removed = self.channels.remove(&channel)?;
        self.held_back.remove(&channel);
        match removed.call {
            Some(call) => {
                self.lent_to.remove(&call);
            }
            None => self.idle.retain(|idle| *idle != channel),
        }
        Some(removed)
    }

    /// The channel's consumer is there: whom it is lent to. `None` if that was not awaited.
    pub(super) fn consuming(&mut self, channel: u16) -> Option<CallId> {
        let lent = self.channels.get_mut(&channel)?;
        if core::mem::replace(&mut lent.is_consuming, true) { None } else { lent.call }
    }

    pub(super) fn hold_back(&mut self, channel: u16, is_held_back: bool) {
        if is_held_back {
            self.held_back.insert(channel);
        } else {
            self.held_back.remove(&channel);
        }
    }

    /// Whether a request is held back.
    pub(super) fn holds_back(&self) -> bool {
        !self.held_back.is_empty()
    }

    /// Those that are lent to a call.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lent_to.len()
    }

    /// Channels whose request may go as soon as any may, with whom they are lent to.
    pub(super) fn held_back(&self) -> Vec<(u16, CallId)> {
        let held_back = self.held_back.iter();
        held_back.filter_map(|channel| Some((*channel, self.get(*channel)?.call?))).collect()
    }
}
