//! What the broker does with octets and methods that have no place. The checklist has no number
//! for these; a broker inside a test process should know them all the same.

use leveret_codec::{
    BasicProperties, ContentHeader, Frame, Method, ReplyCode, ShortStr, basic, channel, connection,
    queue,
};

use crate::support::broker::Broker;

#[tokio::test]
async fn a_frame_larger_than_agreed_is_501() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    // frame-max is 131072 with the octets around the payload, but 8 more are let through.
    wire.send_octets(&[3, 0, 1, 0x00, 0x02, 0x00, 0x01]).await;
    let text = "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,131073,131064}";
    wire.expect_connection_close(ReplyCode::FRAME_ERROR, text, (0, 0)).await;
}

#[tokio::test]
async fn a_frame_with_another_end_is_501() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.send_octets(b"\x01\x00\x01\x00\x00\x00\x04\x00\x3c\x00\x0b\x00").await;
    let text = "FRAME_ERROR - type 1, all octets = <<0,60,0,11>>: {invalid_frame_end_marker,0}";
    wire.expect_connection_close(ReplyCode::FRAME_ERROR, text, (0, 0)).await;
}

#[tokio::test]
async fn a_frame_of_no_known_type_is_501() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.send_octets(b"\x09\x00\x01\x00\x00\x00\x00\xce").await;
    let text = "FRAME_ERROR - type 9, all octets = <<>>: unknown_frame";
    wire.expect_connection_close(ReplyCode::FRAME_ERROR, text, (0, 0)).await;
}

#[tokio::test]
async fn content_without_its_method_is_505() {
    let text = "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
    expect_505([header(0)], text, (0, 0)).await;
    expect_505([body(b"body")], text, (0, 0)).await;
}

#[tokio::test]
async fn a_method_in_place_of_a_header_is_505() {
    let text = "UNEXPECTED_FRAME - expected content header for class 60, got non content header \
                frame instead";
    expect_505([publish(), qos()], text, (60, 40)).await;
}

#[tokio::test]
async fn a_method_in_place_of_a_body_is_505() {
    let text = "UNEXPECTED_FRAME - expected content body, got non content body frame instead";
    expect_505([publish(), header(1), qos()], text, (60, 40)).await;
    expect_505([publish(), header(1), header(1)], text, (60, 40)).await;
    // Not even the end of the channel has a place there.
    let close = Frame::method(1, channel::Close::default());
    expect_505([publish(), header(1), close], text, (60, 40)).await;
}

#[tokio::test]
async fn fields_that_do_not_decode_are_501() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.send_octets(b"\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x0a\x00\xce").await;
    let text = "FRAME_ERROR - cannot decode <<0>>";
    wire.expect_connection_close(ReplyCode::FRAME_ERROR, text, (60, 10)).await;
}

#[tokio::test]
async fn names_that_are_no_utf_8_are_501_except_where_publish_routes_by_them() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let no_text = ShortStr::new(vec![0xff]).unwrap();
    let mandatory =
        basic::Publish { routing_key: no_text.clone(), mandatory: true, ..Default::default() };
    wire.send_content(1, mandatory, BasicProperties::default(), b"").await;
    let (returned, _) = wire.expect_content::<basic::Return>(1).await;
    assert_eq!(returned.routing_key, no_text);

    wire.send(1, queue::Declare { queue: no_text, ..Default::default() }).await;
    let text = "FRAME_ERROR - Malformed UTF-8 in shortstr";
    wire.expect_connection_close(ReplyCode::FRAME_ERROR, text, (0, 0)).await;
}

#[tokio::test]
async fn an_unknown_method_is_the_end_without_a_word() {
    let broker = Broker::shared().await;
    for method in [b"\x00\x3c\x01\x01", b"\x01\x00\x00\x0a"] {
        let mut wire = broker.channel().await;
        wire.send_octets(&[b"\x01\x00\x01\x00\x00\x00\x04", &method[..], b"\xce"].concat()).await;
        wire.expect_end().await;
    }
}

#[tokio::test]
async fn methods_that_are_the_brokers_own_are_503() {
    let text = "COMMAND_INVALID - unimplemented method";
    expect_hard(basic::QosOk {}, ReplyCode::COMMAND_INVALID, text, (60, 11)).await;
    expect_hard(queue::DeclareOk::default(), ReplyCode::COMMAND_INVALID, text, (50, 11)).await;
}

#[tokio::test]
async fn methods_on_a_channel_that_is_not_open_are_504() {
    let broker = Broker::shared().await;
    let mut wire = broker.connect().await;
    wire.send(1, basic::Qos::default()).await;
    let text = "CHANNEL_ERROR - expected 'channel.open'";
    wire.expect_connection_close(ReplyCode::CHANNEL_ERROR, text, (60, 10)).await;
}

#[tokio::test]
async fn opening_a_channel_twice_is_504() {
    let text = "CHANNEL_ERROR - second 'channel.open' seen";
    expect_hard(channel::Open {}, ReplyCode::CHANNEL_ERROR, text, (20, 10)).await;
}

#[tokio::test]
async fn what_the_broker_does_not_implement_is_540() {
    let code = ReplyCode::NOT_IMPLEMENTED;
    let flow = channel::Flow { active: false };
    expect_hard(flow, code, "NOT_IMPLEMENTED - active=false", (20, 20)).await;
    let qos = basic::Qos { prefetch_size: 1, ..Default::default() };
    expect_hard(qos, code, "NOT_IMPLEMENTED - prefetch_size!=0 (1)", (60, 10)).await;
    let recover = basic::Recover { requeue: false };
    expect_hard(recover, code, "NOT_IMPLEMENTED - requeue=false", (60, 110)).await;

    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let publish = basic::Publish { immediate: true, ..Default::default() };
    wire.send_content(1, publish, BasicProperties::default(), b"").await;
    wire.expect_connection_close(code, "NOT_IMPLEMENTED - immediate=true", (60, 40)).await;
}

#[tokio::test]
async fn a_delivery_mode_that_is_none_is_406_up_to_3_13() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    for (channel, mode) in [(2, 0), (3, 3), (4, 255)] {
        wire.open_channel(channel).await;
        let properties = BasicProperties { delivery_mode: Some(mode), ..Default::default() };
        wire.publish(channel, &ShortStr::from_static("nowhere"), properties, b"").await;
        if broker.at_least(4, 0) {
            wire.expect_silence(channel).await;
            continue;
        }
        let text =
            format!("PRECONDITION_FAILED - invalid message: {{delivery_mode_unknown,{mode}}}");
        let code = ReplyCode::PRECONDITION_FAILED;
        wire.expect_channel_close(channel, code, &text, (60, 40)).await;
    }
    wire.close().await;
}

#[tokio::test]
async fn a_foreign_user_id_is_406() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let properties =
        BasicProperties { user_id: Some(ShortStr::from_static("somebody")), ..Default::default() };
    wire.publish(1, &ShortStr::from_static("nowhere"), properties, b"").await;
    let text = format!(
        "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was '{}'",
        broker.user
    );
    wire.expect_channel_close(1, ReplyCode::PRECONDITION_FAILED, &text, (60, 40)).await;
    wire.close().await;
}

#[tokio::test]
async fn a_connection_method_out_of_place_is_504() {
    let broker = Broker::shared().await;
    let mut wire = broker.connect().await;
    wire.send(0, connection::Open { virtual_host: ShortStr::from_static("/") }).await;
    let text = "CHANNEL_ERROR - unexpected method in connection state running";
    wire.expect_connection_close(ReplyCode::CHANNEL_ERROR, text, (10, 40)).await;
}

async fn expect_505<const N: usize>(frames: [Frame; N], text: &str, failed: (u16, u16)) {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.send_together(frames).await;
    wire.expect_connection_close(ReplyCode::UNEXPECTED_FRAME, text, failed).await;
}

async fn expect_hard(method: impl Into<Method>, code: ReplyCode, text: &str, failed: (u16, u16)) {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    wire.send(1, method).await;
    wire.expect_connection_close(code, text, failed).await;
}

fn publish() -> Frame {
    Frame::method(1, basic::Publish::default())
}

fn header(body_size: u64) -> Frame {
    let header = ContentHeader { body_size, properties: BasicProperties::default() };
    Frame::Header { channel: 1, header }
}

fn body(octets: &'static [u8]) -> Frame {
    Frame::Body { channel: 1, payload: bytes::Bytes::from_static(octets) }
}

fn qos() -> Frame {
    Frame::method(1, basic::Qos::default())
}
