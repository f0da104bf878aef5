//! The methods of AMQP 0-9-1 that RabbitMQ's request/reply needs, with RabbitMQ's extensions.
//!
//! One table says it all: a line a field, in the order of the wire. Each method's struct, its ids,
//! its decoding and its encoding follow from it. Fields in brackets are reserved: read and dropped,
//! written as nothing.

mod deliver;
mod fields;
#[macro_use]
mod macros;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::Problem;
use crate::frame::{FrameKind, encode_frame};
use crate::wire::{Field, Fields, FieldsMut, Reader, Wire};
use crate::{DecodeError, FieldTable, LongStr, ReplyCode, Secret, ShortStr};

pub use self::deliver::DeliverRef;
pub use self::fields::FieldRef;

impl Method {
    /// Decodes the payload of a method frame: all of it, and nothing more.
    ///
    /// Tables share the payload's memory, and so do strings that do not fit into their value.
    ///
    /// # Errors
    /// [`DecodeError`] names the method, the offset and the fault.
    pub fn decode(payload: &Bytes) -> Result<Self, DecodeError> {
        Self::read(Reader::new("method", payload))
    }

    /// Decodes the payload of a method frame as [`decode`](Self::decode) does, out of a buffer that
    /// is used again: strings that do not fit into their value are copied.
    ///
    /// # Errors
    /// [`DecodeError`] names the method, the offset and the fault.
    pub fn decode_copied(payload: &[u8]) -> Result<Self, DecodeError> {
        Self::read(Reader::copying("method", payload))
    }

    fn read(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let ids = (u16::decode(&mut reader)?, u16::decode(&mut reader)?);
        let method = Self::decode_fields(ids, &mut reader)?;
        reader.finish()?;
        Ok(method)
    }

    /// Appends the payload of a method frame.
    pub fn encode(&self, out: &mut BytesMut) {
        let (class, method) = self.id();
        out.put_u16(class);
        out.put_u16(method);
        self.encode_fields(out);
    }

    /// Whether a content header and a body follow on the same channel (4.2.6).
    pub fn carries_content(&self) -> bool {
        matches!(
            self,
            Self::BasicPublish(_)
                | Self::BasicReturn(_)
                | Self::BasicDeliver(_)
                | Self::BasicGetOk(_)
        )
    }
}

methods! {
    /// Class 10: the connection, always on channel 0.
    class connection = 10 {
        /// The broker begins: what it is, and how one may log in.
        Start = 10, "connection.start", ConnectionStart {
            version_major: u8, "0";
            version_minor: u8, "9";
            server_properties: FieldTable, "Product, version, capabilities.";
            mechanisms: LongStr, "SASL mechanisms, separated by spaces.";
            locales: LongStr, "Message locales, separated by spaces.";
        }
        /// The client introduces itself and logs in.
        StartOk = 11, "connection.start-ok", ConnectionStartOk {
            client_properties: FieldTable, "Product, version, capabilities, connection name.";
            mechanism: ShortStr, "The chosen SASL mechanism.";
            response: Secret, "The SASL response.";
            locale: ShortStr, "The chosen locale.";
        }
        /// A SASL challenge.
        Secure = 20, "connection.secure", ConnectionSecure {
            challenge: LongStr, "As the mechanism defines it.";
        }
        /// The answer to a SASL challenge.
        SecureOk = 21, "connection.secure-ok", ConnectionSecureOk {
            response: Secret, "As the mechanism defines it.";
        }
        /// The broker's limits.
        Tune = 30, "connection.tune", ConnectionTune {
            channel_max: u16, "The most channels; 0 is no limit.";
            frame_max: u32, "The largest frame in octets, header and end included; 0 is no limit.";
            heartbeat: u16, "Seconds; 0 is none.";
        }
        /// What both will keep to. There is no answer.
        TuneOk = 31, "connection.tune-ok", ConnectionTuneOk {
            channel_max: u16, "The most channels.";
            frame_max: u32, "The largest frame in octets, header and end included.";
            heartbeat: u16, "Seconds; 0 is none.";
        }
        /// Enter a virtual host.
        Open = 40, "connection.open", ConnectionOpen {
            virtual_host: ShortStr, "Its name, often \"/\".";
            => [reserved ShortStr, bool]
        }
        /// The connection is open.
        OpenOk = 41, "connection.open-ok", ConnectionOpenOk {
            [reserved ShortStr]
        }
        /// The sender ends the connection and says why.
        Close = 50, "connection.close", ConnectionClose {
            reply_code: ReplyCode, "Why; 200 for an orderly end.";
            reply_text: ShortStr, "Why, in words.";
            class_id: u16, "Class of the method that failed, or 0.";
            method_id: u16, "Method that failed, or 0.";
        }
        /// The connection is closed.
        CloseOk = 51, "connection.close-ok", ConnectionCloseOk {}
        /// RabbitMQ: an alarm is on, publishing is held up.
        Blocked = 60, "connection.blocked", ConnectionBlocked {
            reason: ShortStr, "Such as \"low on memory\".";
        }
        /// RabbitMQ: the alarm is off.
        Unblocked = 61, "connection.unblocked", ConnectionUnblocked {}
        /// RabbitMQ: new credentials before the old ones expire.
        UpdateSecret = 70, "connection.update-secret", ConnectionUpdateSecret {
            new_secret: Secret, "The new password or token.";
            reason: ShortStr, "For the broker's log.";
        }
        /// RabbitMQ: the new credentials hold.
        UpdateSecretOk = 71, "connection.update-secret-ok", ConnectionUpdateSecretOk {}
    }

    /// Class 20: channels.
    class channel = 20 {
        /// Open the channel that carries this frame.
        Open = 10, "channel.open", ChannelOpen {
            [reserved ShortStr]
        }
        /// The channel is open.
        OpenOk = 11, "channel.open-ok", ChannelOpenOk {
            [reserved LongStr]
        }
        /// Pause or resume the peer's content.
        Flow = 20, "channel.flow", ChannelFlow {
            active: bool, "Whether content may be sent.";
        }
        /// The request to pause or resume is heeded.
        FlowOk = 21, "channel.flow-ok", ChannelFlowOk {
            active: bool, "Whether content will be sent.";
        }
        /// The sender ends the channel and says why.
        Close = 40, "channel.close", ChannelClose {
            reply_code: ReplyCode, "Why; 200 for an orderly end.";
            reply_text: ShortStr, "Why, in words.";
            class_id: u16, "Class of the method that failed, or 0.";
            method_id: u16, "Method that failed, or 0.";
        }
        /// The channel is closed; its number is free.
        CloseOk = 41, "channel.close-ok", ChannelCloseOk {}
    }

    /// Class 50: queues.
    class queue = 50 {
        /// Make a queue, or check that it is there.
        Declare = 10, "queue.declare", QueueDeclare {
            [reserved u16]
            queue: ShortStr, "Its name; empty lets the broker make one.";
            passive: bool, "Only check: 404 if it does not exist.";
            durable: bool, "Survives a restart of the broker.";
            exclusive: bool, "For this connection only, and deleted with it.";
            auto_delete: bool, "Deleted when its last consumer has gone.";
            nowait: bool, "No answer.";
            arguments: FieldTable, "x-queue-type, x-message-ttl and the like.";
        }
        /// The queue is there.
        DeclareOk = 11, "queue.declare-ok", QueueDeclareOk {
            queue: ShortStr, "Its name.";
            message_count: u32, "Messages ready for delivery.";
            consumer_count: u32, "Consumers.";
        }
        /// Let an exchange route messages to the queue.
        Bind = 20, "queue.bind", QueueBind {
            [reserved u16]
            queue: ShortStr, "Empty: the one last declared on this channel.";
            exchange: ShortStr, "The exchange.";
            routing_key: ShortStr, "As the exchange's type uses it.";
            nowait: bool, "No answer.";
            arguments: FieldTable, "As the exchange's type uses them.";
        }
        /// The binding is there.
        BindOk = 21, "queue.bind-ok", QueueBindOk {}
        /// Drop the queue's ready messages.
        Purge = 30, "queue.purge", QueuePurge {
            [reserved u16]
            queue: ShortStr, "Empty: the one last declared on this channel.";
            nowait: bool, "No answer.";
        }
        /// The messages are gone.
        PurgeOk = 31, "queue.purge-ok", QueuePurgeOk {
            message_count: u32, "How many were dropped.";
        }
        /// Delete the queue.
        Delete = 40, "queue.delete", QueueDelete {
            [reserved u16]
            queue: ShortStr, "Empty: the one last declared on this channel.";
            if_unused: bool, "Only without consumers, else 406.";
            if_empty: bool, "Only without messages, else 406.";
            nowait: bool, "No answer.";
        }
        /// The queue is gone.
        DeleteOk = 41, "queue.delete-ok", QueueDeleteOk {
            message_count: u32, "How many messages went with it.";
        }
        /// Undo a binding.
        Unbind = 50, "queue.unbind", QueueUnbind {
            [reserved u16]
            queue: ShortStr, "Empty: the one last declared on this channel.";
            exchange: ShortStr, "The exchange.";
            routing_key: ShortStr, "As it was bound.";
            arguments: FieldTable, "As it was bound.";
        }
        /// The binding is gone.
        UnbindOk = 51, "queue.unbind-ok", QueueUnbindOk {}
    }

    /// Class 60: messages.
    class basic = 60 {
        /// Limit the unacknowledged deliveries.
        Qos = 10, "basic.qos", BasicQos {
            prefetch_size: u32, "Octets; RabbitMQ takes 0 only.";
            prefetch_count: u16, "Deliveries; 0 is no limit.";
            global: bool, "RabbitMQ: for the channel as a whole, not each new consumer.";
        }
        /// The limit holds for consumers to come.
        QosOk = 11, "basic.qos-ok", BasicQosOk {}
        /// Begin to receive a queue's messages.
        Consume = 20, "basic.consume", BasicConsume {
            [reserved u16]
            queue: ShortStr, "Empty: the one last declared on this channel.";
            consumer_tag: ShortStr, "Empty lets the broker make one.";
            no_local: bool, "RabbitMQ ignores it.";
            no_ack: bool, "Deliveries count as acknowledged when sent.";
            exclusive: bool, "Refuse other consumers.";
            nowait: bool, "No answer.";
            arguments: FieldTable, "x-priority and the like.";
        }
        /// The consumer is there.
        ConsumeOk = 21, "basic.consume-ok", BasicConsumeOk {
            consumer_tag: ShortStr, "Its name.";
        }
        /// End a consumer. RabbitMQ sends it too, when the queue has gone.
        Cancel = 30, "basic.cancel", BasicCancel {
            consumer_tag: ShortStr, "Its name.";
            nowait: bool, "No answer.";
        }
        /// The consumer is gone; no delivery follows.
        CancelOk = 31, "basic.cancel-ok", BasicCancelOk {
            consumer_tag: ShortStr, "Its name.";
        }
        /// Send a message; its content follows.
        Publish = 40, "basic.publish", BasicPublish {
            [reserved u16]
            exchange: ShortStr, "Empty: the default exchange, which routes to the queue of that name.";
            routing_key: ShortStr, "Any octets.";
            mandatory: bool, "Return the message if no queue takes it.";
            immediate: bool, "RabbitMQ refuses it with 540.";
        }
        /// A message comes back; its content follows.
        Return = 50, "basic.return", BasicReturn {
            reply_code: ReplyCode, "312: no queue took it.";
            reply_text: ShortStr, "\"NO_ROUTE\".";
            exchange: ShortStr, "As it was published.";
            routing_key: ShortStr, "As it was published.";
        }
        /// A message for a consumer; its content follows.
        Deliver = 60, "basic.deliver", BasicDeliver {
            consumer_tag: ShortStr, "The consumer.";
            delivery_tag: u64, "The delivery's number on this channel.";
            redelivered: bool, "It may have been delivered before.";
            exchange: ShortStr, "As it was published.";
            routing_key: ShortStr, "As it was published.";
        }
        /// Take one message from a queue.
        Get = 70, "basic.get", BasicGet {
            [reserved u16]
            queue: ShortStr, "Empty: the one last declared on this channel.";
            no_ack: bool, "It counts as acknowledged when sent.";
        }
        /// The message taken; its content follows.
        GetOk = 71, "basic.get-ok", BasicGetOk {
            delivery_tag: u64, "The delivery's number on this channel.";
            redelivered: bool, "It may have been delivered before.";
            exchange: ShortStr, "As it was published.";
            routing_key: ShortStr, "As it was published.";
            message_count: u32, "Messages left in the queue.";
        }
        /// There was no message to take.
        GetEmpty = 72, "basic.get-empty", BasicGetEmpty {
            [reserved ShortStr]
        }
        /// Deliveries are done with; from the broker, publishes are.
        Ack = 80, "basic.ack", BasicAck {
            delivery_tag: u64, "Which; with `multiple`, 0 is all.";
            multiple: bool, "And every earlier one.";
        }
        /// A delivery is refused.
        Reject = 90, "basic.reject", BasicReject {
            delivery_tag: u64, "Which.";
            requeue: bool, "Back into the queue, instead of dropped or dead-lettered.";
        }
        /// Requeue everything unacknowledged, without an answer.
        RecoverAsync = 100, "basic.recover-async", BasicRecoverAsync {
            requeue: bool, "RabbitMQ takes true only.";
        }
        /// Requeue everything unacknowledged.
        Recover = 110, "basic.recover", BasicRecover {
            requeue: bool, "RabbitMQ takes true only.";
        }
        /// Everything unacknowledged is back in its queue.
        RecoverOk = 111, "basic.recover-ok", BasicRecoverOk {}
        /// RabbitMQ: deliveries are refused; from the broker, publishes have failed.
        Nack = 120, "basic.nack", BasicNack {
            delivery_tag: u64, "Which; with `multiple`, 0 is all.";
            multiple: bool, "And every earlier one.";
            requeue: bool, "Back into the queue; without meaning from the broker.";
        }
    }

    /// Class 85, RabbitMQ's: publisher confirms.
    class confirm = 85 {
        /// Confirm each publish on this channel from now on.
        Select = 10, "confirm.select", ConfirmSelect {
            nowait: bool, "No answer.";
        }
        /// Publishes are confirmed.
        SelectOk = 11, "confirm.select-ok", ConfirmSelectOk {}
    }
}
