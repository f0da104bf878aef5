//! One of each method, filled so that there is something to cut off.

use leveret::{FieldTable, LongStr, ReplyCode, ShortStr};
use leveret_codec::{Method, basic, channel, confirm, connection, queue};

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

fn table() -> FieldTable {
    let mut table = FieldTable::new();
    table.insert("key", "value").unwrap();
    table
}
