//! What was read, frame by frame; of bodies as much as there is.

use super::{BODY, FRAME_END, FRAME_HEADER_SIZE, FRAME_MAX, HEADER, HEARTBEAT, METHOD};
use crate::Result;

/// Octets that are read at once.
const CAPACITY: usize = 512 * 1024;

pub(crate) struct Input {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Of the body frame that has begun: the octets that are to come, its last one included.
    left: usize,
    /// Its payload.
    size: usize,
    channel: u16,
}

pub(crate) enum Piece<'a> {
    /// The payload.
    Method(&'a [u8]),
    /// The payload.
    Header(&'a [u8]),
    Body {
        /// A part of a frame, or all of it, as it came: with what is around the payload.
        octets: &'a [u8],
        /// How many octets of the body were in the frame, if it ends here.
        ended: Option<usize>,
    },
}

impl Input {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; CAPACITY].into(), start: 0, end: 0, left: 0, size: 0, channel: 0 }
    }

    /// Where to read to. It has room once all pieces were taken.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.start < FRAME_MAX as usize {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.buffer[self.end..]
    }

    /// So much was read.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end += count;
    }

    /// The next piece and its channel, if it is there.
    pub(crate) fn next(&mut self) -> Result<Option<(u16, Piece<'_>)>> {
        loop {
            if self.left > 0 {
                return self.more_of_body();
            }
            let Some(header) = self.buffer[self.start..self.end].first_chunk::<FRAME_HEADER_SIZE>()
            else {
                return Ok(None);
            };
            let [kind, c0, c1, s0, s1, s2, s3] = *header;
            let channel = u16::from_be_bytes([c0, c1]);
            let size = u32::from_be_bytes([s0, s1, s2, s3]) as usize;
            let whole = FRAME_HEADER_SIZE + size + 1;
            if whole > FRAME_MAX as usize {
                return Err(format!("a frame of {whole} octets").into());
            }
            let is_whole = self.end - self.start >= whole;
            if is_whole && self.buffer[self.start + whole - 1] != FRAME_END {
                return Err("a frame does not end where it is to".into());
            }
            if kind == BODY {
                (self.left, self.size, self.channel) = (whole, size, channel);
                return self.more_of_body();
            }
            if !is_whole {
                return Ok(None);
            }
            let payload = self.start + FRAME_HEADER_SIZE..self.start + whole - 1;
            self.start += whole;
            match kind {
                METHOD => return Ok(Some((channel, Piece::Method(&self.buffer[payload])))),
                HEADER => return Ok(Some((channel, Piece::Header(&self.buffer[payload])))),
                HEARTBEAT => (),
                _ => return Err(format!("a frame of type {kind}").into()),
            }
        }
    }

    fn more_of_body(&mut self) -> Result<Option<(u16, Piece<'_>)>> {
        let octets = &self.buffer[self.start..self.end];
        let octets = &octets[..octets.len().min(self.left)];
        self.start += octets.len();
        self.left -= octets.len();
        let ended = (self.left == 0).then_some(self.size);
        match octets.last() {
            None => Ok(None),
            Some(last) if self.left == 0 && *last != FRAME_END => {
                Err("a frame does not end where it is to".into())
            }
            Some(_) => Ok(Some((self.channel, Piece::Body { octets, ended }))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{body, header, id, method};

    /// The pieces, with the parts of a body's frame put together.
    fn pieces(octets: &[u8], at_once: usize) -> Result<Vec<Vec<u8>>> {
        let (mut input, mut pieces, mut part) = (Input::new(), Vec::new(), Vec::new());
        for octets in octets.chunks(at_once) {
            input.room()[..octets.len()].copy_from_slice(octets);
            input.filled(octets.len());
            while let Some((_, piece)) = input.next()? {
                match piece {
                    Piece::Method(payload) | Piece::Header(payload) => {
                        pieces.push(payload.to_vec());
                    }
                    Piece::Body { octets, ended } => {
                        part.extend_from_slice(octets);
                        if let Some(size) = ended {
                            assert_eq!(part.len(), FRAME_HEADER_SIZE + size + 1);
                            pieces.push(std::mem::take(&mut part));
                        }
                    }
                }
            }
        }
        assert!(part.is_empty());
        Ok(pieces)
    }

    fn message(body_size: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        method(&mut octets, 1, id::BASIC_DELIVER, b"arguments");
        header(&mut octets, 1, body_size as u64, b"4711", Some(b"reply"));
        body(&mut octets, body_size);
        octets
    }

    #[test]
    fn the_pieces_are_the_same_however_they_come() {
        let octets = [message(0), message(10), message(300_000), message(1)].concat();
        let expected = pieces(&octets, 65_536).unwrap();
        // Three frames for the largest.
        assert_eq!(expected.len(), 4 * 2 + 1 + 3 + 1);
        for at_once in [1, 2, 7, 8, 1_000, 131_072, 200_000] {
            assert_eq!(pieces(&octets, at_once).unwrap(), expected, "{at_once} at once");
        }
    }

    #[test]
    fn a_frame_has_to_end_where_it_says() {
        for body_size in [0, 10] {
            let mut octets = message(body_size);
            *octets.last_mut().unwrap() = 0;
            for at_once in [1, octets.len()] {
                assert!(pieces(&octets, at_once).is_err());
            }
        }
    }
}
