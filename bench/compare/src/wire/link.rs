//! A floor's one task: reads, has every piece dealt with, and writes once for each batch that was read.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Input, Piece, Reader, id, method};
use crate::Result;

/// Who deals with what comes, and writes what is to go.
pub(crate) trait Peer {
    fn piece(&mut self, piece: Piece<'_>, output: &mut Output) -> Result;

    /// All that was read has been dealt with. Whether it was enough for good.
    fn batch_ends(&mut self, output: &mut Output) -> Result<Ends>;
}

#[derive(PartialEq, Eq)]
pub(crate) enum Ends {
    No,
    Yes,
}

/// Goes on until the peer has had enough, or `stop` is ready, and closes the connection then. Reads
/// while it cannot write.
pub(crate) async fn exchange(
    mut stream: TcpStream,
    mut output: Output,
    peer: &mut impl Peer,
    stop: impl Future<Output = ()>,
) -> Result {
    let mut input = Input::new();
    let turns = poll_fn(|context| poll_turns(&mut stream, &mut input, &mut output, peer, context));
    tokio::select! {
        biased;
        result = turns => result?,
        () = stop => (),
    }
    // What was begun would be cut off by a frame: it is finished, as far as it goes at once.
    let closed = timeout(Duration::from_secs(5), close(stream, input, output)).await;
    closed.map_err(|_| "the broker does not answer connection.close")?
}

fn poll_turns(
    stream: &mut TcpStream,
    input: &mut Input,
    output: &mut Output,
    peer: &mut impl Peer,
    context: &mut Context<'_>,
) -> Poll<Result> {
    loop {
        // If it cannot write now, it is woken for that as well as for reading.
        if let Poll::Ready(Err(error)) = output.poll_write(stream, context) {
            return Poll::Ready(Err(error));
        }
        let mut room = ReadBuf::new(input.room());
        ready!(Pin::new(&mut *stream).poll_read(context, &mut room))?;
        let count = room.filled().len();
        if count == 0 {
            return Poll::Ready(Err("the broker closed the connection".into()));
        }
        input.filled(count);
        while let Some((_, piece)) = input.next()? {
            peer.piece(piece, output)?;
        }
        if peer.batch_ends(output)? == Ends::Yes {
            return Poll::Ready(Ok(()));
        }
    }
}

async fn close(mut stream: TcpStream, mut input: Input, mut output: Output) -> Result {
    let (mut reader, writer) = stream.split();
    let last_words = async move {
        let writer = writer;
        let stream: &TcpStream = writer.as_ref();
        while !output.is_empty() {
            stream.writable().await?;
            output.try_write(stream)?;
        }
        let mut writer = writer;
        let mut out = Vec::new();
        // 200, no text, and no method that would be to blame.
        method(&mut out, 0, id::CONNECTION_CLOSE, &[0, 200, 0, 0, 0, 0, 0]);
        writer.write_all(&out).await?;
        Ok::<_, crate::Error>(())
    };
    let answer = async move {
        loop {
            while let Some((_, piece)) = input.next()? {
                if let Piece::Method(payload) = piece
                    && Reader(payload).u32()? == id::CONNECTION_CLOSE_OK
                {
                    return Ok(());
                }
            }
            let count = reader.read(input.room()).await?;
            if count == 0 {
                return Ok(());
            }
            input.filled(count);
        }
    };
    tokio::try_join!(last_words, answer)?;
    Ok(())
}

/// What is to be written: octets, and between them the frames of the one large body, which are never
/// copied.
pub(crate) struct Output {
    pub(crate) octets: Vec<u8>,
    written: usize,
    body: Vec<u8>,
    /// Where bodies come, counted in `octets`.
    bodies: VecDeque<usize>,
    written_of_body: usize,
}

impl Output {
    /// Bodies are `body`, which has their frames.
    pub(crate) fn new(body: Vec<u8>) -> Self {
        Self {
            octets: Vec::with_capacity(256 * 1024),
            written: 0,
            body,
            bodies: VecDeque::new(),
            written_of_body: 0,
        }
    }

    /// Appends the body.
    pub(crate) fn body(&mut self) {
        /// To copy less than this costs less than another slice in a write.
        const LARGE: usize = 8 * 1024;
        if self.body.len() < LARGE {
            self.octets.extend_from_slice(&self.body);
        } else {
            self.bodies.push_back(self.octets.len());
        }
    }

    fn is_empty(&self) -> bool {
        self.written == self.octets.len() && self.bodies.is_empty()
    }

    fn poll_write(&mut self, stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<Result> {
        while !self.is_empty() {
            let count = if self.bodies.is_empty() {
                let rest = &self.octets[self.written..];
                ready!(Pin::new(&mut *stream).poll_write(context, rest))?
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let used = self.slices(&mut slices);
                ready!(Pin::new(&mut *stream).poll_write_vectored(context, &slices[..used]))?
            };
            self.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    fn try_write(&mut self, stream: &TcpStream) -> Result {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let used = self.slices(&mut slices);
        match stream.try_write_vectored(&slices[..used]) {
            Ok(count) => self.advance(count),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => (),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// What comes first, as many slices as there is room for.
    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let mut used = 0;
        let mut add = |slice: &'a [u8]| {
            if !slice.is_empty() && used < SLICES {
                slices[used] = IoSlice::new(slice);
                used += 1;
            }
        };
        let (mut written, mut written_of_body) = (self.written, self.written_of_body);
        for body_at in self.bodies.iter().take(SLICES) {
            add(&self.octets[written..*body_at]);
            add(&self.body[written_of_body..]);
            (written, written_of_body) = (*body_at, 0);
        }
        add(&self.octets[written..]);
        used
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let body_at = self.bodies.front().copied();
            let octets = body_at.unwrap_or(self.octets.len()) - self.written;
            let step = octets.min(count);
            self.written += step;
            count -= step;
            if body_at == Some(self.written) {
                let step = (self.body.len() - self.written_of_body).min(count);
                self.written_of_body += step;
                count -= step;
                if self.written_of_body == self.body.len() {
                    self.written_of_body = 0;
                    self.bodies.pop_front();
                }
            }
        }
        if self.is_empty() {
            self.octets.clear();
            self.written = 0;
        }
    }
}

/// In one write.
const SLICES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything, so many octets at once.
    fn written(mut output: Output, at_once: usize) -> Vec<u8> {
        let mut written = Vec::new();
        while !output.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = output.slices(&mut slices);
            let count = slices[..used].iter().map(|slice| slice.len()).sum::<usize>().min(at_once);
            let all = slices[..used].iter().flat_map(|slice| slice.iter().copied());
            written.extend(all.take(count));
            output.advance(count);
        }
        written
    }

    #[test]
    fn bodies_come_where_they_were_put_however_much_is_written_at_once() {
        for body_size in [10, 10_000] {
            let body = vec![b'b'; body_size];
            let filled = || {
                let mut output = Output::new(body.clone());
                for head in [&b"first"[..], b"second", b"third"] {
                    output.octets.extend_from_slice(head);
                    output.body();
                }
                output.octets.extend_from_slice(b"end");
                output
            };
            let expected = [b"first", &*body, b"second", &body, b"third", &body, b"end"].concat();
            for at_once in [1, 3, 9_999, 10_003, usize::MAX] {
                assert!(written(filled(), at_once) == expected, "{body_size}, {at_once} at once");
            }
        }
    }

    #[test]
    fn more_bodies_than_slices_are_written_too() {
        let mut output = Output::new(vec![b'b'; 10_000]);
        for _ in 0..3 * SLICES {
            output.octets.push(b'h');
            output.body();
        }
        assert_eq!(written(output, usize::MAX).len(), 3 * SLICES * 10_001);
    }
}
