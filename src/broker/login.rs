//! The methods of the connection: login, limits, virtual host, close.

use alloc::format;
use alloc::string::{String, ToString};

use bytes::Bytes;
use leveret_codec::{FieldTable, FieldValue, LongStr, Method, ReplyCode, connection as method};

use super::heartbeat::Heartbeat;
use super::node::{Node, SessionId};
use super::raise::{Raise, Raised};
use super::session::State;
use crate::Instant;

impl Node {
    pub(super) fn connection_method(
        &mut self,
        id: SessionId,
        now: Instant,
        method: Method,
    ) -> Raised {
        let state = self.session(id)?.state;
        match (state, method) {
            (State::ExpectCloseOk, Method::ConnectionCloseOk(_)) => {
                self.handle_eof(id, now);
                Ok(())
            }
            (State::ExpectCloseOk, Method::ConnectionClose(_)) => {
                self.session(id)?.send(0, method::CloseOk {});
                Ok(())
            }
            (State::ExpectCloseOk, _) => Ok(()),
            (State::ExpectStartOk, Method::ConnectionStartOk(start_ok)) => {
                self.log_in(id, now, &start_ok)
            }
            (State::ExpectTuneOk, Method::ConnectionTuneOk(tune_ok)) => {
                self.tune(id, now, &tune_ok)
            }
            (State::ExpectOpen, Method::ConnectionOpen(open)) => self.enter(id, &open),
            (State::ExpectStartOk | State::ExpectTuneOk, _) => Err(Raise::Silence),
            (_, Method::ConnectionClose(_)) => self.closed_by_client(id, now),
            (State::Running, Method::ConnectionUpdateSecret(_)) => {
                self.session(id)?.send(0, method::UpdateSecretOk {});
                Ok(())
            }
            (State::Running, Method::ConnectionSecureOk(_)) | (_, _) => {
                let text = match state {
                    State::Running => "unexpected method in connection state running",
                    _ => "unexpected method in connection state opening",
                };
                Err(Raise::connection(ReplyCode::CHANNEL_ERROR, text))
            }
        }
    }

    fn log_in(&mut self, id: SessionId, now: Instant, start_ok: &method::StartOk) -> Raised {
        let (mut cancel, mut blocked, mut refusal) = (false, false, false);
        if let Some(FieldValue::Table(can)) = start_ok.client_properties.get("capabilities") {
            let has = |name| can.get(name) == Some(FieldValue::Bool(true));
            cancel = has("consumer_cancel_notify");
            blocked = has("connection.blocked");
            refusal = has("authentication_failure_close");
        }
        let mechanism = start_ok.mechanism.to_string();
        let known = self.settings.version.mechanisms().split(' ').any(|name| name == mechanism);
        let user = self.user(&mechanism, &start_ok.response.0);
        let tune = self.settings.tune();
        let session = self.session(id)?;
        session.hears_of_cancel = cancel;
        session.hears_of_blocked = blocked;
        session.hears_of_refusal = refusal;
        match user {
            _ if !known => Err(Raise::Silence),
            Some(user) => {
                session.user = user;
                session.state = State::ExpectTuneOk;
                session.send(0, tune);
                Ok(())
            }
            None if refusal => {
                let text = format!(
                    "Login was refused using authentication mechanism {mechanism}. For details \
                     see the broker logfile."
                );
                session.close(now, ReplyCode::ACCESS_REFUSED, &text, (0, 0));
                Ok(())
            }
            None => Err(Raise::Silence),
        }
    }

    /// The user whose name and password the response holds.
    fn user(&self, mechanism: &str, response: &LongStr) -> Option<String> {
        let (user, password) = match mechanism {
            "ANONYMOUS" => return Some("guest".into()),
            "PLAIN" => {
                let mut parts = response.as_bytes().split(|octet| *octet == 0);
                let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
                (String::from_utf8(user.into()).ok()?, String::from_utf8(password.into()).ok()?)
            }
            "AMQPLAIN" => {
                let table = FieldTable::from_fields(Bytes::copy_from_slice(response.as_bytes()));
                let table = table.ok()?;
                let text = |name| table.get(name)?.as_str().map(ToString::to_string);
                (text("LOGIN")?, text("PASSWORD")?)
            }
            _ => return None,
        };
        (self.settings.users.get(&user)?.password == password).then_some(user)
    }

    /// RabbitMQ gives the reason of a refusal to its log alone and hangs up.
    fn tune(&mut self, id: SessionId, now: Instant, tune_ok: &method::TuneOk) -> Raised {
        let offer = self.settings.tune();
        let fits = |value: u32, offered: u32, minimum: u32| {
            (value == 0 || value >= minimum) && (offered == 0 || (value != 0 && value <= offered))
        };
        let (channel_max, frame_max) = (tune_ok.channel_max, tune_ok.frame_max);
        let min_frame_max = self.settings.version.min_frame_max();
        if !fits(channel_max.into(), offer.channel_max.into(), 1)
            || !fits(frame_max, offer.frame_max, min_frame_max)
        {
            return Err(Raise::Silence);
        }
        let session = self.session(id)?;
        session.channel_max = channel_max;
        session.frame_max = if frame_max == 0 { u32::MAX } else { frame_max };
        session.heartbeat = Heartbeat::new(tune_ok.heartbeat, now);
        session.state = State::ExpectOpen;
        Ok(())
    }

    fn enter(&mut self, id: SessionId, open: &method::Open) -> Raised {
        let name = open.virtual_host.to_string();
        if !self.hosts.contains_key(&name) {
            let text = format!("vhost {name} not found");
            return Err(Raise::connection(ReplyCode::NOT_ALLOWED, text));
        }
        self.permit_entry(id, &name)?;
        let session = self.session(id)?;
        session.virtual_host = name;
        session.state = State::Running;
        session.deadline = None;
        session.send(0, method::OpenOk {});
        Ok(())
    }
}
