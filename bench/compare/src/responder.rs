//! The null responder: a broker and a server in one, as far as clients are concerned that call. Each
//! connection has a thread, which reads, answers and writes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use clap::Args;

use crate::Result;
use crate::wire::{
    self, FRAME_HEADER_SIZE, FRAME_MAX, Header, Input, Piece, Reader, id, long_string,
    short_string, unexpected,
};

#[derive(Args)]
pub(crate) struct Options {
    /// 0 is any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Prints its URI, and answers until it is killed.
pub(crate) fn run(options: &Options) -> Result {
    let listener = TcpListener::bind(("127.0.0.1", options.port))?;
    println!("amqp://guest:guest@{}/%2f", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) =
                (Connection { channels: Vec::new(), is_closed: false }).serve(stream)
            {
                eprintln!("leveret-bench: null responder: {error}");
            }
        });
    }
    Ok(())
}

struct Connection {
    channels: Vec<Channel>,
    is_closed: bool,
}

#[derive(Default)]
struct Channel {
    /// The consumer's basic.deliver, and where the delivery tag is in it.
    deliver: Option<(Vec<u8>, usize)>,
    delivery_tag: u64,
    content: Content,
}

/// What is to come next.
#[derive(Default)]
enum Content {
    #[default]
    None,
    Header,
    Body {
        left: u64,
    },
}

impl Connection {
    fn serve(&mut self, mut stream: TcpStream) -> Result {
        stream.set_nodelay(true)?;
        let mut protocol = [0; 8];
        stream.read_exact(&mut protocol)?;
        if protocol != *b"AMQP\x00\x00\x09\x01" {
            return Err("the peer speaks another protocol".into());
        }
        let mut out = Vec::with_capacity(1024 * 1024);
        start(&mut out);
        let mut input = Input::new();
        while !self.is_closed {
            stream.write_all(&out)?;
            out.clear();
            let count = stream.read(input.room())?;
            if count == 0 {
                break;
            }
            input.filled(count);
            while let Some((channel, piece)) = input.next()? {
                self.piece(channel, piece, &mut out)?;
            }
        }
        Ok(stream.write_all(&out)?)
    }

    fn piece(&mut self, number: u16, piece: Piece<'_>, out: &mut Vec<u8>) -> Result {
        if self.channels.len() <= usize::from(number) {
            self.channels.resize_with(usize::from(number) + 1, Channel::default);
        }
        let channel = &mut self.channels[usize::from(number)];
        match (&mut channel.content, piece) {
            (Content::None, Piece::Method(payload)) => return self.method(number, payload, out),
            (Content::Header, Piece::Header(payload)) => {
                let Header { body_size, correlation_id, .. } = Header::parse(payload)?;
                channel.deliver(out)?;
                wire::header(out, number, body_size, correlation_id, None);
                channel.content = match body_size {
                    0 => Content::None,
                    left => Content::Body { left },
                };
            }
            (Content::Body { left }, Piece::Body { octets, ended }) => {
                // Its channel is the same, and so the frame is.
                out.extend_from_slice(octets);
                if let Some(size) = ended {
                    *left = left.checked_sub(size as u64).ok_or("a body is too long")?;
                    if *left == 0 {
                        channel.content = Content::None;
                    }
                }
            }
            _ => return Err("a frame out of order".into()),
        }
        Ok(())
    }

    fn method(&mut self, number: u16, payload: &[u8], out: &mut Vec<u8>) -> Result {
        let channel = &mut self.channels[usize::from(number)];
        let mut reader = Reader(payload);
        let mut answer = |id, arguments: &[u8]| wire::method(out, number, id, arguments);
        match reader.u32()? {
            id::BASIC_PUBLISH => channel.content = Content::Header,
            id::CONNECTION_START_OK => {
                let mut tune = 2047_u16.to_be_bytes().to_vec();
                tune.extend_from_slice(&FRAME_MAX.to_be_bytes());
                // No heartbeats.
                tune.extend_from_slice(&[0, 0]);
                answer(id::CONNECTION_TUNE, &tune);
            }
            id::CONNECTION_TUNE_OK | id::CHANNEL_CLOSE_OK => (),
            id::CONNECTION_OPEN => answer(id::CONNECTION_OPEN_OK, &[0]),
            id::CONNECTION_CLOSE => {
                answer(id::CONNECTION_CLOSE_OK, &[]);
                self.is_closed = true;
            }
            id::CHANNEL_OPEN => answer(id::CHANNEL_OPEN_OK, &[0; 4]),
            id::CHANNEL_CLOSE => {
                answer(id::CHANNEL_CLOSE_OK, &[]);
                *channel = Channel::default();
            }
            id::BASIC_QOS => answer(id::BASIC_QOS_OK, &[]),
            id::BASIC_CONSUME => {
                reader.take(2)?;
                let _queue = reader.short_string()?;
                let consumer_tag = match reader.short_string()? {
                    b"" => b"null",
                    given => given,
                };
                let no_wait = reader.u8()? & 0b1000 != 0;
                channel.consume(number, consumer_tag);
                if !no_wait {
                    let mut arguments = Vec::new();
                    short_string(&mut arguments, consumer_tag);
                    answer(id::BASIC_CONSUME_OK, &arguments);
                }
            }
            id::BASIC_CANCEL => {
                let consumer_tag = reader.short_string()?;
                let no_wait = reader.u8()? & 1 != 0;
                channel.deliver = None;
                if !no_wait {
                    let mut arguments = Vec::new();
                    short_string(&mut arguments, consumer_tag);
                    answer(id::BASIC_CANCEL_OK, &arguments);
                }
            }
            _ => return Err(unexpected(payload).into()),
        }
        Ok(())
    }
}

impl Channel {
    fn consume(&mut self, number: u16, consumer_tag: &[u8]) {
        let mut arguments = Vec::new();
        short_string(&mut arguments, consumer_tag);
        let delivery_tag_at = arguments.len() + FRAME_HEADER_SIZE + size_of::<u32>();
        arguments.extend_from_slice(&[0; 8]);
        // Not redelivered, by the default exchange.
        arguments.extend_from_slice(&[0, 0]);
        short_string(&mut arguments, b"amq.rabbitmq.reply-to.null");
        let mut deliver = Vec::new();
        wire::method(&mut deliver, number, id::BASIC_DELIVER, &arguments);
        self.deliver = Some((deliver, delivery_tag_at));
    }

    fn deliver(&mut self, out: &mut Vec<u8>) -> Result {
        let (deliver, delivery_tag_at) =
            self.deliver.as_ref().ok_or("a request without consumer")?;
        self.delivery_tag += 1;
        let at = out.len() + delivery_tag_at;
        out.extend_from_slice(deliver);
        out[at..at + 8].copy_from_slice(&self.delivery_tag.to_be_bytes());
        Ok(())
    }
}

/// Appends connection.start.
fn start(out: &mut Vec<u8>) {
    let mut capabilities = Vec::new();
    for name in ["basic.nack", "connection.blocked", "consumer_cancel_notify", "direct_reply_to"] {
        short_string(&mut capabilities, name.as_bytes());
        capabilities.extend_from_slice(b"t\x01");
    }
    let mut properties = Vec::new();
    short_string(&mut properties, b"capabilities");
    properties.push(b'F');
    long_string(&mut properties, &capabilities);
    short_string(&mut properties, b"product");
    properties.push(b'S');
    long_string(&mut properties, b"null responder");

    // The version of the protocol.
    let mut arguments = vec![0, 9];
    long_string(&mut arguments, &properties);
    long_string(&mut arguments, b"PLAIN AMQPLAIN");
    long_string(&mut arguments, b"en_US");
    wire::method(out, 0, id::CONNECTION_START, &arguments);
}
