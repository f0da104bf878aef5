//! What an operator does, undone at the end of the test, however that comes.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use super::broker::{Broker, unique};
use super::wire::{Handshake, Wire};

/// A user that is deleted with the test, however that ends.
pub(crate) struct User {
    pub(crate) name: String,
}

impl User {
    pub(crate) const PASSWORD: &str = "secret";

    pub(crate) fn new(broker: &Broker, configure: &str, write: &str, read: &str) -> Self {
        let user = Self::without_permissions();
        let set = ["set_permissions", "--vhost", &broker.virtual_host, &user.name];
        Broker::ctl(&[&set[..], &[configure, write, read]].concat());
        user
    }

    pub(crate) fn without_permissions() -> Self {
        let name = unique("user").to_string();
        Broker::ctl(&["add_user", &name, Self::PASSWORD]);
        Self { name }
    }

    pub(crate) async fn connect(&self, broker: &Broker) -> Wire {
        self.handshake(broker).open(broker.tcp().await).await
    }

    pub(crate) fn handshake(&self, broker: &Broker) -> Handshake {
        Handshake {
            user: self.name.clone(),
            password: Self::PASSWORD.to_owned(),
            ..Handshake::new(broker)
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        Broker::ctl(&["delete_user", &self.name]);
    }
}

/// A virtual host that is deleted with the test, however that ends.
pub(crate) struct VirtualHost {
    pub(crate) name: String,
}

impl VirtualHost {
    pub(crate) fn new(broker: &Broker) -> Self {
        let name = unique("vhost").to_string();
        Broker::ctl(&["add_vhost", &name]);
        Broker::ctl(&["set_permissions", "--vhost", &name, &broker.user, ".*", ".*", ".*"]);
        Self { name }
    }
}

impl Drop for VirtualHost {
    fn drop(&mut self) {
        Broker::ctl(&["delete_vhost", &self.name]);
    }
}

/// A broker that takes its memory for full, until this is dropped.
pub(crate) struct MemoryAlarm {
    /// The share of memory that the broker may use otherwise.
    watermark: String,
}

impl MemoryAlarm {
    pub(crate) fn raise() -> Self {
        let output = Broker::ctl(&["eval", "vm_memory_monitor:get_vm_memory_high_watermark()."]);
        let alarm = Self { watermark: output.trim().to_owned() };
        Broker::ctl(&["set_vm_memory_high_watermark", "0.000001"]);
        alarm
    }
}

impl Drop for MemoryAlarm {
    fn drop(&mut self) {
        Broker::ctl(&["set_vm_memory_high_watermark", &self.watermark]);
    }
}
