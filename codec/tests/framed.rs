//! [`AmqpCodec`] in tokio-util's `Framed`, over a pipe in memory.

use futures_util::{SinkExt, StreamExt};
use leveret_codec::{
    AmqpCodec, Frame, FramedError, Problem, ProtocolHeader, ShortStr, basic, channel,
};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio_util::codec::Framed;

const FRAME_MAX: u32 = 4096;

#[tokio::test]
async fn frames_sent_by_one_end_arrive_at_the_other() {
    let (mut client, mut server) = framed_pipe();
    let frames = [
        Frame::method(1, channel::Open {}),
        Frame::method(1, basic::Consume { queue: short("tasks"), ..Default::default() }),
        Frame::Heartbeat,
        Frame::Body { channel: 1, payload: vec![7; 4088].into() },
    ];
    for frame in &frames {
        client.send(frame.clone()).await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), *frame);
    }
    drop(client);
    assert!(server.next().await.is_none(), "the end of the stream is the end, not an error");
}

/// RabbitMQ refuses a version by its own header, in place of connection.start.
#[tokio::test]
async fn a_protocol_header_in_place_of_the_first_frame_is_a_refused_version() {
    let (mut client, mut server) = framed_pipe();
    server.send(ProtocolHeader { version: [3, 1, 0, 0] }).await.unwrap();
    let error = decode_error(client.next().await);
    assert_eq!(error, Problem::ProtocolHeader(ProtocolHeader { version: [3, 1, 0, 0] }));
}

/// A pipe that holds one octet hands the header over in eight pieces.
#[tokio::test]
async fn a_protocol_header_may_come_in_pieces() {
    let (client, mut server) = duplex(1);
    let mut client = Framed::new(client, AmqpCodec::new(FRAME_MAX));
    let (answer, sent) = tokio::join!(client.next(), server.write_all(b"AMQP\x00\x00\x09\x01"));
    sent.unwrap();
    assert_eq!(decode_error(answer), Problem::ProtocolHeader(ProtocolHeader::AMQP_0_9_1));
}

/// After a frame, `A` is a frame type again, and an unknown one.
#[tokio::test]
async fn a_protocol_header_after_the_first_frame_is_no_header() {
    let (mut client, mut server) = framed_pipe();
    server.send(Frame::Heartbeat).await.unwrap();
    server.send(ProtocolHeader::AMQP_0_9_1).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Frame::Heartbeat);
    assert_eq!(decode_error(client.next().await), Problem::UnknownFrameType { octet: b'A' });
}

/// frame-max counts the eight octets around the payload.
#[tokio::test]
async fn frame_max_counts_the_whole_frame_and_can_be_changed() {
    let (mut client, mut server) = framed_pipe();
    let body = Frame::Body { channel: 1, payload: vec![0; 4089].into() };

    client.codec_mut().set_frame_max(4097);
    server.send(body.clone()).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), body);

    client.codec_mut().set_frame_max(4096);
    server.send(body).await.unwrap();
    let problem = decode_error(client.next().await);
    assert_eq!(problem, Problem::FrameTooLarge { size: 4089, limit: 4088 });
}

#[tokio::test]
async fn a_stream_that_ends_within_a_frame_is_an_error() {
    let (mut client, mut server) = framed_pipe_and_end();
    server.write_all(&[1, 0, 0]).await.unwrap();
    drop(server);
    match client.next().await {
        Some(Err(FramedError::Io(error))) => {
            assert_eq!(error.to_string(), "bytes remaining on stream");
        }
        other => panic!("{other:?}"),
    }
}

fn framed_pipe() -> (Framed<DuplexStream, AmqpCodec>, Framed<DuplexStream, AmqpCodec>) {
    let (client, server) = framed_pipe_and_end();
    (client, Framed::new(server, AmqpCodec::new(FRAME_MAX)))
}

fn framed_pipe_and_end() -> (Framed<DuplexStream, AmqpCodec>, DuplexStream) {
    let (client, server) = duplex(64 * 1024);
    (Framed::new(client, AmqpCodec::new(FRAME_MAX)), server)
}

fn decode_error(item: Option<Result<Frame, FramedError>>) -> Problem {
    match item {
        Some(Err(FramedError::Decode(error))) => error.problem().clone(),
        other => panic!("{other:?}"),
    }
}

fn short(text: &'static str) -> ShortStr {
    ShortStr::from_static(text)
}
