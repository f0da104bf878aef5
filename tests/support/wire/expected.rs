//! Methods that a test can name by their type when it waits for them.

use leveret_codec::{Method, basic, channel, confirm, connection, queue};

/// A method that a broker sends.
pub(crate) trait Expected: Sized {
    const NAME: &'static str;

    /// Gives any other method back.
    fn try_from_method(method: Method) -> Result<Self, Box<Method>>;
}

macro_rules! expected {
    ($($class:ident :: $name:ident = $variant:ident;)*) => {$(
        impl Expected for $class::$name {
            const NAME: &'static str = stringify!($class::$name);

            fn try_from_method(method: Method) -> Result<Self, Box<Method>> {
                match method {
                    Method::$variant(method) => Ok(method),
                    other => Err(Box::new(other)),
                }
            }
        }
    )*};
}

expected! {
    connection::Start = ConnectionStart;
    connection::Tune = ConnectionTune;
    connection::OpenOk = ConnectionOpenOk;
    connection::Close = ConnectionClose;
    connection::CloseOk = ConnectionCloseOk;
    connection::Blocked = ConnectionBlocked;
    connection::Unblocked = ConnectionUnblocked;
    channel::OpenOk = ChannelOpenOk;
    channel::FlowOk = ChannelFlowOk;
    channel::Close = ChannelClose;
    channel::CloseOk = ChannelCloseOk;
    queue::DeclareOk = QueueDeclareOk;
    queue::PurgeOk = QueuePurgeOk;
    queue::DeleteOk = QueueDeleteOk;
    basic::QosOk = BasicQosOk;
    basic::ConsumeOk = BasicConsumeOk;
    basic::Cancel = BasicCancel;
    basic::CancelOk = BasicCancelOk;
    basic::Return = BasicReturn;
    basic::Deliver = BasicDeliver;
    basic::GetOk = BasicGetOk;
    basic::GetEmpty = BasicGetEmpty;
    basic::Ack = BasicAck;
    basic::Nack = BasicNack;
    confirm::SelectOk = ConfirmSelectOk;
}
