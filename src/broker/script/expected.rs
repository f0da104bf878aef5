//! [`Expected`]: methods that a script can name by their type.

use leveret_codec::{Method, basic, channel, confirm, connection, queue};

/// A method of `leveret-codec`, as [`Dialogue::expect`](super::Dialogue::expect) names it.
pub trait Expected: Sized + sealed::Sealed {
    /// The name in the specification, such as "basic.publish".
    const NAME: &'static str;

    /// The method, if it is this one; any other is given back.
    ///
    /// # Errors
    /// The other method.
    fn try_from_method(method: Method) -> Result<Self, Box<Method>>;
}

mod sealed {
    #[allow(unreachable_pub, reason = "a sealed trait cannot be reached")]
    pub trait Sealed {}
}

macro_rules! expected {
    ($($class:ident :: $name:ident = $variant:ident $full_name:literal;)*) => {$(
        impl sealed::Sealed for $class::$name {}

        impl Expected for $class::$name {
            const NAME: &'static str = $full_name;

            fn try_from_method(method: Method) -> Result<Self, Box<Method>> {
                match method {
                    Method::$variant(method) => Ok(method),
                    other => Err(Box::new(other)),
                }
            }
        }
    )*};
}

// What clients say.
expected! {
    connection::StartOk = ConnectionStartOk "connection.start-ok";
    connection::SecureOk = ConnectionSecureOk "connection.secure-ok";
    connection::TuneOk = ConnectionTuneOk "connection.tune-ok";
    connection::Open = ConnectionOpen "connection.open";
    connection::Close = ConnectionClose "connection.close";
    connection::CloseOk = ConnectionCloseOk "connection.close-ok";
    connection::UpdateSecret = ConnectionUpdateSecret "connection.update-secret";
    channel::Open = ChannelOpen "channel.open";
    channel::Flow = ChannelFlow "channel.flow";
    channel::FlowOk = ChannelFlowOk "channel.flow-ok";
    channel::Close = ChannelClose "channel.close";
    channel::CloseOk = ChannelCloseOk "channel.close-ok";
    queue::Declare = QueueDeclare "queue.declare";
    queue::Bind = QueueBind "queue.bind";
    queue::Unbind = QueueUnbind "queue.unbind";
    queue::Purge = QueuePurge "queue.purge";
    queue::Delete = QueueDelete "queue.delete";
    basic::Qos = BasicQos "basic.qos";
    basic::Consume = BasicConsume "basic.consume";
    basic::Cancel = BasicCancel "basic.cancel";
    basic::CancelOk = BasicCancelOk "basic.cancel-ok";
    basic::Publish = BasicPublish "basic.publish";
    basic::Get = BasicGet "basic.get";
    basic::Ack = BasicAck "basic.ack";
    basic::Nack = BasicNack "basic.nack";
    basic::Reject = BasicReject "basic.reject";
    basic::Recover = BasicRecover "basic.recover";
    basic::RecoverAsync = BasicRecoverAsync "basic.recover-async";
    confirm::Select = ConfirmSelect "confirm.select";
}
