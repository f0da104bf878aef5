//! Signs of life: we give them, and we miss them.

use super::dialogue::tune;
use super::*;

/// An open connection with a heartbeat of 10 s.
fn every_10_seconds() -> Dialogue {
    let config = Config { heartbeat: 10, ..Config::default() };
    Dialogue::open_with(config, tune())
}

#[test]
fn we_give_a_sign_after_half_the_interval_without_another() {
    let mut dialogue = every_10_seconds();
    dialogue.advance(Duration::from_millis(4_999));
    dialogue.client_is_silent();
    dialogue.advance(Duration::from_millis(1));
    dialogue.client_sends(Frame::Heartbeat);
    dialogue.client_is_silent();

    dialogue.advance(Duration::from_millis(4_999));
    dialogue.client_is_silent();
    dialogue.advance(Duration::from_millis(1));
    dialogue.client_sends_octets(b"\x08\x00\x00\x00\x00\x00\x00\xce");
    dialogue.client_is_silent();
    dialogue.no_event();
}

#[test]
fn anything_that_we_send_is_a_sign() {
    let mut dialogue = every_10_seconds();
    dialogue.open_channel(1);
    dialogue.advance(seconds(4));
    dialogue.connection.send(1, basic::Qos::default()).unwrap();
    dialogue.client_sends(on(1, basic::Qos::default()));
    dialogue.advance(Duration::from_millis(4_999));
    dialogue.client_is_silent();
    dialogue.advance(Duration::from_millis(1));
    dialogue.client_sends(Frame::Heartbeat);
}

/// What waits to be sent has not been a sign yet.
#[test]
fn a_sign_counts_when_it_is_sent() {
    let mut dialogue = every_10_seconds();
    dialogue.open_channel(1);
    dialogue.connection.send(1, basic::Qos::default()).unwrap();
    dialogue.advance(seconds(4));
    dialogue.client_sends(on(1, basic::Qos::default()));
    dialogue.advance(Duration::from_millis(4_999));
    dialogue.client_is_silent();
    dialogue.advance(Duration::from_millis(1));
    dialogue.client_sends(Frame::Heartbeat);
}

/// A socket that takes nothing must not make the timer spin, or heartbeats pile up.
#[test]
fn one_sign_is_enough_while_the_socket_takes_nothing() {
    let mut dialogue = every_10_seconds();
    let due = dialogue.connection.poll_timeout().unwrap();
    dialogue.connection.handle_timeout(due);
    let next = dialogue.connection.poll_timeout().unwrap();
    assert!(next > due, "the timer has been served");
    dialogue.connection.handle_timeout(due);
    dialogue.client_sends(Frame::Heartbeat);
    dialogue.client_is_silent();
}

#[test]
fn a_peer_that_is_silent_for_two_intervals_is_dead() {
    let mut dialogue = every_10_seconds();
    dialogue.advance(Duration::from_millis(19_999));
    dialogue.no_event();
    for _ in 0..3 {
        dialogue.client_sends(Frame::Heartbeat);
    }
    dialogue.advance(Duration::from_millis(1));
    // It would not read a close.
    dialogue.client_is_silent();
    dialogue
        .ends_with_text("the peer has been silent for 20 s, twice the heartbeat: taken for dead");
}

#[test]
fn a_late_timer_says_how_long_it_was() {
    let mut dialogue = every_10_seconds();
    let late = dialogue.now().after(seconds(33));
    dialogue.connection.handle_timeout(late);
    dialogue.ends(Err(ConnectionError::HeartbeatTimeout { seconds: 33 }));
}

/// Heartbeats, other frames, and even pieces of frames.
#[test]
fn any_octet_is_a_sign_of_life() {
    let mut dialogue = every_10_seconds();
    let mut frame = BytesMut::new();
    on(0, connection::Unblocked {}).encode(&mut frame);
    Frame::Heartbeat.encode(&mut frame);
    for octet in frame {
        dialogue.advance(Duration::from_millis(19_999));
        dialogue.broker_sends_octets(&[octet]);
    }
    dialogue.event(Event::Unblocked);
    dialogue.no_event();
    dialogue.advance(Duration::from_millis(19_999));
    dialogue.no_event();
    dialogue.advance(Duration::from_millis(1));
    dialogue.connection.poll_transmit(Instant::default(), &mut BytesMut::new());
    assert_eq!(
        dialogue.events(),
        [Event::Closed(Err(ConnectionError::HeartbeatTimeout { seconds: 20 }))]
    );
}

#[test]
fn heartbeats_of_the_broker_are_no_events_and_have_no_answer() {
    let mut dialogue = every_10_seconds();
    for _ in 0..3 {
        dialogue.broker_sends(Frame::Heartbeat);
    }
    dialogue.no_event();
    dialogue.client_is_silent();
}

#[test]
fn the_agreed_interval_counts() {
    let config = Config { heartbeat: 60, ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, connection::Tune { heartbeat: 4, ..tune() });
    dialogue.advance(seconds(2));
    dialogue.client_sends(Frame::Heartbeat);
    dialogue.advance(seconds(6));
    assert_eq!(
        dialogue.connection.poll_event(),
        Some(Event::Closed(Err(ConnectionError::HeartbeatTimeout { seconds: 8 })))
    );
}

#[test]
fn signs_are_given_while_the_virtual_host_is_opened() {
    let config = Config { heartbeat: 10, ..Config::default() };
    let (mut dialogue, _) = Dialogue::tuned(config, tune());
    dialogue.advance(seconds(5));
    dialogue.client_sends(Frame::Heartbeat);
}

#[test]
fn without_heartbeats_silence_is_endless() {
    let config = Config { heartbeat: 0, ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, connection::Tune { heartbeat: 0, ..tune() });
    assert_eq!(dialogue.connection.poll_timeout(), None);
    dialogue.advance(seconds(1_000_000));
    dialogue.no_event();
    dialogue.client_is_silent();
}

/// The second is the shortest interval there is, and halves of it are no whole seconds.
#[test]
fn the_shortest_interval() {
    let config = Config { heartbeat: 1, ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, tune());
    dialogue.advance(Duration::from_millis(500));
    dialogue.client_sends(Frame::Heartbeat);
    dialogue.advance(Duration::from_millis(1_500));
    assert_eq!(
        dialogue.connection.poll_event(),
        Some(Event::Closed(Err(ConnectionError::HeartbeatTimeout { seconds: 2 })))
    );
}

#[test]
fn no_sign_is_given_while_the_connection_closes() {
    let config = Config { heartbeat: 4, close_timeout: seconds(60), ..Config::default() };
    let mut dialogue = Dialogue::open_with(config, tune());
    dialogue.close();
    dialogue.sent();
    dialogue.advance(seconds(59));
    dialogue.client_is_silent();
    dialogue.no_event();
    dialogue.advance(seconds(1));
    dialogue.ends(Ok(()));
}
