//! What an operator does with a running broker: users, permissions, virtual hosts.

use super::permissions::{Permissions, User};
use super::{Broker, Node};

impl Broker {
    /// Adds a user, who may enter no virtual host yet, or gives one a new password.
    pub fn add_user(&self, name: impl Into<String>, password: impl Into<String>) {
        let (name, password) = (name.into(), password.into());
        self.shared.with(|node, _| node.settings.add_user(name, password));
    }

    /// Removes a user. Connections of theirs go on until they end.
    pub fn delete_user(&self, name: &str) {
        self.shared.with(|node, _| node.settings.users.remove(name));
    }

    /// Lets a user into a virtual host, with these permissions. Whether there is such a user.
    pub fn set_permissions(&self, user: &str, host: &str, permissions: Permissions) -> bool {
        self.with_user(user, |user| {
            user.permissions.insert(host.to_owned(), permissions);
        })
    }

    /// How many connections a user may have at a time. Whether there is such a user.
    pub fn set_connection_limit(&self, user: &str, limit: Option<usize>) -> bool {
        self.with_user(user, |user| user.max_connections = limit)
    }

    /// Adds a virtual host without queues.
    pub fn add_virtual_host(&self, name: impl Into<String>) {
        let name = name.into();
        self.shared.with(|node, _| {
            node.hosts.entry(name).or_default();
        });
    }

    /// Removes a virtual host with its queues, and drops the connections to it.
    pub fn delete_virtual_host(&self, name: &str) {
        self.shared.with(|node, now| {
            let inside = node.sessions.iter().filter(|(_, it)| it.virtual_host == name);
            let ids: Vec<_> = inside.map(|(id, _)| *id).collect();
            for id in ids {
                node.handle_eof(id, now);
            }
            node.hosts.remove(name);
        });
    }

    fn with_user(&self, name: &str, change: impl FnOnce(&mut User)) -> bool {
        self.shared
            .with(|node: &mut Node, _| node.settings.users.get_mut(name).map(change).is_some())
    }
}
