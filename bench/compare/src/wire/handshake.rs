//! From a URI to an open channel, blocking: it is not measured.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::{
    CHANNEL, FRAME_END, FRAME_HEADER_SIZE, FRAME_MAX, METHOD, Reader, id, long_string, method,
    short_string, unexpected,
};
use crate::Result;
use crate::uri::Uri;

/// A connection with one open channel.
pub(crate) struct Connected {
    stream: TcpStream,
}

/// Connects, logs in and opens the channel.
///
/// # Errors
/// Whatever is in the way.
pub(crate) fn connect(uri: &str) -> Result<Connected> {
    let uri = Uri::parse(uri)?;
    let stream = TcpStream::connect((&*uri.host, uri.port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut connected = Connected { stream };

    connected.stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    connected.expect(id::CONNECTION_START)?;

    let mut start_ok = Vec::new();
    // No client properties.
    start_ok.extend_from_slice(&[0; 4]);
    short_string(&mut start_ok, b"PLAIN");
    long_string(&mut start_ok, format!("\0{}\0{}", uri.user, uri.password).as_bytes());
    short_string(&mut start_ok, b"en_US");
    connected.send(0, id::CONNECTION_START_OK, &start_ok)?;

    let tune = connected.expect(id::CONNECTION_TUNE)?;
    let mut tune = Reader(&tune);
    let (channel_max, frame_max) = (tune.u16()?, tune.u32()?);
    if frame_max != 0 && frame_max < FRAME_MAX {
        return Err(format!("the broker takes frames of {frame_max} octets only").into());
    }
    let mut tune_ok = channel_max.to_be_bytes().to_vec();
    tune_ok.extend_from_slice(&FRAME_MAX.to_be_bytes());
    // No heartbeats.
    tune_ok.extend_from_slice(&[0, 0]);
    connected.send(0, id::CONNECTION_TUNE_OK, &tune_ok)?;

    let mut open = Vec::new();
    short_string(&mut open, uri.virtual_host.as_bytes());
    open.extend_from_slice(&[0, 0]);
    connected.call(0, id::CONNECTION_OPEN, &open, id::CONNECTION_OPEN_OK)?;
    connected.call(CHANNEL, id::CHANNEL_OPEN, &[0], id::CHANNEL_OPEN_OK)?;
    Ok(connected)
}

impl Connected {
    /// Sends a method on the channel and waits for its answer.
    pub(crate) fn ask(&mut self, method: u32, arguments: &[u8], answer: u32) -> Result {
        self.call(CHANNEL, method, arguments, answer)?;
        Ok(())
    }

    /// Consumes; tells nobody how the consumer is named, who is the only one.
    pub(crate) fn consume(&mut self, queue: &str, no_ack: bool) -> Result {
        let mut arguments = vec![0, 0];
        short_string(&mut arguments, queue.as_bytes());
        short_string(&mut arguments, b"floor");
        arguments.push(if no_ack { 0b10 } else { 0 });
        // No arguments.
        arguments.extend_from_slice(&[0; 4]);
        self.ask(id::BASIC_CONSUME, &arguments, id::BASIC_CONSUME_OK)
    }

    /// For tokio from now on.
    pub(crate) fn into_stream(self) -> Result<tokio::net::TcpStream> {
        self.stream.set_read_timeout(None)?;
        self.stream.set_nonblocking(true)?;
        Ok(tokio::net::TcpStream::from_std(self.stream)?)
    }

    fn call(&mut self, channel: u16, id: u32, arguments: &[u8], answer: u32) -> Result<Vec<u8>> {
        self.send(channel, id, arguments)?;
        self.expect(answer)
    }

    fn send(&mut self, channel: u16, id: u32, arguments: &[u8]) -> Result {
        let mut out = Vec::new();
        method(&mut out, channel, id, arguments);
        Ok(self.stream.write_all(&out)?)
    }

    /// The arguments of the next method, which has to be this one.
    fn expect(&mut self, id: u32) -> Result<Vec<u8>> {
        let mut header = [0; FRAME_HEADER_SIZE];
        self.stream.read_exact(&mut header)?;
        let mut reader = Reader(&header);
        let (kind, _channel, size) = (reader.u8()?, reader.u16()?, reader.u32()?);
        if kind != METHOD || size > FRAME_MAX {
            return Err("the broker did not answer with a method".into());
        }
        let mut payload = vec![0; size as usize + 1];
        self.stream.read_exact(&mut payload)?;
        if payload.pop() != Some(FRAME_END) {
            return Err("a frame does not end where it is to".into());
        }
        let mut reader = Reader(&payload);
        if reader.u32()? != id {
            return Err(unexpected(&payload).into());
        }
        Ok(reader.0.to_vec())
    }
}
