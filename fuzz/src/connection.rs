//! The connection's state machine between a peer, a clock and a user, none of whom knows the rules.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::BytesMut;
use leveret::connection::{Config, Connection, Credentials, Event, Misuse, Origin};
use leveret::{Instant, ShortStr};
use leveret_codec::{BasicProperties, Frame, LongStr, Method, Secret, basic};

use crate::emitted::Emitted;
use crate::peer;
use crate::scene::{START, Scene, next_timer, play};
use crate::script::Script;

/// Follows a script of what the peer, the clock and the user do.
pub fn check(octets: &[u8]) {
    play::<Run>(octets);
}

fn config(mode: u8) -> Config {
    let username = LongStr::from_static("alice");
    let password = Secret(LongStr::from_static("open-sesame"));
    Config {
        credentials: match mode % 4 {
            0 => Credentials::External,
            1 => Credentials::AmqPlain { username, password },
            _ => Credentials::Plain { username, password },
        },
        connection_name: Some(LongStr::from_static("fuzzed")),
        heartbeat: 60,
        ..peer::config()
    }
}

struct Run {
    connection: Connection,
    now: Instant,
    /// From the peer, and not taken yet.
    input: BytesMut,
    emitted: Emitted,
    /// What the peer was asked and has not answered.
    asked: Vec<(u16, Method)>,
    /// Octets that somebody has handed in, beyond those of the script.
    handed: usize,
    /// Channels that were asked for and have not ended.
    channels: BTreeSet<u16>,
    opened: bool,
    /// The user has closed it.
    closed: bool,
    ended: bool,
}

impl Scene for Run {
    const BASE: u64 = 0x4_0000;

    /// The shortest frame has 8 octets, and is an event until it is taken.
    const FACTOR: u64 = 100;

    fn begin(mode: u8) -> Self {
        let now = START;
        Self {
            connection: Connection::new(config(mode), now),
            now,
            input: BytesMut::new(),
            emitted: Emitted::of_client(),
            asked: Vec::new(),
            handed: 0,
            channels: BTreeSet::new(),
            opened: false,
            closed: false,
            ended: false,
        }
    }

    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        match step % 16 {
            0 => self.peer_sends(script.octets()),
            1 | 2 => {
                if let Some(frame) = script.value::<Frame>() {
                    self.peer_sends(&peer::encoded([peer::nearby(frame)]));
                }
            }
            3 => self.peer_answers(),
            4 => self.wait(Duration::from_millis(script.number().into())),
            5 => self.wait(Duration::from_secs(script.small().into())),
            6 => self.connection.handle_eof(),
            7 => self.connection.handle_transport_error("as the script wanted".into()),
            8 => {
                let heartbeat = script.small().into();
                self.peer_sends(&peer::handshake(4096 + script.small() as u32, 5, heartbeat));
            }
            9 => self.open_channel(),
            10 => {
                let channel = u16::from(script.small() % 8);
                let result = self.connection.close_channel(channel);
                assert!(result.is_err() || self.channels.contains(&channel));
            }
            11 => self.send(script),
            12 => self.publish(script),
            13 => self.update_secret(script),
            14 => {
                self.closed = true;
                self.connection.close(self.now);
            }
            _ => {
                // An honest peer's content, for a consumer that may or may not exist.
                let channel = u16::from(script.small() % 8);
                let deliver = basic::Deliver::default();
                let properties = script.octets();
                let octets = peer::passed_on(channel, deliver, properties, script.octets());
                self.peer_sends(&octets);
            }
        }
    }

    fn look(&mut self) {
        let mut output = BytesMut::new();
        self.connection.poll_transmit(self.now, &mut output);
        assert_eq!(self.connection.transmit_len(), 0);
        self.handed += output.len();
        for frame in self.emitted.read(output, 4096 + 255) {
            if let Frame::Method { channel, method } = frame {
                self.asked.push((channel, method));
            }
        }
        while let Some(event) = self.connection.poll_event() {
            assert!(!self.ended, "after the end: {event:?}");
            self.take(event);
        }
        assert_eq!(self.connection.is_finished(), self.connection.poll_timeout().is_none());
        for channel in (0..8).filter(|channel| self.connection.may_publish(*channel)) {
            assert!(self.connection.is_channel_open(channel), "content for a closed channel");
        }
    }

    /// However it went, it ends, and says so once.
    fn finish(&mut self) {
        self.connection.handle_eof();
        self.look();
        assert!(self.ended && self.connection.is_finished());
        self.wait(Duration::from_secs(1000));
        self.peer_sends(b"more");
        self.connection.handle_eof();
        self.connection.close(self.now);
        self.look();
        assert_eq!(self.connection.open_channel(), Err(Misuse::NotOpen));
        assert!(!format!("{:?}", self.connection).contains("open-sesame"));
    }

    fn handed(&self) -> usize {
        self.handed
    }
}

impl Run {
    // ------------------------------------------------------------------ the peer and the clock

    fn peer_sends(&mut self, octets: &[u8]) {
        self.handed += octets.len();
        self.input.extend_from_slice(octets);
        let before = self.input.len();
        self.connection.handle_input(self.now, &mut self.input);
        assert!(self.input.len() <= before);
        assert!(!self.connection.is_finished() || self.input.is_empty());
    }

    fn peer_answers(&mut self) {
        let octets = peer::answers(&mut self.asked);
        self.peer_sends(&octets);
    }

    /// Time passes, and every timer in it goes off when it is due.
    fn wait(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        while next_timer(
            &mut self.connection,
            &mut self.now,
            end,
            Connection::poll_timeout,
            Connection::handle_timeout,
        ) {}
    }

    // ------------------------------------------------------------------ the user

    fn open_channel(&mut self) {
        match self.connection.open_channel() {
            Ok(channel) => {
                assert!(self.is_open() && channel <= self.connection.channel_max());
                assert!(self.channels.insert(channel), "channel {channel} is in use");
            }
            Err(Misuse::NoFreeChannel(_)) => assert!(self.is_open()),
            Err(misuse) => assert_eq!((misuse, self.is_open()), (Misuse::NotOpen, false)),
        }
    }

    /// Methods without content; those of the connection and of channels are not for users.
    fn send(&mut self, script: &mut Script<'_>) {
        let channel = u16::from(script.small() % 8);
        let Some(method) = script.value::<Method>() else { return };
        if method.carries_content() || method.id().0 <= 20 {
            return;
        }
        let may = self.connection.is_channel_open(channel);
        match self.connection.send(channel, method) {
            Ok(()) => assert!(may),
            Err(Misuse::FrameTooLarge { .. }) => assert!(may),
            Err(_) => assert!(!may),
        }
    }

    fn publish(&mut self, script: &mut Script<'_>) {
        let channel = u16::from(script.small() % 8);
        let properties = script.value::<BasicProperties>().unwrap_or_default();
        let body = vec![0; script.number().into()];
        self.handed += body.len() * 2;
        let publish = basic::Publish::default();
        let may = self.connection.is_channel_open(channel);
        match self.connection.publish(channel, &publish, &properties, &body) {
            Ok(()) => assert!(may),
            Err(Misuse::FrameTooLarge { .. }) => assert!(may),
            Err(_) => assert!(!may),
        }
    }

    fn update_secret(&mut self, script: &mut Script<'_>) {
        let secret = Secret(LongStr::new(script.octets().to_vec()).unwrap_or_default());
        let result = self.connection.update_secret(secret, ShortStr::EMPTY);
        assert_eq!(result.err() == Some(Misuse::NotOpen), !self.is_open());
    }

    /// Whether commands are taken: between the handshake and the first sign of the end.
    fn is_open(&self) -> bool {
        self.opened && !self.closed && !self.ended
    }

    // ------------------------------------------------------------------ what holds

    fn take(&mut self, event: Event) {
        match event {
            Event::Opened => assert!(!core::mem::replace(&mut self.opened, true), "opened twice"),
            Event::ChannelOpened { channel } | Event::Flow { channel, .. } => {
                assert!(self.channels.contains(&channel), "nobody asked for {channel}");
            }
            Event::ChannelClosed { channel, .. } => {
                assert!(self.channels.remove(&channel), "nobody asked for {channel}");
            }
            Event::Method { channel, method } => {
                assert!(self.channels.contains(&channel), "{method:?} on {channel}");
                assert!(!method.carries_content(), "{method:?} without content");
            }
            Event::Content { channel, content } => {
                assert!(self.channels.contains(&channel), "content on {channel}");
                if let Origin::Other(method) = &content.origin {
                    assert!(method.carries_content(), "{method:?}");
                }
                let size = content.body.map_or(0, |body| body.len());
                assert!(size as u64 <= config(0).max_body_size);
            }
            Event::Closed(Ok(())) => self.ended = true,
            Event::Closed(Err(error)) => {
                self.ended = true;
                let (said, shown) = (error.to_string(), format!("{error:?}"));
                assert!(!said.contains("open-sesame") && !shown.contains("open-sesame"));
            }
            _ => {}
        }
    }
}
