//! [`Assembly`]: from frames on a channel to whole methods, with RabbitMQ's words for what is none.

use alloc::format;

use bytes::{Bytes, BytesMut};
use leveret_codec::{ContentHeader, FrameKind, Method, Problem, ReplyCode, ShortStr};

use super::channel::Content;
use super::deep_headers;
use super::raise::{Raise, Raised, erlang_binary};
use super::settings::Settings;
use super::tables::{arguments, has_unknown_value};

/// The hard limit of a body.
const MAX_BODY_SIZE: u64 = 512 << 20;

/// What has come of a method and its content.
#[derive(Debug, Default)]
pub(super) enum Assembly {
    #[default]
    Method,
    Header(Method),
    Body {
        method: Method,
        /// Without the body.
        content: Content,
        missing: u64,
        /// None of one that is refused in the end, or has none.
        body: Option<BytesMut>,
    },
}

/// A method with its content, if it carries some.
type Whole = (Method, Option<Content>);

impl Assembly {
    pub(super) fn frame(
        &mut self,
        settings: &Settings,
        kind: FrameKind,
        payload: &Bytes,
    ) -> Raised<Option<Whole>> {
        match (core::mem::take(self), kind) {
            (Self::Method, FrameKind::Method) => {
                let method = decode_method(payload)?;
                if method.carries_content() {
                    // It waits for its content, and must not keep the read buffer meanwhile.
                    *self = Self::Header(decode_method(&Bytes::copy_from_slice(payload))?);
                    return Ok(None);
                }
                Ok(Some((method, None)))
            }
            (Self::Method, _) => {
                Err(unexpected("expected method frame, got non method frame instead"))
            }
            (Self::Header(method), FrameKind::Header) => self.header(settings, method, payload),
            (Self::Header(method), _) => Err(within(
                &method,
                ReplyCode::UNEXPECTED_FRAME,
                "expected content header for class 60, got non content header frame instead",
            )),
            (Self::Body { method, content, missing, mut body }, FrameKind::Body) => {
                let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
                let missing = match missing.checked_sub(length) {
                    None if settings.version.checks_body_size() => {
                        let text = "content body frame exceeds remaining content size";
                        return Err(within(&method, ReplyCode::FRAME_ERROR, text));
                    }
                    // Up to 4.2.5 such a body never ends.
                    None => {
                        body = None;
                        u64::MAX
                    }
                    Some(missing) => missing,
                };
                if let Some(body) = &mut body {
                    body.extend_from_slice(payload);
                }
                Ok(self.advance(method, content, missing, body))
            }
            (Self::Body { method, .. }, _) => Err(within(
                &method,
                ReplyCode::UNEXPECTED_FRAME,
                "expected content body, got non content body frame instead",
            )),
        }
    }

    fn header(
        &mut self,
        settings: &Settings,
        method: Method,
        payload: &Bytes,
    ) -> Raised<Option<Whole>> {
        let (ContentHeader { body_size, properties }, deep_headers) =
            // Properties are kept with their message, and the read buffer must not be.
            deep_headers::read(&Bytes::copy_from_slice(payload)).map_err(|error| match error.problem() {
                Problem::NoContent { class } => within(
                    &method,
                    ReplyCode::UNEXPECTED_FRAME,
                    &format!(
                        "expected content header for class 60, got one for class {class} instead"
                    ),
                ),
                _ => Raise::crash(),
            })?;
        if properties.headers.as_ref().is_some_and(has_unknown_value) {
            return Err(Raise::crash());
        }
        if body_size > MAX_BODY_SIZE && settings.version.checks_body_size() {
            let text = format!(
                "content body size {body_size} exceeds maximum allowed size {MAX_BODY_SIZE}"
            );
            return Err(within(&method, ReplyCode::FRAME_ERROR, &text));
        }
        let content = Content { properties, deep_headers, body: Bytes::new(), body_size };
        let body = (body_size <= settings.max_message_size).then(BytesMut::new);
        Ok(self.advance(method, content, body_size, body))
    }

    fn advance(
        &mut self,
        method: Method,
        content: Content,
        missing: u64,
        body: Option<BytesMut>,
    ) -> Option<Whole> {
        if missing > 0 {
            *self = Self::Body { method, content, missing, body };
            return None;
        }
        let body = body.unwrap_or_default().freeze();
        Some((method, Some(Content { body, ..content })))
    }
}

pub(super) fn unexpected(text: &str) -> Raise {
    Raise::frame(ReplyCode::UNEXPECTED_FRAME, text)
}

/// A fault in the content of a method that is known, which is blamed.
fn within(method: &Method, code: ReplyCode, text: &str) -> Raise {
    Raise::Connection { code, text: text.into(), ids: Some(method.id()) }
}

/// Classes of which the codec knows no method.
const EXCHANGE: u16 = 40;
const TX: u16 = 90;

/// An unknown method kills the process that reads: the socket is closed without a word. Fields
/// that do not decode are told, with the octets and with the ids, which are known by then.
pub(super) fn decode_method(payload: &Bytes) -> Raised<Method> {
    let method = Method::decode(payload).map_err(|error| match error.problem() {
        // RabbitMQ knows these: nobody should have to guess why the socket closes.
        Problem::UnknownMethod { class: class @ (EXCHANGE | TX), method } => Raise::Connection {
            code: ReplyCode::NOT_IMPLEMENTED,
            text: "exchanges, transactions: this is a broker for tests of request/reply".into(),
            ids: Some((*class, *method)),
        },
        Problem::UnknownMethod { .. } => Raise::Silence,
        // A table value of an unknown type is not foreseen either.
        Problem::UnknownFieldType { .. } | Problem::TooDeep { .. } => Raise::Silence,
        _ => Raise::Connection {
            code: ReplyCode::FRAME_ERROR,
            text: format!("cannot decode {}", erlang_binary(payload.get(4..).unwrap_or_default())),
            ids: payload
                .first_chunk::<4>()
                .map(|[a, b, c, d]| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))),
        },
    })?;
    if arguments(&method).is_some_and(has_unknown_value) {
        return Err(Raise::Silence);
    }
    if names(&method).iter().any(|name| name.as_str().is_err()) {
        return Err(Raise::frame(ReplyCode::FRAME_ERROR, "Malformed UTF-8 in shortstr"));
    }
    Ok(method)
}

/// The names that have to be UTF-8: all but those that publish routes by.
fn names(method: &Method) -> [&ShortStr; 3] {
    static EMPTY: ShortStr = ShortStr::EMPTY;
    let none = &EMPTY;
    match method {
        Method::ConnectionStartOk(start_ok) => [&start_ok.mechanism, &start_ok.locale, none],
        Method::ConnectionOpen(open) => [&open.virtual_host, none, none],
        Method::QueueDeclare(declare) => [&declare.queue, none, none],
        Method::QueueBind(bind) => [&bind.queue, &bind.exchange, &bind.routing_key],
        Method::QueueUnbind(unbind) => [&unbind.queue, &unbind.exchange, &unbind.routing_key],
        Method::QueuePurge(purge) => [&purge.queue, none, none],
        Method::QueueDelete(delete) => [&delete.queue, none, none],
        Method::BasicConsume(consume) => [&consume.queue, &consume.consumer_tag, none],
        Method::BasicCancel(cancel) => [&cancel.consumer_tag, none, none],
        Method::BasicGet(get) => [&get.queue, none, none],
        _ => [none, none, none],
    }
}
