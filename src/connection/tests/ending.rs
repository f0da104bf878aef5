//! How a dialogue ends: for one reason, told once, and for good.

use super::dialogue::{start, tune};
use super::*;

impl Dialogue {
    /// The connection is over, for this reason and for good.
    #[track_caller]
    pub(super) fn ends(&mut self, result: Result<(), ConnectionError>) {
        self.event(Event::Closed(result));
        self.has_ended();
    }

    /// The connection is over, with this text.
    #[track_caller]
    pub(super) fn ends_with_text(&mut self, text: &str) {
        match self.connection.poll_event() {
            Some(Event::Closed(Err(error))) => assert_eq!(error.to_string(), text),
            other => panic!("a final error is expected, not {other:?}"),
        }
        self.has_ended();
    }

    /// The socket ends, and the connection with this text.
    #[track_caller]
    pub(super) fn ends_on_eof_with_text(&mut self, text: &str) {
        self.broker_closes_the_socket();
        self.ends_with_text(text);
    }

    /// The peer broke the protocol: it is told so, and so is the user, once. Nothing follows.
    #[track_caller]
    pub(super) fn ends_in_violation(&mut self, code: ReplyCode, text: &str) {
        self.fails_in_violation(code, text);
        self.broker_sends(on(0, connection::CloseOk {}));
        self.has_ended();
    }

    /// As [`ends_in_violation`](Self::ends_in_violation), up to where close-ok is awaited.
    #[track_caller]
    pub(super) fn fails_in_violation(&mut self, code: ReplyCode, text: &str) {
        let reply_text = format!("{} - {text}", code.name().unwrap());
        let close = connection::Close {
            reply_code: code,
            reply_text: ShortStr::try_from(reply_text).unwrap(),
            ..connection::Close::default()
        };
        self.client_sends(on(0, close));
        let error = ConnectionError::ProtocolViolation { code, text: text.to_owned() };
        self.event(Event::Closed(Err(error)));
        assert!(!self.connection.is_finished(), "close-ok is awaited");
        self.is_deaf();
    }

    /// The final event is out and everything done: input, time and commands change nothing.
    #[track_caller]
    pub(super) fn has_ended(&mut self) {
        assert!(self.connection.is_finished());
        self.is_deaf();
        for method in [Method::from(start()), tune().into(), connection::OpenOk {}.into()] {
            self.broker_sends(on(0, method));
        }
        self.broker_sends(on(0, connection::Close::default()));
        self.broker_sends(on(0, connection::CloseOk {}));
        self.broker_closes_the_socket();
        self.the_socket_fails("connection reset by peer");
        assert_eq!(self.connection.poll_timeout(), None);
        self.connection.handle_timeout(self.now());
        self.advance(seconds(1_000_000));
        self.connection.handle_timeout(self.now());
        self.close();
        self.connection.fail(self.now(), Violation::new(ReplyCode::NOT_ALLOWED, "too late"));
        self.no_event();
        self.client_is_silent();
        assert!(self.connection.is_finished());
    }

    /// Nothing but close and close-ok is heard any more, and no command is taken.
    #[track_caller]
    fn is_deaf(&mut self) {
        self.broker_sends(Frame::Heartbeat);
        self.broker_sends(on(0, connection::Unblocked {}));
        self.broker_sends(on(1, channel::Flow { active: true }));
        self.broker_sends(on(1, basic::Deliver::default()));
        self.broker_sends(Frame::Header { channel: 1, header: ContentHeader::default() });
        self.broker_sends(on(1, basic::Publish::default()));
        assert_eq!(self.unread(), b"", "input is taken, and dropped");

        let empty = BasicProperties::default;
        let publish = self.connection.publish(1, &basic::Publish::default(), &empty(), b"body");
        assert_eq!(publish, Err(Misuse::NotOpen));
        assert_eq!(self.connection.send(1, basic::Qos::default()), Err(Misuse::NotOpen));
        assert_eq!(self.connection.open_channel(), Err(Misuse::NotOpen));
        assert_eq!(self.connection.close_channel(1), Err(Misuse::NotOpen));
        let update = self.connection.update_secret(Secret::default(), ShortStr::EMPTY);
        assert_eq!(update, Err(Misuse::NotOpen));

        self.no_event();
        self.client_is_silent();
    }
}
