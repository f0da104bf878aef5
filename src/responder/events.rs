//! What the connection tells the responder.

use alloc::vec::Vec;
use core::task::Waker;

use bytes::BytesMut;
use leveret_codec::{Method, basic, channel as channel_method};

use super::queue::State;
use super::{Arrived, Queue, Responder};
use crate::connection::{Connection, Event, Misuse, Violation, Whole};
use crate::engine::Engine;
use crate::observers::Observers;
use crate::reconnect::Link;
use crate::{ConnectionState, Instant, SessionError};

impl Engine for Responder {
    type Work = Arrived;

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    fn handle_event(&mut self, now: Instant, event: Event) -> Result<(), Violation> {
        match event {
            // Read together with the end of its channel, of which the next event tells.
            Event::Method { channel, .. } | Event::Content { channel, .. }
                if !self.connection.is_channel_open(channel) => {}
            Event::Opened => self.handle_opened(now),
            Event::ChannelOpened { channel } => self.handle_channel_opened(now, channel),
            Event::ChannelClosed { channel, close: Some(close) } => {
                self.handle_channel_closed(now, channel, &close);
            }
            Event::Method { channel, method } => self.handle_method(now, channel, method)?,
            Event::Content { channel, content } => {
                return self.handle_content(now, channel, content);
            }
            // Replies wait in the socket meanwhile, and the prefetch bounds how many there are.
            Event::Blocked { reason } => self.blocked = Some(reason),
            Event::Unblocked => self.blocked = None,
            Event::Flow { .. }
            | Event::ChannelClosed { .. }
            | Event::SecretUpdated
            | Event::Closed(_) => {}
        }
        self.settle_link(now);
        Ok(())
    }

    fn take_delivery(&mut self, now: Instant, delivery: &Whole<'_>) -> bool {
        self.take_request(now, delivery).is_some()
    }

    fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// What was delivered and not taken goes to others; what runs is answered on the next connection.
    fn disconnect(&mut self, now: Instant, _cause: &SessionError) {
        self.arrived.clear();
        self.blocked = None;
        for queue in &mut self.queues {
            queue.disconnect();
            if self.draining {
                queue.state = State::Cancelled;
            }
        }
        self.close_when_drained(now);
        self.observers.change(&mut self.wake);
    }

    fn end(&mut self, now: Instant, result: Result<(), SessionError>) {
        self.send_acknowledgements();
        self.ended.get_or_insert(result);
        self.link.end();
        // They cannot be acknowledged any more, and are delivered to another server.
        self.arrived.clear();
        self.drop_held();
        self.connection.close(now);
        self.observers.change(&mut self.wake);
    }

    fn connection_state(&self) -> ConnectionState {
        let state = self.link.connection_state(self.ended.as_ref(), self.blocked.as_deref());
        let unserved = self.queues.iter().find_map(|queue| queue.cause.clone());
        match (state, unserved) {
            (ConnectionState::Connected, Some(cause)) if !self.draining => {
                ConnectionState::Unserved { cause }
            }
            (state, _) => state,
        }
    }

    fn is_finished(&self) -> bool {
        self.ended.is_some() && self.connection.is_finished()
    }

    fn notify(&mut self) {
        self.observers.change(&mut self.wake);
    }

    fn handle_input(&mut self, now: Instant, input: &mut BytesMut) {
        self.send_acknowledgements();
        self.handle_frames(now, input);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.send_acknowledgements();
        self.handle_connection_timeout(now);
        self.give_up_silent(now);
        self.resume(now);
        self.open_for_replies(now);
        self.close_when_drained(now);
        self.process(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut BytesMut) {
        self.send_acknowledgements();
        self.queues.iter_mut().for_each(Queue::transmitted);
        self.connection.poll_transmit(now, out);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        // When the end has begun, no queue begins anew.
        let queues = self.queues.iter().filter(|_| self.goes_on());
        let rested = queues.filter_map(Queue::rested_at).min();
        let silent = self.queues.iter().filter_map(|queue| self.silent_at(queue)).min();
        let of_link = self.link.poll_timeout(self.is_disconnected());
        let of_connection = self.connection.poll_timeout();
        [rested, silent, of_link, of_connection].into_iter().flatten().min()
    }

    /// A request that has arrived. Its answer is awaited from now on.
    fn poll_work(&mut self, now: Instant) -> Option<Arrived> {
        loop {
            let unsent = self.connection.transmit_len().saturating_add(self.held.octets());
            if unsent > MAX_UNSENT {
                return None;
            }
            let has_room =
                |arrived: &Arrived| self.queues.get(arrived.queue).is_some_and(Queue::has_room);
            let next = self.arrived.iter().position(has_room)?;
            let arrived = self.arrived.get_mut(next)?;
            let queue = self.queues.get_mut(arrived.queue)?;
            queue.arrived = queue.arrived.saturating_sub(1);
            if arrived.deadline.is_some_and(|deadline| deadline <= now) {
                self.stats.expired = self.stats.expired.saturating_add(1);
                queue.skip(&arrived.pending, &mut self.connection);
                self.arrived.remove(next);
                self.close_when_drained(now);
                continue;
            }
            queue.running = queue.running.saturating_add(1);
            arrived.request.time_left = arrived.deadline.map(|deadline| deadline.since(now));
            return if next == 0 { self.arrived.pop_front() } else { self.arrived.remove(next) };
        }
    }

    fn take_wakers(&mut self, wake: &mut Vec<Waker>) {
        wake.append(&mut self.wake);
    }

    fn observers(&mut self) -> &mut Observers {
        &mut self.observers
    }
}

/// Octets of replies that may wait to be sent when one more request is handed out. A broker that
/// reads no replies may still send requests: they then wait, and end the connection when they are
/// twice the prefetch.
const MAX_UNSENT: usize = 1 << 20;

impl Responder {
    /// Does something with a queue that needs the connection.
    fn try_with(
        &mut self,
        now: Instant,
        index: usize,
        act: impl FnOnce(&mut Queue, &mut Connection) -> Result<(), Misuse>,
    ) {
        let Some(queue) = self.queues.get_mut(index) else { return };
        match act(queue, &mut self.connection) {
            // Where the connection or the channel has ended meanwhile, the event that says so
            // follows.
            Ok(()) | Err(Misuse::NotOpen | Misuse::ChannelNotOpen(_)) => {}
            Err(misuse) => self.fail(now, misuse.into()),
        }
    }

    fn handle_opened(&mut self, now: Instant) {
        for index in 0..self.queues.len() {
            self.try_with(now, index, |queue, connection| queue.open(now, connection));
        }
    }

    fn handle_channel_opened(&mut self, now: Instant, channel: u16) {
        let Some(index) = self.queue_on(channel) else {
            // It was given up meanwhile.
            let _ = self.connection.close_channel(channel);
            return;
        };
        self.send_held(channel);
        match self.queues.get_mut(index) {
            // The end began while there was no connection: the channel is for replies alone.
            Some(queue) if self.draining && queue.has_served() => {
                queue.state = State::Cancelled;
                self.close_when_drained(now);
            }
            _ => self.try_with(now, index, Queue::begin),
        }
    }

    /// A queue is served, or all are refused: that is as ready as the connection need be.
    fn settle_link(&mut self, now: Instant) {
        let is_served = |queue: &Queue| queue.state == State::Serving;
        if !self.link.is_ready()
            && (self.queues.iter().any(is_served) || self.queues.iter().all(Queue::is_settled))
        {
            self.link.ready(now);
        }
    }

    /// When the broker has been silent about the queue for too long.
    fn silent_at(&self, queue: &Queue) -> Option<Instant> {
        if self.link.is_connected() { queue.silent_at(self.link.connect_timeout()) } else { None }
    }

    /// A queue that the broker says nothing about begins anew, and costs no other anything.
    fn give_up_silent(&mut self, now: Instant) {
        let limit = self.link.connect_timeout();
        if !self.link.is_connected() {
            return;
        }
        for queue in &mut self.queues {
            if queue.silent_at(limit).is_some_and(|silent_at| silent_at <= now) {
                let cause = SessionError::QueueSilent { queue: queue.name() };
                queue.rest(now, &mut self.connection, cause);
                if self.draining {
                    queue.finish(&mut self.connection);
                }
            }
        }
    }

    /// Where the end has begun and no channel is left, the replies that are owed need one.
    pub(super) fn open_for_replies(&mut self, now: Instant) {
        let is_owed = !self.held.is_empty() || self.queues.iter().any(Queue::owes_replies);
        let has_channel = self.queues.iter().any(|queue| queue.channel != 0);
        if !self.draining || !self.link.is_ready() || !is_owed || has_channel {
            return;
        }
        match self.queues.iter().position(|queue| !queue.is_hopeless()) {
            Some(index) => {
                self.try_with(now, index, |queue, connection| queue.open(now, connection));
            }
            None => self.drop_held(),
        }
    }

    /// Begins anew with queues that have rested.
    fn resume(&mut self, now: Instant) {
        if !self.goes_on() {
            return;
        }
        for index in 0..self.queues.len() {
            match self.queues.get(index).map(|queue| queue.state) {
                Some(State::Resting { until }) if until <= now => {
                    self.try_with(now, index, |queue, connection| queue.open(now, connection));
                }
                _ => {}
            }
        }
    }

    fn handle_method(
        &mut self,
        now: Instant,
        channel: u16,
        method: Method,
    ) -> Result<(), Violation> {
        let index = self.queue_on(channel);
        let Some(queue) = index.and_then(|index| self.queues.get_mut(index)) else {
            return Err(Violation::unasked(method.name()));
        };
        match (queue.state, method) {
            (State::Declaring, Method::QueueDeclareOk(_)) => queue.state = State::Limiting,
            (State::Limiting, Method::BasicQosOk(_)) => queue.state = State::Consuming,
            (State::Consuming, Method::BasicConsumeOk(consume_ok)) => {
                queue.serve(now, consume_ok.consumer_tag.detached());
                if self.draining {
                    queue.finish(&mut self.connection);
                }
                self.send_held(channel);
                self.observers.change(&mut self.wake);
            }
            (State::Serving, Method::BasicCancel(cancel))
                if cancel.consumer_tag == queue.consumer_tag =>
            {
                // The broker takes no cancel-ok for this, up to 4.2.
                self.stats.cancelled_by_broker = self.stats.cancelled_by_broker.saturating_add(1);
                let cause = SessionError::ConsumerCancelled { queue: queue.name() };
                queue.rest(now, &mut self.connection, cause);
            }
            (State::Cancelling, Method::BasicCancelOk(basic::CancelOk { consumer_tag }))
                if consumer_tag == queue.consumer_tag =>
            {
                queue.cancelled(false);
                self.close_when_drained(now);
            }
            (State::Cancelling, Method::BasicCancel(basic::Cancel { consumer_tag, .. }))
                if consumer_tag == queue.consumer_tag =>
            {
                queue.cancelled(true);
                self.close_when_drained(now);
            }
            // The answer to a cancel that crossed the broker's own.
            (State::Cancelled, Method::BasicCancelOk(_)) => {}
            (_, method) => return Err(Violation::unasked(method.name())),
        }
        Ok(())
    }

    /// The broker refuses the queue, or an answer. What it has not seen acknowledged, it delivers
    /// again: to others, or to us when the queue is consumed anew.
    fn handle_channel_closed(&mut self, now: Instant, closed: u16, close: &channel_method::Close) {
        let index = self.queue_on(closed);
        let Some(queue) = index.and_then(|index| self.queues.get_mut(index)) else { return };
        let (code, text) = (close.reply_code, self.connection.quote(&close.reply_text));
        let (name, method) = (queue.name(), (close.class_id, close.method_id));
        let error = SessionError::Queue { queue: name, code, text, method };
        let in_doubt = self.link.policy().goes_on_after(&error);
        let goes_on = queue.rest_without_channel(now, code, in_doubt, error.clone());
        self.arrived.retain(|arrived| Some(arrived.queue) != index);
        if self.draining && goes_on {
            queue.finish(&mut self.connection);
            self.open_for_replies(now);
            self.close_when_drained(now);
        } else if goes_on {
            self.stats.channels_closed = self.stats.channels_closed.saturating_add(1);
        } else {
            self.end(now, Err(error));
        }
    }

    fn queue_on(&self, channel: u16) -> Option<usize> {
        self.queues.iter().position(|queue| queue.channel == channel && channel != 0)
    }
}
