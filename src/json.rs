//! Bodies in JSON, with their content type: as FastStream, Propan and others send and expect them.
//!
//! | content type | body |
//! | --- | --- |
//! | `application/json`, `text/json`, anything that ends in `+json` | JSON |
//! | none | JSON; of no octets, `null`: so the Python frameworks send `None` |
//! | `text/plain` | a string as it is, without quotes: so they send a `str` |
//! | any other | not taken |

#[cfg(feature = "tokio")]
mod typed;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use leveret_codec::ShortStr;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Fault, Properties, Reply, Request};

/// What JSON is sent as.
pub(crate) const MIME_TYPE: ShortStr = ShortStr::from_static("application/json");

/// Why a body is not the JSON that is wanted, or a value cannot be written as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// A value has no form in JSON, such as a map whose keys are no strings.
    #[error("the value cannot be written as JSON: {reason}")]
    Value {
        /// Why.
        reason: String,
    },
    /// The body is something else, as its content type says.
    #[error("the body is not JSON: its content type is \"{content_type}\"")]
    ContentType {
        /// What it says.
        content_type: String,
    },
    /// The body is not JSON at all, or not of the type that is wanted.
    #[error("the body is not the JSON that is wanted: {reason}")]
    Body {
        /// What is wrong, and where.
        reason: String,
        /// The line, counted from 1; 0 in a body that is plain text.
        line: usize,
        /// The column, counted from 1; 0 if the place is the whole body.
        column: usize,
    },
}

impl JsonError {
    /// What a server answers a request with that it cannot read, or where its own answer cannot be
    /// written.
    fn into_fault(self) -> Fault {
        let code = match self {
            Self::Value { .. } => Fault::INVALID_REPLY,
            Self::ContentType { .. } => Fault::UNSUPPORTED_CONTENT_TYPE,
            Self::Body { .. } => Fault::INVALID_JSON,
        };
        Fault::new(code, self.to_string())
    }

    fn body(error: &serde_json::Error) -> Self {
        Self::Body { reason: error.to_string(), line: error.line(), column: error.column() }
    }
}

impl Fault {
    /// The code of a fault that a request becomes whose body is not the JSON that the handler wants.
    /// The message says what is wrong, and where.
    pub const INVALID_JSON: &str = "invalid-json";

    /// The code of a fault that a request becomes whose content type is not that of JSON.
    pub const UNSUPPORTED_CONTENT_TYPE: &str = "unsupported-content-type";
}

impl Request {
    /// The body, read as JSON. What its content type may be is said at
    /// [`Reply::json`](Reply::json).
    ///
    /// ```
    /// use leveret::{Fault, Reply, Request};
    ///
    /// fn sum(request: &Request) -> Result<Reply, Fault> {
    ///     let (a, b): (i64, i64) = request.json()?;
    ///     Reply::from_json(&(a + b))
    /// }
    /// let request = Request { body: "[20, 22]".into(), ..Request::default() };
    /// assert_eq!(sum(&request).unwrap().text(), Ok("42"));
    /// ```
    ///
    /// # Errors
    /// A [`Fault`], for the caller: of the code [`INVALID_JSON`](Fault::INVALID_JSON), with what is
    /// wrong and where, or [`UNSUPPORTED_CONTENT_TYPE`](Fault::UNSUPPORTED_CONTENT_TYPE).
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        read(&self.properties, &self.body).map_err(JsonError::into_fault)
    }
}

impl Reply {
    /// A reply in JSON, with its content type.
    ///
    /// # Errors
    /// A [`Fault`] of the code [`INVALID_REPLY`](Fault::INVALID_REPLY): the value has no form in
    /// JSON, such as a map whose keys are no strings.
    pub fn from_json(value: &(impl Serialize + ?Sized)) -> Result<Self, Fault> {
        let mut reply = Self::new(write(value).map_err(JsonError::into_fault)?);
        reply.properties.content_type = Some(MIME_TYPE);
        Ok(reply)
    }

    /// The body, read as JSON.
    ///
    /// A body without a content type is tried, and is `null` if it is empty; `text/plain` is a string,
    /// without quotes. So FastStream and Propan send `None` and `str`. Any other content type that is
    /// not JSON's is an error.
    ///
    /// ```
    /// use leveret::Reply;
    ///
    /// assert_eq!(Reply::new("[1, 2]").json(), Ok(vec![1, 2]));
    /// assert_eq!(Reply::new("").json(), Ok(()));
    /// assert_eq!(Reply::new("hello").content_type("text/plain").json(), Ok("hello".to_owned()));
    /// let error = Reply::new("GIF89a").content_type("image/gif").json::<String>().unwrap_err();
    /// assert_eq!(error.to_string(), r#"the body is not JSON: its content type is "image/gif""#);
    /// ```
    ///
    /// # Errors
    /// [`JsonError`] says what is wrong, and where.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        read(&self.properties, &self.body)
    }
}

/// The value in JSON.
pub(crate) fn write(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, JsonError> {
    serde_json::to_vec(value).map_err(|error| JsonError::Value { reason: error.to_string() })
}

fn read<T: DeserializeOwned>(properties: &Properties, body: &Bytes) -> Result<T, JsonError> {
    let content_type = properties.content_type.as_ref().filter(|text| !text.is_empty());
    let json = |octets| serde_json::from_slice(octets).map_err(|error| JsonError::body(&error));
    match content_type {
        None if body.is_empty() => json(b"null"),
        None => json(body),
        Some(content_type) if is_json(content_type) => json(body),
        Some(content_type) if media_type(content_type).eq_ignore_ascii_case(b"text/plain") => {
            let text = core::str::from_utf8(body).map_err(|error| JsonError::Body {
                reason: error.to_string(),
                line: 0,
                column: 0,
            })?;
            T::deserialize(Value::from(text)).map_err(|error| JsonError::body(&error))
        }
        Some(content_type) => {
            Err(JsonError::ContentType { content_type: content_type.to_string() })
        }
    }
}

fn is_json(content_type: &ShortStr) -> bool {
    const SUFFIX: &[u8] = b"+json";
    let media_type = media_type(content_type);
    let has_suffix = media_type
        .len()
        .checked_sub(SUFFIX.len())
        .and_then(|start| media_type.get(start..))
        .is_some_and(|end| end.eq_ignore_ascii_case(SUFFIX));
    let is = |name: &[u8]| media_type.eq_ignore_ascii_case(name);
    is(b"application/json") || is(b"text/json") || has_suffix
}

/// Without parameters, such as the charset, which is UTF-8 in JSON whatever they say.
fn media_type(content_type: &ShortStr) -> &[u8] {
    let octets = content_type.as_bytes();
    octets.split(|octet| *octet == b';').next().unwrap_or(octets).trim_ascii()
}

#[cfg(test)]
mod tests;
