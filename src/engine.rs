//! [`Engine`]: what a driver does with a client's or a server's engine.

use alloc::string::String;
use alloc::vec::Vec;
use core::task::Waker;

use bytes::BytesMut;

use crate::Instant;
use crate::connection::{Connection, Event, Violation};
use crate::observers::Observers;

/// A state machine on top of a [`Connection`]: the [`Requester`](crate::requester::Requester) or
/// the [`Responder`](crate::responder::Responder).
///
/// Whoever owns a transport and a clock can drive one: hand in what comes, send what
/// [`poll_transmit`](Self::poll_transmit) gives, call [`handle_timeout`](Self::handle_timeout) by
/// [`poll_timeout`](Self::poll_timeout), wake who is to be woken, and stop when it
/// [`is_finished`](Self::is_finished). Input returns nothing: failures end the session, and
/// everybody who waits learns it.
pub trait Engine: Send + 'static {
    /// What an engine gives its driver to do, besides bytes.
    type Work;

    /// The connection beneath.
    fn connection(&self) -> &Connection;

    /// The connection beneath, for input.
    #[doc(hidden)]
    fn connection_mut(&mut self) -> &mut Connection;

    /// Draws the conclusions from an event. An error is the peer's, and ends the connection.
    #[doc(hidden)]
    fn handle_event(&mut self, now: Instant, event: Event) -> Result<(), Violation>;

    /// The state has changed: who waits for that is to be woken.
    #[doc(hidden)]
    fn notify(&mut self);

    /// Draws the conclusions from what the connection has been told.
    #[doc(hidden)]
    fn process(&mut self, now: Instant) {
        while let Some(event) = self.connection_mut().poll_event() {
            if let Err(violation) = self.handle_event(now, event) {
                self.connection_mut().fail(now, violation);
            }
        }
        if self.connection().is_finished() {
            self.notify();
        }
    }

    /// The tasks to wake, once whatever lock guards this engine is free again.
    fn take_wakers(&mut self, wake: &mut Vec<Waker>);

    /// The tasks that wait for a change of state.
    #[doc(hidden)]
    fn observers(&mut self) -> &mut Observers;

    /// The next thing to do.
    fn poll_work(&mut self) -> Option<Self::Work> {
        None
    }

    /// Takes every whole frame off the front of `input`. The rest is to be left there until more
    /// has come.
    fn handle_input(&mut self, now: Instant, input: &mut BytesMut) {
        self.connection_mut().handle_input(now, input);
        self.process(now);
    }

    /// The peer has closed its side of the transport.
    fn handle_eof(&mut self, now: Instant) {
        self.connection_mut().handle_eof();
        self.process(now);
    }

    /// The transport has failed.
    fn handle_transport_error(&mut self, now: Instant, reason: String) {
        self.connection_mut().handle_transport_error(reason);
        self.process(now);
    }

    /// Time has come to [`poll_timeout`](Self::poll_timeout), or passed.
    fn handle_timeout(&mut self, now: Instant) {
        self.connection_mut().handle_timeout(now);
        self.process(now);
    }

    /// Moves what is to be sent to the end of `out`.
    fn poll_transmit(&mut self, now: Instant, out: &mut BytesMut) {
        self.connection_mut().poll_transmit(now, out);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens first.
    fn poll_timeout(&self) -> Option<Instant> {
        self.connection().poll_timeout()
    }

    /// Whether nothing more will be read. What is to be sent should be, before the transport is
    /// closed.
    fn is_finished(&self) -> bool {
        self.connection().is_finished()
    }
}
