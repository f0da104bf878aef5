//! Brokers that refuse a client, or that it cannot use.

use leveret::SessionError;
use leveret::connection::ConnectionError;
use leveret_codec::{LongStr, ReplyCode, ShortStr, channel, connection};

use super::seen::of_meeting;
use crate::fake::{
    hear, hear_goodbye, start, start_with_capability, tune, until_consume, until_header,
    until_open, until_start_ok,
};
use crate::support::wire::Wire;

#[tokio::test]
async fn the_peer_hangs_up_at_once() {
    let (error, text) = of_meeting(|stream| async { drop(until_header(stream).await) }).await;
    let stage = "before its greeting (connection.start)";
    assert_eq!(error, silent_close(stage));
    assert_eq!(text, silent_close_text(stage));
}

/// As brokers do over a wrong password that know no better, and all over a malformed login.
#[tokio::test]
async fn the_peer_hangs_up_after_the_login() {
    let (error, text) = of_meeting(|stream| async { until_start_ok(stream).await.hang_up() }).await;
    let stage = "after the login (connection.start-ok)";
    assert_eq!(error, silent_close(stage));
    assert_eq!(text, silent_close_text(stage));
}

#[tokio::test]
async fn the_login_is_refused() {
    let (error, text) = of_meeting(|stream| async {
        let wire = until_start_ok(stream).await;
        close(wire, ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - Login was refused", (0, 0)).await;
    })
    .await;
    let refused =
        ConnectionError::LoginRefused { text: "ACCESS_REFUSED - Login was refused".to_owned() };
    assert_eq!(error, refused.into());
    assert_eq!(
        text,
        "BROKER: the broker refused the login of this user: ACCESS_REFUSED - Login was refused"
    );
}

#[tokio::test]
async fn the_virtual_host_is_refused() {
    let (error, text) = of_meeting(|stream| async {
        let wire = until_open(stream).await;
        close(wire, ReplyCode::NOT_ALLOWED, "NOT_ALLOWED - vhost / not found", (10, 40)).await;
    })
    .await;
    let refused = ConnectionError::VirtualHostRefused {
        virtual_host: "/".to_owned(),
        text: "NOT_ALLOWED - vhost / not found".to_owned(),
    };
    assert_eq!(error, refused.into());
    assert_eq!(
        text,
        "BROKER: the broker refused the virtual host \"/\": NOT_ALLOWED - vhost / not found"
    );
}

#[tokio::test]
async fn the_broker_offers_no_login_of_ours() {
    let (error, text) = of_meeting(|stream| async {
        let mut wire = Wire::new(until_header(stream).await);
        let mechanisms = LongStr::from_static("EXTERNAL GSSAPI");
        wire.send(0, connection::Start { mechanisms, ..start() }).await;
        wire.expect_end().await;
    })
    .await;
    let offered = "EXTERNAL GSSAPI".to_owned();
    assert_eq!(error, ConnectionError::NoMechanism { wanted: "PLAIN", offered }.into());
    assert_eq!(
        text,
        "BROKER: the broker offers the login mechanisms \"EXTERNAL GSSAPI\", and not PLAIN"
    );
}

#[tokio::test]
async fn the_broker_leaves_no_room_in_a_frame() {
    let (error, text) = of_meeting(|stream| async {
        let mut wire = until_start_ok(stream).await;
        wire.send(0, connection::Tune { frame_max: 1, ..tune() }).await;
        wire.expect_end().await;
    })
    .await;
    assert_eq!(error, ConnectionError::FrameMaxTooSmall { frame_max: 1 }.into());
    assert_eq!(
        text,
        "BROKER: the smaller frame-max of both sides is 1 octets; AMQP asks for 4096 or more"
    );
}

#[tokio::test]
async fn the_broker_does_not_know_direct_reply_to() {
    let (error, text) = of_meeting(|stream| async {
        let mut wire = Wire::new(until_header(stream).await);
        wire.send(0, start_with_capability("basic.nack")).await;
        hear(&mut wire, 0, "connection.start-ok").await;
        wire.send(0, tune()).await;
        hear(&mut wire, 0, "connection.tune-ok").await;
        hear(&mut wire, 0, "connection.open").await;
        wire.send(0, connection::OpenOk {}).await;
        hear_goodbye(wire).await;
    })
    .await;
    assert_eq!(error, SessionError::NoDirectReplyTo { product: "Fake".to_owned() });
    assert_eq!(
        text,
        "BROKER: the broker (Fake) does not support Direct Reply-to; RabbitMQ 3.6.1 and later do"
    );
}

#[tokio::test]
async fn the_broker_refuses_the_consumer_of_the_replies() {
    let (error, text) = of_meeting(|stream| async {
        let mut wire = until_consume(stream).await;
        wire.send(
            1,
            channel::Close {
                reply_code: ReplyCode::ACCESS_REFUSED,
                reply_text: ShortStr::from_static("ACCESS_REFUSED - no"),
                class_id: 60,
                method_id: 20,
            },
        )
        .await;
        hear(&mut wire, 1, "channel.close-ok").await;
        hear_goodbye(wire).await;
    })
    .await;
    let refused = SessionError::ReplyConsumerRefused {
        code: ReplyCode::ACCESS_REFUSED,
        text: "ACCESS_REFUSED - no".to_owned(),
    };
    assert_eq!(error, refused);
    assert_eq!(
        text,
        "BROKER: the broker refused the consumer of the replies: 403 \
         ACCESS_REFUSED - no"
    );
}

#[tokio::test]
async fn the_broker_breaks_the_protocol() {
    let (error, text) = of_meeting(|stream| async {
        let mut wire = until_open(stream).await;
        wire.send(0, tune()).await;
        let words = "COMMAND_INVALID - connection.tune at the wrong moment or from the wrong side";
        wire.expect_connection_close(ReplyCode::COMMAND_INVALID, words, (0, 0)).await;
    })
    .await;
    let violation = ConnectionError::ProtocolViolation {
        code: ReplyCode::COMMAND_INVALID,
        text: "connection.tune at the wrong moment or from the wrong side".to_owned(),
    };
    assert_eq!(error, violation.into());
    assert_eq!(
        text,
        "BROKER: the peer broke the AMQP protocol (503 COMMAND_INVALID): \
         connection.tune at the wrong moment or from the wrong side"
    );
}

/// Closes the connection, waits for the client's agreement, and for its end.
async fn close(mut wire: Wire, reply_code: ReplyCode, words: &'static str, failed: (u16, u16)) {
    let (class_id, method_id) = failed;
    let reply_text = ShortStr::from_static(words);
    wire.send(0, connection::Close { reply_code, reply_text, class_id, method_id }).await;
    hear(&mut wire, 0, "connection.close-ok").await;
    wire.expect_end().await;
}

fn silent_close(stage: &'static str) -> SessionError {
    ConnectionError::SilentClose { stage }.into()
}

fn silent_close_text(stage: &str) -> String {
    let cause = match stage.split(' ').next() {
        Some("before") => ": it is probably no AMQP 0-9-1 broker",
        Some("after") => ": the credentials are probably wrong",
        _ => "",
    };
    format!("BROKER: the peer closed the connection without a word {stage}{cause}")
}
