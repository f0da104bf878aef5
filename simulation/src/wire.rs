//! [`Wire`]: what engines and broker say to each other, frame by frame, and what that proves.

use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;
use leveret::broker::{Direction, ObservedFrame};
use leveret_codec::{Frame, Method, ProtocolHeader, ShortStr, basic};

use crate::agenda::{Actor, Process};
use crate::network::LineId;
use crate::requests;

/// A delivery that is not settled.
#[derive(Debug)]
struct Delivery {
    correlation_id: ShortStr,
    redelivered: bool,
}

/// What has gone over the wire.
#[derive(Debug, Default)]
pub struct Wire {
    /// By line, channel and delivery tag.
    deliveries: BTreeMap<(LineId, u16, u64), Delivery>,
    /// Channels that the broker has closed, and that are not agreed to be: what goes out on them is
    /// dropped.
    closed: BTreeSet<(LineId, u16)>,
    /// Replies, by the line that they went out on.
    replies: BTreeSet<(LineId, ShortStr)>,
    /// The correlation-ids of all replies that went out, of each server.
    replied: BTreeMap<Process, BTreeMap<ShortStr, u32>>,
}

/// What follows from frames.
#[derive(Debug, Default)]
pub struct Heard {
    /// Calls whose requests went out to where they are read, with the milliseconds that the broker
    /// keeps them.
    pub requests: Vec<(u32, Option<u64>)>,
    /// What should not be.
    pub violation: Option<String>,
    /// For the story.
    pub frames: Vec<String>,
}

impl Wire {
    /// What an engine hands to its driver: whole frames, after the protocol header.
    pub fn from_engine(
        &mut self,
        process: Process,
        line: LineId,
        octets: &[u8],
        tells: bool,
    ) -> Heard {
        let mut heard = Heard::default();
        let mut publishing = None;
        let mut expiration = None;
        let frames = frames(octets);
        for frame in &frames {
            match frame {
                Frame::Method { channel, method } => match method {
                    Method::BasicPublish(_) => publishing = Some(*channel),
                    Method::ChannelCloseOk(_) => _ = self.closed.remove(&(line, *channel)),
                    Method::BasicAck(basic::Ack { delivery_tag, multiple }) => {
                        for delivery_tag in self.named(line, *channel, *delivery_tag, *multiple) {
                            heard.violation =
                                heard.violation.or(self.acknowledge(line, *channel, delivery_tag));
                        }
                    }
                    Method::BasicReject(basic::Reject { delivery_tag, .. }) => {
                        heard.violation =
                            heard.violation.or(self.reject(line, *channel, *delivery_tag));
                    }
                    _ => {}
                },
                Frame::Header { channel, header } if publishing == Some(*channel) => {
                    let text = header.properties.expiration.as_ref().map(ToString::to_string);
                    expiration = text.and_then(|text| text.parse().ok());
                    if let (Actor::Server(_), Some(id)) =
                        (process.actor, &header.properties.correlation_id)
                    {
                        let id = id.detached();
                        let replied = self.replied.entry(process).or_default();
                        *replied.entry(id.clone()).or_default() += 1;
                        self.replies.insert((line, id));
                    }
                }
                Frame::Body { channel, payload } if publishing == Some(*channel) => {
                    publishing = None;
                    let is_read = !self.closed.contains(&(line, *channel));
                    if matches!(process.actor, Actor::Client(_)) && is_read {
                        let number = requests::number(payload);
                        heard.requests.extend(number.map(|number| (number, expiration)));
                    }
                }
                _ => {}
            }
        }
        if tells {
            heard.frames = told(frames, Direction::FromClient);
        }
        heard
    }

    /// What the broker says: whole frames.
    pub fn from_broker(
        &mut self,
        process: Process,
        line: LineId,
        octets: &[u8],
        tells: bool,
    ) -> Heard {
        let mut heard = Heard::default();
        let mut delivering = None;
        let frames = frames(octets);
        for frame in &frames {
            match frame {
                Frame::Method { channel, method: Method::ChannelClose(_) } => {
                    self.closed.insert((line, *channel));
                }
                Frame::Method { channel, method: Method::BasicDeliver(deliver) }
                    if matches!(process.actor, Actor::Server(_)) =>
                {
                    delivering = Some((*channel, deliver.delivery_tag, deliver.redelivered));
                }
                Frame::Header { channel, header } => {
                    if let Some((on, delivery_tag, redelivered)) = delivering.take()
                        && on == *channel
                    {
                        let correlation_id = header.properties.correlation_id.clone();
                        let correlation_id = correlation_id.unwrap_or_default().detached();
                        let delivery = Delivery { correlation_id, redelivered };
                        self.deliveries.insert((line, *channel, delivery_tag), delivery);
                    }
                }
                _ => {}
            }
        }
        if tells {
            heard.frames = told(frames, Direction::ToClient);
        }
        heard
    }

    /// The deliveries that an acknowledgement names, the last of which has to be there.
    fn named(&self, line: LineId, channel: u16, delivery_tag: u64, multiple: bool) -> Vec<u64> {
        let mut named = Vec::new();
        if multiple {
            let before = (line, channel, 0)..(line, channel, delivery_tag);
            named
                .extend(self.deliveries.range(before).map(|((.., delivery_tag), _)| *delivery_tag));
        }
        named.push(delivery_tag);
        named
    }

    /// Who dies before the acknowledgement has its request go to another server; so the reply has to
    /// go out before it. Of a request that was delivered before, the reply may come later.
    fn acknowledge(&mut self, line: LineId, channel: u16, delivery_tag: u64) -> Option<String> {
        let Some(delivery) = self.deliveries.remove(&(line, channel, delivery_tag)) else {
            return Some(format!("acknowledges delivery {delivery_tag} that it has not"));
        };
        let Delivery { correlation_id, redelivered } = delivery;
        let is_replied = redelivered || self.replies.contains(&(line, correlation_id.clone()));
        (!is_replied).then(|| format!("acknowledges {correlation_id} before it has replied"))
    }

    fn reject(&mut self, line: LineId, channel: u16, delivery_tag: u64) -> Option<String> {
        let rejected = self.deliveries.remove(&(line, channel, delivery_tag));
        rejected.is_none().then(|| format!("rejects delivery {delivery_tag} that it has not"))
    }

    /// How often a server has sent a reply with this correlation-id.
    pub fn replies(&self, process: Process, correlation_id: &ShortStr) -> u32 {
        let replied = self.replied.get(&process).and_then(|replied| replied.get(correlation_id));
        replied.copied().unwrap_or_default()
    }
}

fn frames(octets: &[u8]) -> Vec<Frame> {
    let mut octets = BytesMut::from(octets);
    if ProtocolHeader::decode(&octets).is_some() {
        let _ = octets.split_to(8);
    }
    let mut frames = Vec::new();
    while !octets.is_empty() {
        match Frame::decode(&mut octets, u32::MAX) {
            Ok(Some(frame)) => frames.push(frame),
            other => panic!("no frame was sent: {other:?}"),
        }
    }
    frames
}

fn told(frames: Vec<Frame>, direction: Direction) -> Vec<String> {
    frames.into_iter().map(|frame| ObservedFrame { direction, frame }.to_string()).collect()
}
