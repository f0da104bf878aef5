//! Frames, methods and channels that are none.

use std::time::Duration;

use leveret::broker::Broker;
use leveret::{ReplyCode, ShortStr};
use leveret_codec::{Frame, Method, basic, channel, connection, queue};

use super::{Verdict, attack_broker, expect, open_channel};
use crate::arena::{Outcome, attack, attack_within, call_through};
use crate::methods;
use crate::octets::{BODY, HEADER, METHOD, announced, body, frames, header, method, payload, raw};

#[test]
fn every_wrong_frame_end() {
    let ends = (0..=u8::MAX).filter(|octet| *octet != 0xce);
    attack_broker(
        "wrong frame-end",
        ends.map(|octet| {
            let mut octets = method(1, basic::Qos::default());
            *octets.last_mut().unwrap() = octet;
            (octets, Verdict::Told(ReplyCode::FRAME_ERROR, "invalid_frame_end_marker"))
        }),
    );
}

#[test]
fn every_unknown_frame_type() {
    let kinds = (0..=u8::MAX).filter(|kind| ![1, 2, 3, 8].contains(kind));
    attack_broker(
        "unknown frame type",
        kinds.map(|kind| {
            let verdict = Verdict::Told(ReplyCode::FRAME_ERROR, "unknown_frame");
            (raw(kind, 1, b"payload"), verdict)
        }),
    );
}

#[test]
fn frames_of_2_gib_are_announced() {
    attack_broker(
        "2 GiB announced",
        [METHOD, HEADER, BODY].map(|kind| {
            let verdict =
                Verdict::Told(ReplyCode::FRAME_ERROR, "frame_too_large,2147483648,131064");
            (announced(kind, 1, 0x8000_0000), verdict)
        }),
    );
}

#[test]
fn a_frame_of_2_gib_is_drip_fed() {
    attack("2 GiB announced and drip-fed", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut wire = open_channel(&broker).await;
        for octet in announced(BODY, 1, 0x8000_0000).into_iter().chain([0; 100]) {
            wire.send_octets(&[octet]).await;
            tokio::task::yield_now().await;
        }
        let close: connection::Close = wire.expect(0).await;
        assert_eq!(close.reply_code, ReplyCode::FRAME_ERROR);
        // It drips on, and nobody listens.
        drop(wire);
        call_through(&broker).await;
        Outcome::told(close.reply_code, close.reply_text)
    });
}

#[test]
fn a_frame_octet_by_octet() {
    attack_within(Duration::from_secs(1), "16 kB of body, octet by octet", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut wire = open_channel(&broker).await;
        let publish = Frame::method(1, basic::Publish { mandatory: true, ..Default::default() });
        wire.send_together([publish, header(1, 0x4000)]).await;
        for octet in raw(BODY, 1, &[0; 0x4000]) {
            wire.send_octets(&[octet]).await;
            tokio::task::yield_now().await;
        }
        let (_, content) = wire.expect_content::<basic::Return>(1).await;
        assert_eq!(content.body.len(), 0x4000);
        wire.close().await;
        call_through(&broker).await;
        Outcome::served()
    });
}

// ---------------------------------------------------------------------- methods

#[test]
fn every_method_truncated_at_every_length() {
    let methods = methods::of_clients_on_channel().into_iter().map(|method| (1, method));
    let on_connection = methods::of_clients_on_connection().into_iter().map(|method| (0, method));
    let mut attacks = Vec::new();
    for (number, method) in methods.chain(on_connection) {
        let payload = payload(&method);
        attacks.extend((0..payload.len()).map(|length| {
            let verdict = Verdict::Told(ReplyCode::FRAME_ERROR, "cannot decode ");
            (raw(METHOD, number, &payload[..length]), verdict)
        }));
    }
    attack_broker("every method truncated at every length", attacks);
}

#[test]
fn every_method_with_an_octet_too_many() {
    let methods = methods::of_clients_on_channel().into_iter();
    attack_broker(
        "every method with an octet too many",
        methods.map(|method| {
            let octets = raw(METHOD, 1, &[&payload(&method)[..], &[0]].concat());
            (octets, Verdict::Told(ReplyCode::FRAME_ERROR, "cannot decode "))
        }),
    );
}

/// RabbitMQ's reader dies over them.
#[test]
fn unknown_classes_and_methods() {
    let unknown: [&[u8]; 5] = [
        b"\x00\x00\x00\x00",
        b"\x00\x14\x00\x63",
        b"\x00\x3c\x01\x01",
        b"\xff\xff\x00\x0a",
        b"\x00\x3c\xff\xff and more",
    ];
    let on = [0, 1].into_iter().flat_map(|number| unknown.map(|payload| (number, payload)));
    attack_broker(
        "unknown class or method",
        on.map(|(number, payload)| (raw(METHOD, number, payload), Verdict::Silence)),
    );
}

#[test]
fn every_method_of_a_broker() {
    let methods: [Method; 8] = [
        queue::DeclareOk::default().into(),
        queue::DeleteOk::default().into(),
        basic::QosOk {}.into(),
        basic::ConsumeOk::default().into(),
        basic::CancelOk::default().into(),
        basic::GetEmpty {}.into(),
        basic::RecoverOk {}.into(),
        channel::OpenOk {}.into(),
    ];
    attack_broker(
        "method that only a broker sends",
        methods.map(|it| {
            (method(1, it), Verdict::Told(ReplyCode::COMMAND_INVALID, "unimplemented method"))
        }),
    );
}

#[test]
fn the_handshake_a_second_time() {
    let again = "unexpected method in connection state running";
    let methods: [Method; 3] = [
        connection::Open { virtual_host: ShortStr::from_static("/") }.into(),
        connection::TuneOk { channel_max: 1, frame_max: 4096, heartbeat: 1 }.into(),
        connection::StartOk::default().into(),
    ];
    attack_broker(
        "handshake a second time",
        methods.map(|it| (method(0, it), Verdict::Told(ReplyCode::CHANNEL_ERROR, again))),
    );
}

// ---------------------------------------------------------------------- channels

#[test]
fn frames_on_channels_that_are_not_open() {
    let not_open = Verdict::Told(ReplyCode::CHANNEL_ERROR, "expected 'channel.open'");
    let no_method = Verdict::Told(ReplyCode::UNEXPECTED_FRAME, "expected method frame");
    let channel_0 = Verdict::Told(ReplyCode::UNEXPECTED_FRAME, "type 3, all octets");
    let closed = |frame| {
        let close = Frame::method(1, channel::Close::default());
        frames([close, frame])
    };
    attack_broker(
        "frame on an unopened channel and on channel 0",
        [
            (method(2, basic::Qos::default()), not_open),
            (method(65535, channel::Close::default()), not_open),
            (frames([header(2, 5)]), no_method),
            (frames([body(2, b"hello")]), no_method),
            (frames([body(0, b"hello")]), channel_0),
        ],
    );
    attack("frame on a closed channel", "broker", async {
        let broker = Broker::start().await.unwrap();
        let mut wire = open_channel(&broker).await;
        wire.send_octets(&closed(Frame::method(1, basic::Qos::default()))).await;
        let channel::CloseOk {} = wire.expect(1).await;
        let outcome = expect(wire, not_open).await;
        call_through(&broker).await;
        outcome
    });
}
