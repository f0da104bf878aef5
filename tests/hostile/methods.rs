//! One of each method, filled so that there is something to cut off.

use leveret::{BasicProperties, FieldTable, LongStr, ReplyCode, ShortStr};
use leveret_codec::{
    ContentHeader, Frame, Method, Secret, basic, channel, confirm, connection, queue,
};

use crate::octets::frames;

const NAME: ShortStr = ShortStr::from_static("name");
const TEXT: LongStr = LongStr::from_static("text");
const CODE: ReplyCode = ReplyCode::NOT_FOUND;

/// What a broker sends on channel 0, the greeting excepted.
pub(crate) fn of_brokers_on_connection() -> Vec<Method> {
    vec![
        connection::Start { server_properties: table(), mechanisms: TEXT, ..Default::default() }
            .into(),
        connection::Secure { challenge: TEXT }.into(),
        connection::Tune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 }.into(),
        connection::OpenOk {}.into(),
        connection::Close { reply_code: CODE, reply_text: NAME, class_id: 1, method_id: 2 }.into(),
        connection::CloseOk {}.into(),
        connection::Blocked { reason: NAME }.into(),
        connection::Unblocked {}.into(),
        connection::UpdateSecretOk {}.into(),
    ]
}

/// What a broker sends on other channels.
pub(crate) fn of_brokers_on_channel() -> Vec<Method> {
    vec![
        channel::OpenOk {}.into(),
        channel::Flow { active: true }.into(),
        channel::FlowOk { active: true }.into(),
        channel::Close { reply_code: CODE, reply_text: NAME, class_id: 1, method_id: 2 }.into(),
        channel::CloseOk {}.into(),
        queue::DeclareOk { queue: NAME, message_count: 1, consumer_count: 2 }.into(),
        queue::BindOk {}.into(),
        queue::PurgeOk { message_count: 1 }.into(),
        queue::DeleteOk { message_count: 1 }.into(),
        queue::UnbindOk {}.into(),
        basic::QosOk {}.into(),
        basic::ConsumeOk { consumer_tag: NAME }.into(),
        basic::Cancel { consumer_tag: NAME, nowait: true }.into(),
        basic::CancelOk { consumer_tag: NAME }.into(),
        basic::Return { reply_code: CODE, reply_text: NAME, exchange: NAME, routing_key: NAME }
            .into(),
        basic::Deliver {
            consumer_tag: NAME,
            exchange: NAME,
            routing_key: NAME,
            ..Default::default()
        }
        .into(),
        basic::GetOk { exchange: NAME, routing_key: NAME, ..Default::default() }.into(),
        basic::GetEmpty {}.into(),
        basic::Ack { delivery_tag: 1, multiple: true }.into(),
        basic::Nack { delivery_tag: 1, multiple: true, requeue: true }.into(),
        basic::RecoverOk {}.into(),
        confirm::SelectOk {}.into(),
    ]
}

/// What a client sends on an open connection.
pub(crate) fn of_clients_on_connection() -> Vec<Method> {
    vec![
        connection::StartOk {
            client_properties: table(),
            mechanism: NAME,
            response: Secret(TEXT),
            locale: NAME,
        }
        .into(),
        connection::SecureOk { response: Secret(TEXT) }.into(),
        connection::TuneOk { channel_max: 2047, frame_max: 131_072, heartbeat: 60 }.into(),
        connection::Open { virtual_host: NAME }.into(),
        connection::Close { reply_code: CODE, reply_text: NAME, class_id: 1, method_id: 2 }.into(),
        connection::CloseOk {}.into(),
        connection::UpdateSecret { new_secret: Secret(TEXT), reason: NAME }.into(),
    ]
}

/// What a client sends on other channels.
pub(crate) fn of_clients_on_channel() -> Vec<Method> {
    let (arguments, queue, exchange, routing_key) = (table(), NAME, NAME, NAME);
    let consumer_tag = NAME;
    vec![
        channel::Open {}.into(),
        channel::Flow { active: true }.into(),
        channel::FlowOk { active: true }.into(),
        channel::Close { reply_code: CODE, reply_text: NAME, class_id: 1, method_id: 2 }.into(),
        channel::CloseOk {}.into(),
        queue::Declare { queue: NAME, arguments: arguments.clone(), ..Default::default() }.into(),
        queue::Bind { queue: NAME, arguments: arguments.clone(), ..Default::default() }.into(),
        queue::Purge { queue: NAME, nowait: false }.into(),
        queue::Delete { queue: NAME, ..Default::default() }.into(),
        queue::Unbind { queue, exchange, routing_key, arguments: arguments.clone() }.into(),
        basic::Qos { prefetch_size: 0, prefetch_count: 1, global: false }.into(),
        basic::Consume { queue: NAME, consumer_tag, arguments, ..Default::default() }.into(),
        basic::Cancel { consumer_tag: NAME, nowait: false }.into(),
        basic::Publish { exchange: NAME, routing_key: NAME, ..Default::default() }.into(),
        basic::Get { queue: NAME, no_ack: true }.into(),
        basic::Ack { delivery_tag: 1, multiple: true }.into(),
        basic::Reject { delivery_tag: 1, requeue: true }.into(),
        basic::RecoverAsync { requeue: true }.into(),
        basic::Recover { requeue: true }.into(),
        basic::Nack { delivery_tag: 1, multiple: true, requeue: true }.into(),
        confirm::Select { nowait: false }.into(),
    ]
}

/// The payload of a header with all properties there are.
pub(crate) fn content_header() -> Vec<u8> {
    let properties = BasicProperties {
        content_type: Some(NAME),
        content_encoding: Some(NAME),
        headers: Some(table()),
        delivery_mode: Some(1),
        priority: Some(2),
        correlation_id: Some(NAME),
        reply_to: Some(NAME),
        expiration: Some(NAME),
        message_id: Some(NAME),
        timestamp: Some(3),
        message_type: Some(NAME),
        user_id: Some(NAME),
        app_id: Some(NAME),
        cluster_id: Some(NAME),
    };
    let frame = Frame::Header { channel: 1, header: ContentHeader { body_size: 4, properties } };
    let octets = frames([frame]);
    octets[7..octets.len() - 1].to_vec()
}

fn table() -> FieldTable {
    let mut table = FieldTable::new();
    table.insert("key", "value").unwrap();
    table
}
