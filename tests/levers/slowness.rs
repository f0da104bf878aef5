//! Who is slow is not dead.

use std::time::Duration;

use bytes::BytesMut;
use leveret::broker::Broker;
use leveret::{LongStr, ShortStr};
use leveret_codec::{
    ContentHeader, Frame, ProtocolHeader, Secret, basic, channel, connection, encode_body, queue,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const QUEUE: ShortStr = ShortStr::from_static("queue");
const MESSAGES: usize = 12;
const SIZE: usize = 1 << 20;

/// It beats in time, and the broker does not hear it before it has read some megabytes. In virtual
/// time.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_is_not_given_up() {
    let broker = Broker::builder().tune(10, 131_072, 1).start().await.unwrap();
    let mut stream = broker.connect();
    say(&mut stream, login()).await;
    for _ in 0..MESSAGES {
        say(&mut stream, message()).await;
    }
    for _ in 0..MESSAGES {
        let get = basic::Get { queue: QUEUE, no_ack: true };
        say(&mut stream, encoded([Frame::method(1, get)])).await;
    }
    let mut octets = vec![0; 0x1_0000];
    let mut read = 0;
    while read < MESSAGES * SIZE {
        let length = stream.read(&mut octets).await.unwrap();
        assert!(length > 0, "given up after {read} octets");
        read += length;
        say(&mut stream, encoded([Frame::Heartbeat])).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn say(stream: &mut DuplexStream, octets: BytesMut) {
    stream.write_all(&octets).await.unwrap();
}

fn encoded(frames: impl IntoIterator<Item = Frame>) -> BytesMut {
    let mut octets = BytesMut::new();
    frames.into_iter().for_each(|frame| frame.encode(&mut octets));
    octets
}

/// With channel 1 and the queue.
fn login() -> BytesMut {
    let start_ok = connection::StartOk {
        mechanism: ShortStr::from_static("PLAIN"),
        response: Secret(LongStr::from_static("\0guest\0guest")),
        ..Default::default()
    };
    let tune_ok = connection::TuneOk { channel_max: 10, frame_max: 131_072, heartbeat: 1 };
    let mut octets = BytesMut::new();
    ProtocolHeader::AMQP_0_9_1.encode(&mut octets);
    octets.unsplit(encoded([
        Frame::method(0, start_ok),
        Frame::method(0, tune_ok),
        Frame::method(0, connection::Open { virtual_host: ShortStr::from_static("/") }),
        Frame::method(1, channel::Open {}),
        Frame::method(1, queue::Declare { queue: QUEUE, ..Default::default() }),
    ]));
    octets
}

fn message() -> BytesMut {
    let publish = basic::Publish { routing_key: QUEUE, ..Default::default() };
    let header = ContentHeader { body_size: SIZE as u64, ..Default::default() };
    let mut octets = encoded([Frame::method(1, publish), Frame::Header { channel: 1, header }]);
    encode_body(1, &vec![0; SIZE], 100_000, &mut octets);
    octets
}
