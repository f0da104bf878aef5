//! Frames both ways against a codec that nobody here wrote: `amq-protocol`, lapin's.
//!
//! What Leveret makes, it has to understand; what it makes of that, Leveret has to understand the
//! same. What Leveret refuses, it has to refuse. They may differ in what stands here, and in
//! nothing else:
//!
//! - It sorts tables by name, and of two fields of one name keeps the last.
//! - It takes short strings that are UTF-8, and no others.
//! - It knows methods that Leveret does not: those of exchanges, transactions and access.
//! - It drops what RabbitMQ takes one value of only, and says so itself: `prefetch-size` is 0.
//! - It sets no limit to depth and size. Octets that Leveret refuses are so given to it in small
//!   amounts: deep tables overflow its stack.

use std::collections::BTreeMap;

use amq_protocol::frame::{AMQPFrame, gen_frame, parse_frame};
use bytes::BytesMut;
use leveret_codec::{
    BasicProperties, DecodeError, FieldArray, FieldTable, FieldValue, Frame, Method, Problem,
    ShortStr,
};

use crate::script::Script;

/// Either a frame made of the octets, or the octets as a frame.
pub fn check(octets: &[u8]) {
    let mut script = Script::new(octets);
    if script.small() & 1 == 0 {
        if let Some(frame) = script.value::<Frame>() {
            let mut octets = BytesMut::new();
            frame.encode(&mut octets);
            understood(&frame, &octets);
        }
        return;
    }
    let octets = script.rest();
    let mut rest = BytesMut::from(octets);
    match Frame::decode(&mut rest, MAX_PAYLOAD) {
        Ok(Some(frame)) => understood(&frame, &octets[..octets.len() - rest.len()]),
        Ok(None) => assert!(octets.len() > SMALL || theirs(octets).is_none()),
        Err(error) => refused(&error, octets),
    }
}

const MAX_PAYLOAD: u32 = 0x1_0000;

/// Octets that cannot nest deeper than its stack takes.
const SMALL: usize = 1024;

/// The other codec's frame, if it takes the octets as one.
fn theirs(octets: &[u8]) -> Option<(usize, AMQPFrame)> {
    let (rest, frame) = parse_frame(octets).ok()?;
    Some((rest.len(), frame))
}

/// It reads the same from the octets, and Leveret the same from what it writes then.
fn understood(frame: &Frame, octets: &[u8]) {
    let Some((rest, theirs)) = theirs(octets) else {
        assert!(!is_text(frame), "it does not understand {frame:?}");
        return;
    };
    assert_eq!(rest, 0, "it leaves octets of {frame:?}");
    assert_eq!(theirs.channel_id(), channel(frame));
    let written = gen_frame(&theirs)(Vec::new().into()).expect("memory takes everything");
    let mut written = BytesMut::from(&written.into_inner().0[..]);
    let again = Frame::decode(&mut written, u32::MAX);
    assert!(written.is_empty());
    assert_eq!(again.map(|again| again.map(sorted)), Ok(Some(sorted(frame.clone()))));
}

fn refused(error: &DecodeError, octets: &[u8]) {
    let relaxed = match error.problem() {
        Problem::UnknownMethod { class, .. } => [30, 40, 90].contains(class),
        Problem::NoContent { .. } | Problem::TooDeep { .. } | Problem::FrameTooLarge { .. } => true,
        Problem::BadHeartbeat => true,
        _ => octets.len() > SMALL || octets.starts_with(b"A"),
    };
    assert!(relaxed || theirs(octets).is_none(), "it takes what Leveret refuses: {error}");
}

fn channel(frame: &Frame) -> u16 {
    match frame {
        Frame::Method { channel, .. }
        | Frame::Header { channel, .. }
        | Frame::Body { channel, .. } => *channel,
        Frame::Heartbeat => 0,
    }
}

// ---------------------------------------------------------------------- what may differ

/// Whether all its short strings are UTF-8: what `Debug` would have to escape is not, mostly.
fn is_text(frame: &Frame) -> bool {
    !format!("{frame:?}").contains("\\x")
}

fn sorted(mut frame: Frame) -> Frame {
    if let Some(table) = table(&mut frame) {
        *table = sorted_table(table);
    }
    if let Frame::Method { method: Method::BasicQos(qos), .. } = &mut frame {
        qos.prefetch_size = 0;
    }
    frame
}

fn table(frame: &mut Frame) -> Option<&mut FieldTable> {
    match frame {
        Frame::Header { header, .. } => {
            let BasicProperties { headers, .. } = &mut header.properties;
            headers.as_mut()
        }
        Frame::Method { method, .. } => match method {
            Method::ConnectionStart(start) => Some(&mut start.server_properties),
            Method::ConnectionStartOk(start_ok) => Some(&mut start_ok.client_properties),
            Method::QueueDeclare(declare) => Some(&mut declare.arguments),
            Method::QueueBind(bind) => Some(&mut bind.arguments),
            Method::QueueUnbind(unbind) => Some(&mut unbind.arguments),
            Method::BasicConsume(consume) => Some(&mut consume.arguments),
            _ => None,
        },
        _ => None,
    }
}

fn sorted_table(table: &FieldTable) -> FieldTable {
    let fields: BTreeMap<ShortStr, FieldValue> = table.iter().collect();
    let mut sorted = FieldTable::new();
    for (name, value) in fields {
        sorted.insert(name.into_bytes(), sorted_value(value)).expect("it was in a table");
    }
    sorted
}

fn sorted_value(value: FieldValue) -> FieldValue {
    match value {
        FieldValue::Table(table) => FieldValue::Table(sorted_table(&table)),
        FieldValue::Array(array) => {
            let mut sorted = FieldArray::new();
            for value in array.iter() {
                sorted.push(sorted_value(value)).expect("it was in an array");
            }
            FieldValue::Array(sorted)
        }
        value => value,
    }
}
