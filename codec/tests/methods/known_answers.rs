//! Every method with its octets, written by hand from the grammar of AMQP 0-9-1 and RabbitMQ's
//! extensions to it: a codec that only agrees with itself proves nothing.

use leveret_codec::{
    FieldTable, LongStr, Method, ReplyCode, Secret, ShortStr, basic, channel, confirm, connection,
    queue,
};

/// A method and the payload of its frame.
pub(crate) type KnownAnswer = (&'static str, Method);

pub(crate) fn known_answers() -> Vec<KnownAnswer> {
    [connection_methods(), channel_methods(), queue_methods(), basic_methods(), confirm_methods()]
        .concat()
}

fn connection_methods() -> Vec<KnownAnswer> {
    let properties = table("product", "Leveret");
    vec![
        (
            "000a 000a | 00 | 09 | 00000014 07'product' 'S' 00000007'Leveret'
             | 0000000e'PLAIN AMQPLAIN' | 0000000b'en_US de_DE'",
            connection::Start {
                version_major: 0,
                version_minor: 9,
                server_properties: properties.clone(),
                mechanisms: LongStr::from_static("PLAIN AMQPLAIN"),
                locales: LongStr::from_static("en_US de_DE"),
            }
            .into(),
        ),
        (
            "000a 000b | 00000014 07'product' 'S' 00000007'Leveret'
             | 05'PLAIN' | 0000000c 00'guest' 00'guest' | 05'en_US'",
            connection::StartOk {
                client_properties: properties,
                mechanism: short("PLAIN"),
                response: secret("\0guest\0guest"),
                locale: short("en_US"),
            }
            .into(),
        ),
        (
            "000a 0014 | 00000004'who?'",
            connection::Secure { challenge: LongStr::from_static("who?") }.into(),
        ),
        ("000a 0015 | 00000002'me'", connection::SecureOk { response: secret("me") }.into()),
        (
            "000a 001e | 07ff | 00020000 | 003c",
            connection::Tune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 }.into(),
        ),
        (
            "000a 001f | 0001 | 00001000 | ffff",
            connection::TuneOk { channel_max: 1, frame_max: 4096, heartbeat: 65_535 }.into(),
        ),
        // Two reserved fields: a short string and a bit.
        ("000a 0028 | 01'/' | 00 | 00", connection::Open { virtual_host: short("/") }.into()),
        ("000a 0029 | 00", connection::OpenOk {}.into()),
        (
            "000a 0032 | 0212 | 03'why' | 000a 0028",
            connection::Close {
                reply_code: ReplyCode::NOT_ALLOWED,
                reply_text: short("why"),
                class_id: 10,
                method_id: 40,
            }
            .into(),
        ),
        ("000a 0033", connection::CloseOk {}.into()),
        (
            "000a 003c | 0d'low on memory'",
            connection::Blocked { reason: short("low on memory") }.into(),
        ),
        ("000a 003d", connection::Unblocked {}.into()),
        (
            "000a 0046 | 00000003'new' | 07'expires'",
            connection::UpdateSecret { new_secret: secret("new"), reason: short("expires") }.into(),
        ),
        ("000a 0047", connection::UpdateSecretOk {}.into()),
    ]
}

fn channel_methods() -> Vec<KnownAnswer> {
    vec![
        ("0014 000a | 00", channel::Open {}.into()),
        // The reserved field is a long string here, unlike in every other method.
        ("0014 000b | 00000000", channel::OpenOk {}.into()),
        ("0014 0014 | 01", channel::Flow { active: true }.into()),
        ("0014 0014 | 00", channel::Flow { active: false }.into()),
        ("0014 0015 | 01", channel::FlowOk { active: true }.into()),
        (
            "0014 0028 | 0194 | 08'no queue' | 0032 000a",
            channel::Close {
                reply_code: ReplyCode::NOT_FOUND,
                reply_text: short("no queue"),
                class_id: 50,
                method_id: 10,
            }
            .into(),
        ),
        ("0014 0029", channel::CloseOk {}.into()),
    ]
}

fn queue_methods() -> Vec<KnownAnswer> {
    vec![
        (
            "0032 000a | 0000 | 05'tasks' | 02 | 00000013 0c'x-queue-mode' 'S' 00000001'x'",
            queue::Declare {
                queue: short("tasks"),
                durable: true,
                arguments: table("x-queue-mode", "x"),
                ..Default::default()
            }
            .into(),
        ),
        (
            "0032 000b | 05'tasks' | 00000007 | 00010000",
            queue::DeclareOk { queue: short("tasks"), message_count: 7, consumer_count: 65_536 }
                .into(),
        ),
        (
            "0032 0014 | 0000 | 01'q' | 02'ex' | 03'key' | 01 | 00000000",
            queue::Bind {
                queue: short("q"),
                exchange: short("ex"),
                routing_key: short("key"),
                nowait: true,
                arguments: FieldTable::EMPTY,
            }
            .into(),
        ),
        ("0032 0015", queue::BindOk {}.into()),
        ("0032 001e | 0000 | 01'q' | 01", queue::Purge { queue: short("q"), nowait: true }.into()),
        ("0032 001f | 01020304", queue::PurgeOk { message_count: 0x0102_0304 }.into()),
        (
            "0032 0028 | 0000 | 01'q' | 02",
            queue::Delete { queue: short("q"), if_empty: true, ..Default::default() }.into(),
        ),
        ("0032 0029 | 00000002", queue::DeleteOk { message_count: 2 }.into()),
        // Unlike bind, unbind has no bit.
        (
            "0032 0032 | 0000 | 01'q' | 02'ex' | 03'key' | 00000000",
            queue::Unbind {
                queue: short("q"),
                exchange: short("ex"),
                routing_key: short("key"),
                arguments: FieldTable::EMPTY,
            }
            .into(),
        ),
        ("0032 0033", queue::UnbindOk {}.into()),
    ]
}

fn basic_methods() -> Vec<KnownAnswer> {
    [consumer_methods(), content_methods(), settlement_methods()].concat()
}

fn consumer_methods() -> Vec<KnownAnswer> {
    vec![
        (
            "003c 000a | 00000000 | 0080 | 01",
            basic::Qos { prefetch_size: 0, prefetch_count: 128, global: true }.into(),
        ),
        ("003c 000b", basic::QosOk {}.into()),
        // The one that begins a request: the pseudo-queue, without acknowledgements.
        (
            "003c 0014 | 0000 | 15'amq.rabbitmq.reply-to' | 00 | 02 | 00000000",
            basic::Consume {
                queue: short("amq.rabbitmq.reply-to"),
                no_ack: true,
                ..Default::default()
            }
            .into(),
        ),
        ("003c 0015 | 03'tag'", basic::ConsumeOk { consumer_tag: short("tag") }.into()),
        (
            "003c 001e | 03'tag' | 01",
            basic::Cancel { consumer_tag: short("tag"), nowait: true }.into(),
        ),
        ("003c 001f | 03'tag'", basic::CancelOk { consumer_tag: short("tag") }.into()),
    ]
}

fn content_methods() -> Vec<KnownAnswer> {
    vec![
        (
            "003c 0028 | 0000 | 00 | 05'tasks' | 01",
            basic::Publish { routing_key: short("tasks"), mandatory: true, ..Default::default() }
                .into(),
        ),
        (
            "003c 0032 | 0138 | 08'NO_ROUTE' | 02'ex' | 05'tasks'",
            basic::Return {
                reply_code: ReplyCode::NO_ROUTE,
                reply_text: short("NO_ROUTE"),
                exchange: short("ex"),
                routing_key: short("tasks"),
            }
            .into(),
        ),
        // The bit stands alone between a number and a string.
        (
            "003c 003c | 03'tag' | 0000000000000101 | 01 | 00 | 03'key'",
            basic::Deliver {
                consumer_tag: short("tag"),
                delivery_tag: 0x101,
                redelivered: true,
                exchange: short(""),
                routing_key: short("key"),
            }
            .into(),
        ),
        ("003c 0046 | 0000 | 01'q' | 01", basic::Get { queue: short("q"), no_ack: true }.into()),
        (
            "003c 0047 | 0000000000000001 | 00 | 02'ex' | 03'key' | 00000009",
            basic::GetOk {
                delivery_tag: 1,
                redelivered: false,
                exchange: short("ex"),
                routing_key: short("key"),
                message_count: 9,
            }
            .into(),
        ),
        ("003c 0048 | 00", basic::GetEmpty {}.into()),
    ]
}

fn settlement_methods() -> Vec<KnownAnswer> {
    vec![
        (
            "003c 0050 | ffffffffffffffff | 00",
            basic::Ack { delivery_tag: u64::MAX, multiple: false }.into(),
        ),
        (
            "003c 005a | 0000000000000007 | 01",
            basic::Reject { delivery_tag: 7, requeue: true }.into(),
        ),
        ("003c 0064 | 01", basic::RecoverAsync { requeue: true }.into()),
        ("003c 006e | 01", basic::Recover { requeue: true }.into()),
        ("003c 006f", basic::RecoverOk {}.into()),
        // As RabbitMQ sends it for a failed publish: the bit of `requeue` is set, without meaning.
        (
            "003c 0078 | 0000000000000001 | 02",
            basic::Nack { delivery_tag: 1, multiple: false, requeue: true }.into(),
        ),
    ]
}

fn confirm_methods() -> Vec<KnownAnswer> {
    vec![
        ("0055 000a | 01", confirm::Select { nowait: true }.into()),
        ("0055 000b", confirm::SelectOk {}.into()),
    ]
}

fn table(name: &'static str, value: &'static str) -> FieldTable {
    let mut table = FieldTable::new();
    table.insert(name, value).unwrap();
    table
}

fn short(text: &'static str) -> ShortStr {
    ShortStr::from_static(text)
}

fn secret(text: &'static str) -> Secret {
    Secret(LongStr::from_static(text))
}
