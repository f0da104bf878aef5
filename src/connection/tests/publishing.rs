//! Messages that we send: frames as large as was agreed on and no larger.

use super::*;

fn publish() -> basic::Publish {
    basic::Publish {
        exchange: ShortStr::EMPTY,
        routing_key: ShortStr::from_static("rpc"),
        mandatory: true,
        immediate: false,
    }
}

fn properties() -> BasicProperties {
    BasicProperties { delivery_mode: Some(1), ..BasicProperties::default() }
}

fn with_frame_max(frame_max: u32) -> Dialogue {
    let tune = connection::Tune { frame_max, ..dialogue::tune() };
    let mut dialogue = Dialogue::open_with(Config::default(), tune);
    dialogue.open_channel(1);
    dialogue
}

/// Publishes a body of `size` octets and expects it in frames of these sizes.
#[track_caller]
fn assert_split(frame_max: u32, size: usize, pieces: &[usize]) {
    let mut dialogue = with_frame_max(frame_max);
    let body: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
    dialogue.connection.publish(1, &publish(), &properties(), &body).unwrap();

    dialogue.client_sends(on(1, publish()));
    let header = ContentHeader { body_size: size as u64, properties: properties() };
    dialogue.client_sends(Frame::Header { channel: 1, header });
    let mut rest = &body[..];
    for piece in pieces {
        let (piece, after) = rest.split_at(*piece);
        dialogue.client_sends(Frame::Body { channel: 1, payload: Bytes::copy_from_slice(piece) });
        rest = after;
    }
    assert_eq!(rest, b"");
    dialogue.client_is_silent();
}

#[test]
fn a_body_is_split_to_frame_max() {
    assert_split(4096, 1, &[1]);
    assert_split(4096, 4087, &[4087]);
    assert_split(4096, 4088, &[4088]);
    assert_split(4096, 4089, &[4088, 1]);
    assert_split(4096, 2 * 4088, &[4088, 4088]);
    assert_split(4096, 5 * 4088 + 17, &[4088, 4088, 4088, 4088, 4088, 17]);
    assert_split(131_072, 131_064, &[131_064]);
    assert_split(131_072, 131_065, &[131_064, 1]);
}

#[test]
fn an_empty_body_has_no_frame() {
    assert_split(4096, 0, &[]);
}

#[test]
fn a_message_to_the_octet() {
    let mut dialogue = Dialogue::with_channels(1);
    dialogue.connection.publish(1, &publish(), &properties(), b"hi").unwrap();
    dialogue.client_sends_octets(
        b"\x01\x00\x01\x00\x00\x00\x0c\x00\x3c\x00\x28\x00\x00\x00\x03rpc\x01\xce\
          \x02\x00\x01\x00\x00\x00\x0f\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x10\x00\x01\xce\
          \x03\x00\x01\x00\x00\x00\x02hi\xce",
    );
    dialogue.client_is_silent();
}

/// Properties whose header frame has exactly `size` octets.
fn properties_of(size: usize) -> BasicProperties {
    // 8 around the frame, 14 before the properties, 4 of the table's length, 7 around its value.
    let value = "x".repeat(size - 8 - 14 - 4 - 7);
    let mut headers = FieldTable::new();
    headers.insert("h", LongStr::try_from(value).unwrap()).unwrap();
    BasicProperties { headers: Some(headers), ..BasicProperties::default() }
}

#[test]
fn a_header_of_frame_max_is_sent_and_a_larger_one_is_misuse() {
    let mut dialogue = with_frame_max(4096);
    dialogue.connection.publish(1, &publish(), &properties_of(4096), b"").unwrap();
    dialogue.client_sends(on(1, publish()));
    let header = ContentHeader { body_size: 0, properties: properties_of(4096) };
    dialogue.client_sends(Frame::Header { channel: 1, header });

    let result = dialogue.connection.publish(1, &publish(), &properties_of(4097), b"body");
    assert_eq!(result, Err(Misuse::FrameTooLarge { size: 4097, frame_max: 4096 }));
    dialogue.client_is_silent();

    // Nor does it take anything along that was waiting before, or spoil what comes after.
    dialogue.connection.send(1, basic::Qos::default()).unwrap();
    dialogue.connection.publish(1, &publish(), &properties_of(4097), b"body").unwrap_err();
    dialogue.connection.publish(1, &publish(), &properties(), b"").unwrap();
    dialogue.client_sends(on(1, basic::Qos::default()));
    dialogue.client_sends(on(1, publish()));
    let header = ContentHeader { body_size: 0, properties: properties() };
    dialogue.client_sends(Frame::Header { channel: 1, header });
    dialogue.client_is_silent();
}

#[test]
fn a_method_beyond_frame_max_is_misuse() {
    let mut arguments = FieldTable::new();
    arguments.insert("h", LongStr::try_from("x".repeat(5000)).unwrap()).unwrap();
    let declare = queue::Declare { arguments, ..queue::Declare::default() };
    let mut dialogue = with_frame_max(4096);
    let error = dialogue.connection.send(1, declare).unwrap_err();
    assert!(matches!(error, Misuse::FrameTooLarge { frame_max: 4096, .. }));
    dialogue.client_is_silent();

    let new_secret = Secret(LongStr::try_from("x".repeat(5000)).unwrap());
    let error = dialogue.connection.update_secret(new_secret, ShortStr::EMPTY).unwrap_err();
    assert!(matches!(error, Misuse::FrameTooLarge { frame_max: 4096, .. }));
    dialogue.client_is_silent();
    dialogue.no_event();
}

#[test]
fn misuse_says_what_is_wrong() {
    for (misuse, text) in [
        (Misuse::NotOpen, "the connection is not open"),
        (Misuse::ChannelNotOpen(7), "channel 7 is not open"),
        (Misuse::NoFreeChannel(2047), "all 2047 channels of the connection are in use"),
        (
            Misuse::FrameTooLarge { size: 5000, frame_max: 4096 },
            "5000 octets of headers or arguments do not fit into a frame of 4096",
        ),
    ] {
        assert_eq!(misuse.to_string(), text);
    }
}

#[test]
fn new_credentials_during_the_connection() {
    let mut dialogue = Dialogue::open();
    let new_secret = Secret(LongStr::from_static("token"));
    let reason = ShortStr::from_static("expires");
    dialogue.connection.update_secret(new_secret.clone(), reason.clone()).unwrap();
    dialogue.client_sends(on(0, connection::UpdateSecret { new_secret, reason }));
    dialogue.no_event();
    dialogue.broker_sends(on(0, connection::UpdateSecretOk {}));
    dialogue.event(Event::SecretUpdated);
    dialogue.no_event();
    dialogue.client_is_silent();
}

#[test]
fn the_broker_has_an_alarm() {
    let mut dialogue = Dialogue::with_channels(1);
    let reason = ShortStr::from_static("low on memory");
    dialogue.broker_sends(on(0, connection::Blocked { reason }));
    dialogue.event(Event::Blocked { reason: "low on memory".to_owned() });
    dialogue.broker_sends(on(0, connection::Unblocked {}));
    dialogue.event(Event::Unblocked);
    dialogue.no_event();
    dialogue.client_is_silent();
}

/// What is sent is moved, behind what the caller has not written yet.
#[test]
fn transmission_appends() {
    let mut connection = Connection::new(Config::default(), Instant::default());
    assert_eq!(connection.transmit_len(), 8);
    let mut out = BytesMut::from(&b"before "[..]);
    connection.poll_transmit(Instant::default(), &mut out);
    connection.poll_transmit(Instant::default(), &mut out);
    assert_eq!(out, b"before AMQP\x00\x00\x09\x01"[..]);
    assert_eq!(connection.transmit_len(), 0);
}
