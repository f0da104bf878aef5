//! [`Described`]: a frame in a line.

use core::fmt::{self, Display, Formatter};

use leveret_codec::{BasicProperties, Frame, Method, ReplyCode, ShortStr};

/// A frame as one line: the channel, the method, and what matters of its fields. What is secret
/// does not show, nor do the octets of bodies.
pub(super) struct Described<'a>(pub(super) &'a Frame);

impl Display for Described<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Frame::Method { channel, method } => {
                write!(f, "{channel} {}", method.name())?;
                describe_method(method, f)
            }
            Frame::Header { channel, header } => {
                write!(f, "{channel} header of a body of {} octets", header.body_size)?;
                describe_properties(&header.properties, f)
            }
            Frame::Body { channel, payload } => {
                write!(f, "{channel} body of {} octets", payload.len())
            }
            Frame::Heartbeat => f.write_str("0 heartbeat"),
        }
    }
}

fn describe_method(method: &Method, f: &mut Formatter<'_>) -> fmt::Result {
    match method {
        Method::BasicPublish(m) => {
            destination(f, &m.exchange, &m.routing_key)?;
            flags(f, [("mandatory", m.mandatory), ("immediate", m.immediate)])
        }
        Method::BasicReturn(m) => {
            write!(f, " {}", m.reply_code)?;
            destination(f, &m.exchange, &m.routing_key)
        }
        Method::BasicDeliver(m) => {
            write!(f, " {:?} #{}", m.consumer_tag, m.delivery_tag)?;
            destination(f, &m.exchange, &m.routing_key)?;
            flags(f, [("redelivered", m.redelivered)])
        }
        Method::BasicConsume(m) => {
            write!(f, " {:?} as {:?}", m.queue, m.consumer_tag)?;
            flags(f, [("no-ack", m.no_ack), ("exclusive", m.exclusive), ("nowait", m.nowait)])
        }
        Method::BasicConsumeOk(m) => write!(f, " {:?}", m.consumer_tag),
        Method::BasicCancel(m) => {
            write!(f, " {:?}", m.consumer_tag)?;
            flags(f, [("nowait", m.nowait)])
        }
        Method::BasicCancelOk(m) => write!(f, " {:?}", m.consumer_tag),
        Method::BasicAck(m) => {
            write!(f, " #{}", m.delivery_tag)?;
            flags(f, [("multiple", m.multiple)])
        }
        Method::BasicNack(m) => {
            write!(f, " #{}", m.delivery_tag)?;
            flags(f, [("multiple", m.multiple), ("requeue", m.requeue)])
        }
        Method::BasicReject(m) => {
            write!(f, " #{}", m.delivery_tag)?;
            flags(f, [("requeue", m.requeue)])
        }
        Method::QueueDeclare(m) => {
            write!(f, " {:?}", m.queue)?;
            let kinds = [("passive", m.passive), ("durable", m.durable)];
            flags(f, kinds)?;
            flags(f, [("exclusive", m.exclusive), ("auto-delete", m.auto_delete)])?;
            flags(f, [("nowait", m.nowait)])?;
            if m.arguments.is_empty() { Ok(()) } else { write!(f, " {:?}", m.arguments) }
        }
        Method::ConnectionClose(m) => {
            reason(f, m.reply_code, &m.reply_text, (m.class_id, m.method_id))
        }
        Method::ChannelClose(m) => {
            reason(f, m.reply_code, &m.reply_text, (m.class_id, m.method_id))
        }
        Method::ConnectionOpen(m) => write!(f, " {:?}", m.virtual_host),
        // Fields by name, which hides those of type `Secret`.
        other => {
            let fields = format!("{other:?}");
            match fields.split_once(" { ").map(|(_, fields)| fields.trim_end_matches(" })")) {
                Some(fields) => write!(f, " {fields}"),
                None => Ok(()),
            }
        }
    }
}

fn destination(f: &mut Formatter<'_>, exchange: &ShortStr, key: &ShortStr) -> fmt::Result {
    write!(f, " {exchange:?}/{key:?}")
}

fn flags<const N: usize>(f: &mut Formatter<'_>, flags: [(&str, bool); N]) -> fmt::Result {
    flags.iter().filter(|(_, set)| *set).try_for_each(|(name, _)| write!(f, " {name}"))
}

fn reason(
    f: &mut Formatter<'_>,
    code: ReplyCode,
    text: &ShortStr,
    (class, method): (u16, u16),
) -> fmt::Result {
    write!(f, " {} {text:?}", code.0)?;
    if (class, method) == (0, 0) { Ok(()) } else { write!(f, " for {class}.{method}") }
}

/// Only those that are there.
fn describe_properties(properties: &BasicProperties, f: &mut Formatter<'_>) -> fmt::Result {
    macro_rules! describe {
        ($($name:ident)*) => {
            // Taken apart as a whole, so that none can be forgotten.
            let BasicProperties { $($name),* } = properties;
            $(if let Some(value) = $name {
                write!(f, ", {} {value:?}", stringify!($name).replace('_', "-"))?;
            })*
        };
    }
    describe! {
        content_type content_encoding headers delivery_mode priority correlation_id reply_to
        expiration message_id timestamp message_type user_id app_id cluster_id
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use leveret_codec::{ContentHeader, LongStr, Secret, basic, channel, connection, queue};

    use super::*;
    use crate::testing::{on, short};

    #[track_caller]
    fn check(frame: &Frame, expected: &str) {
        assert_eq!(Described(frame).to_string(), expected);
    }

    #[test]
    fn a_line_says_what_matters() {
        let deliver = basic::Deliver {
            consumer_tag: short("tag"),
            delivery_tag: 7,
            redelivered: true,
            routing_key: short("ping"),
            ..basic::Deliver::default()
        };
        check(&on(1, deliver), r#"1 basic.deliver "tag" #7 ""/"ping" redelivered"#);
        let declare = queue::Declare { queue: short("q"), durable: true, ..Default::default() };
        check(&on(2, declare), r#"2 queue.declare "q" durable"#);
        let close = channel::Close {
            reply_code: ReplyCode::NOT_FOUND,
            reply_text: short("NOT_FOUND - no"),
            class_id: 50,
            method_id: 10,
        };
        check(&on(1, close), r#"1 channel.close 404 "NOT_FOUND - no" for 50.10"#);
        let qos = basic::Qos { prefetch_count: 3, ..Default::default() };
        check(&on(1, qos), "1 basic.qos prefetch_size: 0, prefetch_count: 3, global: false");
        check(&on(1, basic::QosOk {}), "1 basic.qos-ok");
        let properties =
            BasicProperties { correlation_id: Some(short("a.1")), ..Default::default() };
        let header = ContentHeader { body_size: 5, properties };
        check(
            &Frame::Header { channel: 1, header },
            r#"1 header of a body of 5 octets, correlation-id "a.1""#,
        );
        let payload = Bytes::from_static(b"hello");
        check(&Frame::Body { channel: 1, payload }, "1 body of 5 octets");
        check(&Frame::Heartbeat, "0 heartbeat");
    }

    #[test]
    fn a_password_does_not_show() {
        let response = Secret(LongStr::from_static("\0alice\0open-sesame"));
        let start_ok = on(0, connection::StartOk { response, ..Default::default() });
        let line = Described(&start_ok).to_string();
        assert!(line.contains("response: Secret(***)") && !line.contains("sesame"), "{line}");
    }
}
