//! Numbers: what has passed over a connection, counted from the heads of its frames, and what the
//! broker holds.

/// What a broker has done, and what it holds.
///
/// Frames and messages count when their first octets pass the socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerStats {
    /// Connections that there ever were, without refused ones.
    pub connections_accepted: u64,
    /// Connections that there are.
    pub connections_open: usize,
    /// Frames that came from clients.
    pub frames_received: u64,
    /// Frames that went to clients.
    pub frames_sent: u64,
    /// Octets that came from clients.
    pub octets_received: u64,
    /// Octets that went to clients.
    pub octets_sent: u64,
    /// `basic.publish`es that came.
    pub published: u64,
    /// `basic.deliver`s and `basic.get-ok`s that went out.
    pub delivered: u64,
    /// `basic.return`s that went out.
    pub returned: u64,
    /// `basic.ack`s that came: one for `multiple` deliveries counts once.
    pub acknowledged: u64,
    /// Queues that there are.
    pub queues: usize,
    /// Messages that wait in queues.
    pub ready: usize,
    /// Messages that were delivered and await their acknowledgement.
    pub unacknowledged: usize,
}

/// What a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Messages that wait to be delivered.
    pub ready: usize,
    /// Messages that were delivered and await their acknowledgement.
    pub unacknowledged: usize,
    /// Consumers.
    pub consumers: usize,
}

/// What has passed over one connection in one direction, or over many.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) octets: u64,
    pub(super) frames: u64,
    pub(super) published: u64,
    pub(super) delivered: u64,
    pub(super) returned: u64,
    pub(super) acknowledged: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        let sums = [
            (&mut self.octets, other.octets),
            (&mut self.frames, other.frames),
            (&mut self.published, other.published),
            (&mut self.delivered, other.delivered),
            (&mut self.returned, other.returned),
            (&mut self.acknowledged, other.acknowledged),
        ];
        for (sum, summand) in sums {
            *sum = sum.saturating_add(summand);
        }
    }

    fn method(&mut self, class: u16, method: u16) {
        let count = match (class, method) {
            (60, 40) => &mut self.published,
            (60, 50) => &mut self.returned,
            (60, 60 | 71) => &mut self.delivered,
            (60, 80) => &mut self.acknowledged,
            _ => return,
        };
        *count = count.saturating_add(1);
    }
}

/// Counts what passes in one direction. It looks at the heads of frames and skips the rest, so it
/// costs next to nothing.
#[derive(Debug, Default)]
pub(super) struct Counter {
    pub(super) counts: Counts,
    /// What there is of the next head.
    head: Vec<u8>,
    /// Octets to the end of the frame.
    skip: u64,
    /// These are no frames.
    lost: bool,
}

/// Kind, channel and size.
const HEAD: usize = 7;

impl Counter {
    pub(super) fn pass(&mut self, mut octets: &[u8]) {
        self.counts.octets = self.counts.octets.saturating_add(length(octets.len()));
        while !self.lost && !octets.is_empty() {
            let skipped = octets.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.skip = self.skip.saturating_sub(length(skipped));
            let (_, rest) = octets.split_at_checked(skipped).unwrap_or_default();
            let missing = self.needs().saturating_sub(self.head.len()).min(rest.len());
            let (head, rest) = rest.split_at_checked(missing).unwrap_or_default();
            self.head.extend_from_slice(head);
            octets = rest;
            if self.head.len() == self.needs() {
                self.head_is_whole();
            }
        }
    }

    /// How long the head is, as far as it shows: with the ids for a method, and eight octets for
    /// a protocol header.
    fn needs(&self) -> usize {
        match *self.head.as_slice() {
            [b'A', ..] => 8,
            [1, _, _, 0, 0, 0, 0..4, ..] => HEAD,
            [1, _, _, _, _, _, _, ..] => HEAD.saturating_add(4),
            _ => HEAD,
        }
    }

    fn head_is_whole(&mut self) {
        match *self.head.as_slice() {
            [b'A', ..] => {}
            [1 | 2 | 3 | 8, _, _, s0, s1, s2, s3, ref ids @ ..] => {
                self.counts.frames = self.counts.frames.saturating_add(1);
                if let [c0, c1, m0, m1] = *ids {
                    let (class, method) =
                        (u16::from_be_bytes([c0, c1]), u16::from_be_bytes([m0, m1]));
                    self.counts.method(class, method);
                }
                let payload = u64::from(u32::from_be_bytes([s0, s1, s2, s3]));
                self.skip = payload.saturating_add(1).saturating_sub(length(ids.len()));
            }
            _ => self.lost = true,
        }
        self.head.clear();
    }
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use leveret_codec::{BasicProperties, Frame, ProtocolHeader, basic};

    use super::*;
    use crate::testing;

    /// A header, a publish of two frames' body, an ack, a method without fields and a heartbeat.
    fn octets() -> BytesMut {
        let mut octets = BytesMut::new();
        ProtocolHeader::AMQP_0_9_1.encode(&mut octets);
        let publish = basic::Publish::default();
        for frame in testing::message(1, publish, &BasicProperties::default(), b"\x01\x02AMQP") {
            frame.encode(&mut octets);
        }
        testing::on(1, basic::Ack { delivery_tag: 1, multiple: true }).encode(&mut octets);
        testing::on(1, basic::GetEmpty {}).encode(&mut octets);
        Frame::Heartbeat.encode(&mut octets);
        octets
    }

    #[test]
    fn however_the_octets_are_cut_the_count_is_the_same() {
        let octets = octets();
        for size in 1..=octets.len() {
            let mut counter = Counter::default();
            octets.chunks(size).for_each(|piece| counter.pass(piece));
            let Counts { octets: passed, frames, published, acknowledged, .. } = counter.counts;
            let found = (passed, frames, published, acknowledged);
            assert_eq!(found, (octets.len() as u64, 6, 1, 1), "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_frame_ends_the_count_of_frames() {
        let mut counter = Counter::default();
        counter.pass(b"GET / HTTP/1.1\r\n\r\n");
        counter.pass(&octets());
        assert_eq!(counter.counts.frames, 0);
        assert_eq!(counter.counts.octets, 18 + octets().len() as u64);
    }
}
