//! [`Queue`]: what a server serves.

use leveret_codec::{FieldTable, FieldValue, ShortStr, TableError};

use crate::ConnectError;
use crate::responder::QueueOptions;

/// A queue to serve, with how it is declared.
///
/// ```
/// use leveret::Queue;
///
/// let orders = Queue::new("orders")
///     .argument("x-queue-type", "quorum")
///     .argument("x-dead-letter-exchange", "failed")
///     .prefetch(10);
/// let legacy = Queue::new("legacy").passive();
/// ```
#[derive(Debug, Clone)]
pub struct Queue {
    name: String,
    options: QueueOptions,
    prefetch: Option<u16>,
    invalid: Option<TableError>,
}

impl Queue {
    /// A durable queue, declared if it does not exist. If it exists with other attributes, the
    /// server does not start.
    pub fn new(name: impl Into<String>) -> Self {
        let options = QueueOptions::new(ShortStr::EMPTY);
        Self { name: name.into(), options, prefetch: None, invalid: None }
    }

    /// Takes the queue as it is. If there is none, the server does not start.
    #[must_use]
    pub fn passive(mut self) -> Self {
        self.options.passive = true;
        self
    }

    /// Whether the queue survives a restart of the broker. It does unless this says no, which
    /// RabbitMQ deprecates for queues that are not exclusive either.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.options.durable = durable;
        self
    }

    /// Makes the queue this connection's own: nobody else may use it, and it ends with it. So a server
    /// of several [`connections`](crate::ServerBuilder::connections) does not start with such a queue.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.options.exclusive = true;
        self
    }

    /// Lets the broker delete the queue when its last consumer has gone.
    #[must_use]
    pub fn auto_delete(mut self) -> Self {
        self.options.auto_delete = true;
        self
    }

    /// An argument of the declaration, such as `x-queue-type` or `x-message-ttl`.
    #[must_use]
    pub fn argument(
        mut self,
        name: impl Into<String>,
        value: impl TryInto<FieldValue, Error: Into<TableError>>,
    ) -> Self {
        if let Err(error) = self.options.arguments.insert(name.into(), value) {
            self.invalid.get_or_insert(error);
        }
        self
    }

    /// All arguments of the declaration.
    #[must_use]
    pub fn arguments(mut self, arguments: FieldTable) -> Self {
        self.options.arguments = arguments;
        self
    }

    /// The most requests of this queue to work on at a time; 0 is no limit. The server's own
    /// unless set.
    #[must_use]
    pub fn prefetch(mut self, requests: u16) -> Self {
        self.prefetch = Some(requests);
        self
    }

    pub(crate) fn into_options(self, prefetch: Option<u16>) -> Result<QueueOptions, ConnectError> {
        if let Some(source) = self.invalid {
            return Err(ConnectError::Argument { queue: self.name, source });
        }
        let mut options = self.options;
        options.name = ShortStr::new(self.name)
            .map_err(|source| ConnectError::TooLong { what: "the name of a queue", source })?;
        options.prefetch = self.prefetch.or(prefetch).unwrap_or(options.prefetch);
        Ok(options)
    }
}

impl<T: Into<String>> From<T> for Queue {
    fn from(name: T) -> Self {
        Self::new(name)
    }
}
