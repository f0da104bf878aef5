//! Client and server on a RabbitMQ, as a program uses them. Everything here is orderly: the
//! broker's log has no warning afterwards, which `cargo xtask test` checks.

mod support {
    pub(crate) mod broker;
    pub(crate) mod service;
    pub(crate) mod wire;
}

mod rpc {
    mod calls;
    mod lifecycle;
    mod messages;
    mod queues;
}
