//! [`Request`], [`Reply`] and [`Fault`]: what a server receives, what it answers, and what a client
//! gets to see of it.

use alloc::string::{String, ToString};
use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use leveret_codec::{BasicProperties, FieldTable, FieldValue, LongStr, ShortStr, TableError};

use crate::Properties;

/// The pseudo-queue whose consumer gets the replies, and the reply address of every request. The
/// broker puts an address of the consumer in its place.
pub(crate) const REPLY_TO: ShortStr = ShortStr::from_static(REPLY_TO_NAME);

pub(crate) const REPLY_TO_NAME: &str = "amq.rabbitmq.reply-to";

/// Refuses properties that the broker would close the channel over, which would cost the messages
/// beside this one.
pub(crate) fn check(properties: &BasicProperties) -> Result<(), &'static str> {
    if properties.expiration.as_ref().is_some_and(|text| time_to_live(text.as_bytes()).is_none()) {
        return Err("the expiration is no whole number of milliseconds of up to ten years");
    }
    if properties.delivery_mode.is_some_and(|mode| !is_delivery_mode(mode)) {
        return Err("the delivery mode is neither 1 nor 2, which RabbitMQ up to 3.10 refuses");
    }
    for name in ["CC", "BCC"] {
        let value = properties.headers.as_ref().and_then(|headers| headers.get(name));
        let is_list_of_names = |value: &FieldValue| match value {
            FieldValue::Array(names) => {
                names.iter().all(|name| matches!(name, FieldValue::LongStr(_)))
            }
            _ => false,
        };
        if value.is_some_and(|value| !is_list_of_names(&value)) {
            return Err("the headers CC and BCC hold lists of routing keys, and nothing else");
        }
    }
    let headers = properties.headers.iter().flat_map(FieldTable::iter);
    if headers.into_iter().any(|(_, value)| has_no_number(&value)) {
        return Err("a header is infinite or no number, which RabbitMQ cannot read");
    }
    Ok(())
}

/// Whether a float occurs that Erlang has no value for: RabbitMQ ends the connection over it.
pub(crate) fn has_no_number(value: &FieldValue) -> bool {
    match value {
        FieldValue::F32(number) => !number.is_finite(),
        FieldValue::F64(number) => !number.is_finite(),
        FieldValue::Array(array) => array.iter().any(|value| has_no_number(&value)),
        FieldValue::Table(table) => table.iter().any(|(_, value)| has_no_number(&value)),
        _ => false,
    }
}

/// A whole number of milliseconds that RabbitMQ takes: ten years and no more.
pub(crate) fn time_to_live(text: &[u8]) -> Option<Duration> {
    const TEN_YEARS: u64 = 315_360_000_000;
    let milliseconds = text.iter().try_fold(0_u64, |time, octet| {
        let digit = char::from(*octet).to_digit(10)?;
        time.checked_mul(10)?.checked_add(digit.into())
    });
    let time = milliseconds.filter(|time| *time <= TEN_YEARS && !text.is_empty())?;
    Some(Duration::from_millis(time))
}

/// Whether this says if a message is to be written to disk.
pub(crate) fn is_delivery_mode(mode: u8) -> bool {
    matches!(mode, 1 | 2)
}

/// A request as a server's handler gets it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// The payload, any octets.
    pub body: Bytes,
    /// Content type, headers and the rest of AMQP's message properties.
    pub properties: Properties,
    /// The exchange it was published to; empty for the default one.
    pub exchange: ShortStr,
    /// The routing key it was published with: with the default exchange, the queue's name.
    pub routing_key: ShortStr,
    /// Whether it may have been delivered before, to a server that did not finish it.
    pub redelivered: bool,
    /// How much longer its caller waits, at most, from when the handler begins; `None` if it does not
    /// say. It is the `expiration` less the time that the request has waited here; the time that it was
    /// under way before is unknown.
    pub time_left: Option<Duration>,
}

impl Request {
    /// The body as text.
    ///
    /// # Errors
    /// The body need not be UTF-8.
    pub fn text(&self) -> Result<&str, core::str::Utf8Error> {
        core::str::from_utf8(&self.body)
    }

    /// The body.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<FieldValue> {
        self.properties.headers.as_ref()?.get(name)
    }
}

/// The answer to a request.
///
/// ```
/// use leveret::Reply;
///
/// let reply = Reply::new(r#"{"sum": 3}"#).content_type("application/json");
/// assert_eq!(reply.text(), Ok(r#"{"sum": 3}"#));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// The payload, any octets.
    pub body: Bytes,
    /// Content type, headers and the rest of AMQP's message properties.
    pub properties: Properties,
}

impl Reply {
    /// A reply without properties.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), properties: Properties::new() }
    }

    /// Sets the MIME type of the body, which FastStream and others decode by.
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

    /// The body as text.
    ///
    /// # Errors
    /// The body need not be UTF-8.
    pub fn text(&self) -> Result<&str, core::str::Utf8Error> {
        core::str::from_utf8(&self.body)
    }

    /// The body.
    pub fn into_body(self) -> Bytes {
        self.body
    }
}

macro_rules! replies_from {
    ($($body:ty),*) => {$(
        impl From<$body> for Reply {
            fn from(body: $body) -> Self {
                Self::new(body)
            }
        }
    )*};
}

replies_from!(Bytes, String, alloc::vec::Vec<u8>, &'static str, &'static [u8]);

impl From<()> for Reply {
    fn from((): ()) -> Self {
        Self::default()
    }
}

/// An error that a server's handler answers with. It reaches the caller as
/// [`CallError::Fault`](crate::CallError::Fault).
///
/// On the wire it is an ordinary reply whose headers `rpc-error-code` and `rpc-error` hold the
/// code and the message; the body is free.
///
/// Any error turns into a fault of the code "error" with `?`:
///
/// ```
/// use leveret::Fault;
///
/// fn parse(body: &str) -> Result<u32, Fault> {
///     if body.is_empty() {
///         return Err(Fault::new("empty", "a number is wanted"));
///     }
///     Ok(body.parse()?)
/// }
/// assert_eq!(parse("").unwrap_err().code(), "empty");
/// assert_eq!(parse("x").unwrap_err().to_string(), "error: invalid digit found in string");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    code: String,
    message: String,
    body: Bytes,
}

const CODE_HEADER: &str = "rpc-error-code";
const MESSAGE_HEADER: &str = "rpc-error";

impl Fault {
    /// The longest message in octets. A longer one is cut, since headers must fit into one frame,
    /// which may be as small as 4096 octets.
    pub const MAX_MESSAGE: usize = 2048;

    /// The longest code in octets. A longer one is cut.
    pub const MAX_CODE: usize = 255;

    /// The code of a fault that a panic of the handler becomes.
    pub const PANIC: &str = "panic";

    /// The code of a fault that a reply becomes which is larger than the server's limit.
    pub const REPLY_TOO_LARGE: &str = "reply-too-large";

    /// The code of a fault that a reply becomes whose properties cannot be sent.
    pub const INVALID_REPLY: &str = "invalid-reply";

    /// A fault with a code for programs and a message for people.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: cut(code.into(), Self::MAX_CODE),
            message: cut(message.into(), Self::MAX_MESSAGE),
            body: Bytes::new(),
        }
    }

    /// Adds a payload, for whatever code and message do not hold.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The code, for programs.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The payload, often empty.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The fault that a reply carries, if it does.
    pub(crate) fn from_reply(reply: &Reply) -> Option<Self> {
        let headers = reply.properties.headers.as_ref()?;
        let code = text(&headers.get(CODE_HEADER)?);
        let message = headers.get(MESSAGE_HEADER).map(|message| text(&message));
        Some(Self { code, message: message.unwrap_or_default(), body: reply.body.clone() })
    }

    pub(crate) fn into_reply(self) -> Reply {
        let mut headers = FieldTable::new();
        for (name, value) in [(CODE_HEADER, self.code), (MESSAGE_HEADER, self.message)] {
            // Both were cut to a length that fits.
            let value = LongStr::new(value).unwrap_or_default();
            let _ = headers.insert(name, value);
        }
        let properties = BasicProperties { headers: Some(headers), ..BasicProperties::default() };
        Reply { body: self.body, properties: properties.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl<E: core::error::Error> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::new("error", error.to_string())
    }
}

/// A header that other servers may have sent as a number.
fn text(value: &FieldValue) -> String {
    match value {
        FieldValue::LongStr(text) => text.to_string(),
        other => other.as_i64().map_or_else(String::new, |number| number.to_string()),
    }
}

fn cut(mut text: String, limit: usize) -> String {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}
