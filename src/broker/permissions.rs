//! Who may do what: RabbitMQ's users and their permissions, with as much of its patterns as tests
//! need.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::fmt;

use leveret_codec::{ReplyCode, ShortStr};

use super::node::{Node, SessionId};
use super::raise::{Raise, Raised, queue_in};

/// What a permission covers: the names of queues, or `amq.default` for the default exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pattern {
    /// Every name: RabbitMQ's `.*`.
    All,
    /// No name: RabbitMQ's `^$`.
    None,
    /// This name alone: RabbitMQ's `^name$`.
    Only(String),
}

/// What a user may do in a virtual host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Declare and delete.
    pub configure: Pattern,
    /// Publish.
    pub write: Pattern,
    /// Consume, get and purge.
    pub read: Pattern,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self { configure: Pattern::All, write: Pattern::All, read: Pattern::All };
}

#[derive(Clone)]
pub(super) struct User {
    pub(super) password: String,
    /// By virtual host. Who has none there may not enter.
    pub(super) permissions: BTreeMap<String, Permissions>,
    pub(super) max_connections: Option<usize>,
}

/// Not derived: the password does not show.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("permissions", &self.permissions)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

impl Pattern {
    fn covers(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(only) => only == name,
        }
    }
}

/// Which of the permissions an act takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Configure,
    Write,
    Read,
}

impl Act {
    fn name(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

impl Node {
    pub(super) fn permit_queue(&mut self, id: SessionId, act: Act, name: &ShortStr) -> Raised {
        let described = queue_in(&self.host_name(id), name);
        self.permit(id, act, &format!("{name}"), &described)
    }

    /// Any of the three permissions will do to see whether a queue is there.
    pub(super) fn permit_sight(&mut self, id: SessionId, name: &ShortStr) -> Raised {
        if !self.settings.version.guards_passive_declare() {
            return Ok(());
        }
        self.permit_queue(id, Act::Read, name)
            .or_else(|_| self.permit_queue(id, Act::Write, name))
            .or_else(|_| self.permit_queue(id, Act::Configure, name))
    }

    pub(super) fn permit_exchange(&mut self, id: SessionId, name: &ShortStr) -> Raised {
        let name = if name.is_empty() { String::from("amq.default") } else { format!("{name}") };
        let described = format!("exchange '{name}' in vhost '{}'", self.host_name(id));
        self.permit(id, Act::Write, &name, &described)
    }

    fn permit(&mut self, id: SessionId, act: Act, name: &str, described: &str) -> Raised {
        let host = self.host_name(id);
        let user = self.session(id)?.user.clone();
        let permissions = self.settings.users.get(&user).and_then(|it| it.permissions.get(&host));
        let permitted = permissions.is_some_and(|permissions| {
            match act {
                Act::Configure => &permissions.configure,
                Act::Write => &permissions.write,
                Act::Read => &permissions.read,
            }
            .covers(name)
        });
        if permitted {
            return Ok(());
        }
        let verb = match self.settings.version.names_the_permission() {
            true => format!("{} access", act.name()),
            false => String::from("access"),
        };
        let text = format!("{verb} to {described} refused for user '{user}'");
        Err(Raise::channel(ReplyCode::ACCESS_REFUSED, text))
    }

    /// Whether the connection's user may enter the virtual host, which exists.
    pub(super) fn permit_entry(&mut self, id: SessionId, host: &str) -> Raised {
        let name = self.session(id)?.user.clone();
        let user = self.settings.users.get(&name);
        if !user.is_some_and(|user| user.permissions.contains_key(host)) {
            let text = format!("access to vhost '{host}' refused for user '{name}'");
            return Err(Raise::connection(ReplyCode::NOT_ALLOWED, text));
        }
        let Some(limit) = user.and_then(|user| user.max_connections) else { return Ok(()) };
        let others = self.sessions.iter().filter(|(other, session)| {
            **other != id && session.user == name && !session.virtual_host.is_empty()
        });
        if others.count() >= limit {
            let text = format!(
                "connection refused for user '{name}': user connection limit ({limit}) is reached"
            );
            return Err(Raise::connection(ReplyCode::NOT_ALLOWED, text));
        }
        Ok(())
    }
}
