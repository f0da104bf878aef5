//! [`Settings`]: what a broker is made with.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use leveret_codec::{FieldTable, LongStr, connection as method};

use super::Version;
use super::permissions::{Permissions, User};

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) version: Version,
    pub(super) users: BTreeMap<String, User>,
    pub(super) virtual_hosts: Vec<String>,
    pub(super) channel_max: u16,
    pub(super) frame_max: u32,
    pub(super) heartbeat: u16,
    pub(super) max_message_size: u64,
    /// Octets of messages in queues, above which publishers are blocked.
    pub(super) memory_limit: usize,
}

impl Settings {
    pub(super) fn new(version: Version) -> Self {
        let mut settings = Self {
            version,
            users: BTreeMap::new(),
            virtual_hosts: ["/".into()].into(),
            channel_max: 2047,
            frame_max: 0x2_0000,
            heartbeat: 60,
            max_message_size: version.max_message_size(),
            memory_limit: 256 << 20,
        };
        settings.add_user("guest".into(), "guest".into());
        settings.permit_all();
        settings
    }

    pub(super) fn add_user(&mut self, name: String, password: String) {
        let user = self.users.entry(name).or_insert_with(|| User {
            password: String::new(),
            permissions: BTreeMap::new(),
            max_connections: None,
        });
        user.password = password;
    }

    /// Every user may do everything in every virtual host.
    pub(super) fn permit_all(&mut self) {
        for user in self.users.values_mut() {
            let hosts = self.virtual_hosts.iter().cloned();
            user.permissions.extend(hosts.map(|host| (host, Permissions::ALL)));
        }
    }

    pub(super) fn start(&self) -> method::Start {
        method::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: self.server_properties(),
            mechanisms: LongStr::from_static(self.version.mechanisms()),
            locales: LongStr::from_static("en_US"),
        }
    }

    pub(super) fn tune(&self) -> method::Tune {
        method::Tune {
            channel_max: self.channel_max,
            frame_max: self.frame_max,
            heartbeat: self.heartbeat,
        }
    }

    fn server_properties(&self) -> FieldTable {
        const CAPABILITIES: [&str; 9] = [
            "publisher_confirms",
            "exchange_exchange_bindings",
            "basic.nack",
            "consumer_cancel_notify",
            "connection.blocked",
            "consumer_priorities",
            "authentication_failure_close",
            "per_consumer_qos",
            "direct_reply_to",
        ];
        let mut capabilities = FieldTable::new();
        for name in CAPABILITIES {
            let _ = capabilities.insert(name, true);
        }
        let mut properties = FieldTable::new();
        // None of these can be too long or too deep.
        let _ = properties.insert("capabilities", capabilities);
        let _ = properties.insert("cluster_name", "leveret@localhost");
        let _ =
            properties.insert("information", "Leveret's test broker, which behaves as RabbitMQ");
        let _ = properties.insert("platform", "Rust");
        let _ = properties.insert("product", "RabbitMQ");
        let _ = properties.insert("version", self.version.as_str());
        properties
    }
}
