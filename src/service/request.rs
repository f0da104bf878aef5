//! [`OutgoingRequest`]: what a [`QueueService`](super::QueueService) is called with.

use std::time::Duration;

use bytes::Bytes;
use leveret_codec::{FieldValue, ShortStr, TableError};

use crate::Properties;

/// A request to the queue of a [`QueueService`](super::QueueService). It is cheap to clone, for layers
/// that send it again.
///
/// ```
/// use std::time::Duration;
/// use leveret::service::OutgoingRequest;
///
/// # fn main() -> Result<(), leveret::TableError> {
/// let request = OutgoingRequest::new("hello")
///     .content_type("text/plain")
///     .header("tenant", "acme")?
///     .timeout(Duration::from_secs(2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutgoingRequest {
    /// The payload, any octets.
    pub body: Bytes,
    /// Content type, headers and the rest of AMQP's message properties, as for
    /// [`RequestBuilder::properties`](crate::RequestBuilder::properties).
    pub properties: Properties,
    /// How long the call may take, from when the service is called; as long as other calls of the
    /// client unless set.
    pub timeout: Option<Duration>,
}

impl OutgoingRequest {
    /// A request without properties.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Sets the MIME type of the body.
    ///
    /// # Panics
    /// If it is longer than 255 octets; set [`properties`](Self::properties) for what is not a
    /// constant.
    #[must_use]
    pub fn content_type(mut self, mime_type: &'static str) -> Self {
        self.properties.content_type = Some(ShortStr::from_static(mime_type));
        self
    }

    /// Sets a header.
    ///
    /// # Errors
    /// [`TableError`] for a name of more than 255 octets or a value nested too deeply.
    pub fn header(
        mut self,
        name: impl Into<Bytes>,
        value: impl TryInto<FieldValue, Error: Into<TableError>>,
    ) -> Result<Self, TableError> {
        self.properties.headers.get_or_insert_default().insert(name, value)?;
        Ok(self)
    }

    /// Sets how long the call may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A request with a value in JSON, and its content type.
    ///
    /// # Errors
    /// [`JsonError`](crate::JsonError): the value has no form in JSON.
    #[cfg(feature = "json")]
    pub fn from_json(value: &(impl serde::Serialize + ?Sized)) -> Result<Self, crate::JsonError> {
        let mut request = Self::new(crate::json::write(value)?);
        request.properties.content_type = Some(crate::json::MIME_TYPE);
        Ok(request)
    }
}

macro_rules! requests_from {
    ($($body:ty),*) => {$(
        impl From<$body> for OutgoingRequest {
            fn from(body: $body) -> Self {
                Self::new(body)
            }
        }
    )*};
}

requests_from!(Bytes, String, Vec<u8>, &'static str, &'static [u8]);
