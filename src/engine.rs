//! [`Engine`]: what a driver does with a client's or a server's engine.

use alloc::string::String;
use alloc::vec::Vec;
use core::task::Waker;

use bytes::{Buf, BytesMut};

use crate::connection::{Connection, ConnectionError, Event, Violation, Whole};
use crate::observers::Observers;
use crate::reconnect::Link;
use crate::{ConnectionState, Instant, SessionError};

/// What a connection is given up for that does not become ready.
pub(crate) const SILENT: &str = "the broker was silent after the login, on a channel, for the whole \
     of the connect timeout";

/// A state machine on top of a [`Connection`]: the [`Requester`](crate::requester::Requester) or
/// the [`Responder`](crate::responder::Responder).
///
/// Whoever owns a transport and a clock can drive one: hand in what comes, send what
/// [`poll_transmit`](Self::poll_transmit) gives, call [`handle_timeout`](Self::handle_timeout) by
/// [`poll_timeout`](Self::poll_timeout), wake who is to be woken, and stop when it
/// [`is_finished`](Self::is_finished). Input returns nothing: failures end the connection, and
/// everybody who waits learns it.
///
/// An engine outlives its connection. When [`is_disconnected`](Self::is_disconnected), the transport
/// is to be closed; when [`poll_connect`](Self::poll_connect) says so, another one is to be made, and
/// [`handle_connected`](Self::handle_connected) or [`handle_unreachable`](Self::handle_unreachable)
/// to tell what came of that.
pub trait Engine: Send + 'static {
    /// What an engine gives its driver to do, besides bytes.
    type Work;

    /// The connection beneath.
    fn connection(&self) -> &Connection;

    /// The connection beneath, for input.
    #[doc(hidden)]
    fn connection_mut(&mut self) -> &mut Connection;

    /// Draws the conclusions from an event other than [`Event::Closed`]. An error is the peer's, and
    /// ends the connection.
    #[doc(hidden)]
    fn handle_event(&mut self, now: Instant, event: Event) -> Result<(), Violation>;

    /// Draws the conclusions from a delivery, if it is an ordinary one: what has to be looked at more
    /// closely is to be left, and comes as an event then.
    #[doc(hidden)]
    fn take_delivery(&mut self, _now: Instant, _delivery: &Whole<'_>) -> bool {
        false
    }

    /// The link to the broker, through all connections.
    #[doc(hidden)]
    fn link(&mut self) -> &mut Link;

    /// The connection is lost, and another will be made.
    #[doc(hidden)]
    fn disconnect(&mut self, now: Instant, cause: &SessionError);

    /// The end, for its user's wish or a failure that nothing is done about.
    #[doc(hidden)]
    fn end(&mut self, now: Instant, result: Result<(), SessionError>);

    /// The state has changed: who waits for that is to be woken.
    #[doc(hidden)]
    fn notify(&mut self);

    /// The connection has failed, or is of no use.
    #[doc(hidden)]
    fn fail(&mut self, now: Instant, cause: SessionError) {
        if self.link().lost(now, &cause) {
            self.disconnect(now, &cause);
        } else {
            self.end(now, Err(cause));
        }
        self.connection_mut().close(now);
    }

    /// Draws the conclusions from what the connection has been told.
    #[doc(hidden)]
    fn process(&mut self, now: Instant) {
        while let Some(event) = self.connection_mut().poll_event() {
            match event {
                Event::Closed(Err(error)) => self.fail(now, error.into()),
                // What was read behind the failure of a connection, such as an alarm, is nothing to
                // those that follow, and what it was closed for was dealt with before.
                _ if !self.link().is_connected() => {}
                Event::Closed(Ok(())) => self.end(now, Ok(())),
                event => {
                    if let Err(violation) = self.handle_event(now, event) {
                        self.connection_mut().fail(now, violation);
                    }
                }
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

    /// How far it is with its connection.
    fn connection_state(&self) -> ConnectionState;

    /// Which of the addresses to connect to, if it is time to.
    fn poll_connect(&mut self, now: Instant) -> Option<usize> {
        if self.is_disconnected() { self.link().poll_connect(now) } else { None }
    }

    /// The transport that [`poll_connect`](Self::poll_connect) has asked for is up.
    fn handle_connected(&mut self, now: Instant) {
        let Some(left) = self.link().connected(now) else { return };
        let mut config = self.connection().config().clone();
        config.handshake_timeout = left;
        *self.connection_mut() = Connection::new(config, now);
    }

    /// There is no transport to be had at that address.
    fn handle_unreachable(&mut self, now: Instant, reason: String) {
        self.fail(now, SessionError::Unreachable { reason });
    }

    /// The next thing to do.
    fn poll_work(&mut self, _now: Instant) -> Option<Self::Work> {
        None
    }

    /// Takes every whole frame off the front of `input`. The rest is to be left there until more
    /// has come.
    fn handle_input(&mut self, now: Instant, input: &mut BytesMut) {
        self.handle_frames(now, input);
    }

    /// Draws the conclusions from one message after the other, and from the rest when all of it is
    /// known.
    #[doc(hidden)]
    fn handle_frames(&mut self, now: Instant, input: &mut BytesMut) {
        self.connection_mut().received(now);
        loop {
            self.take_deliveries(now, input);
            let goes_on = self.connection_mut().handle_input_to_content(now, input);
            self.process(now);
            if !goes_on {
                return;
            }
        }
    }

    /// The usual case: deliveries are taken from where they lie. The rest is left.
    #[doc(hidden)]
    fn take_deliveries(&mut self, now: Instant, input: &mut BytesMut) {
        let mut rest = &**input;
        while let Some(delivery) = self.connection().whole_delivery(rest)
            && self.take_delivery(now, &delivery)
        {
            rest = rest.get(delivery.encoded_len..).unwrap_or_default();
        }
        let taken = input.len().saturating_sub(rest.len());
        input.advance(taken);
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

    /// The transport has ended, and knows the peer's reason: what TLS calls an alert.
    fn handle_transport_refusal(&mut self, now: Instant, reason: String) {
        self.connection_mut().handle_transport_refusal(reason);
        self.process(now);
    }

    /// Whoever drives the engine has ended: there will be no transport any more.
    fn handle_end_of_driver(&mut self, now: Instant, reason: String) {
        if !self.is_finished() {
            self.connection_mut().handle_transport_error(reason.clone());
            self.end(now, Err(ConnectionError::Lost { reason }.into()));
            self.process(now);
        }
    }

    /// Time has come to [`poll_timeout`](Self::poll_timeout), or passed.
    fn handle_timeout(&mut self, now: Instant);

    /// What the passing of time means for the connection.
    #[doc(hidden)]
    fn handle_connection_timeout(&mut self, now: Instant) {
        self.connection_mut().handle_timeout(now);
        self.process(now);
        if self.link().is_too_slow(now) {
            self.handle_transport_error(now, String::from(SILENT));
        }
    }

    /// Moves what is to be sent to the end of `out`.
    fn poll_transmit(&mut self, now: Instant, out: &mut BytesMut);

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens first.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Whether nothing more will be read from the present transport. What is to be sent should be,
    /// before it is closed.
    fn is_disconnected(&self) -> bool {
        self.connection().is_finished()
    }

    /// Whether there will be no other connection either.
    fn is_finished(&self) -> bool;
}
