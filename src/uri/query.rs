//! The query of a [`Uri`](super::Uri): the parameters of RabbitMQ's Erlang client.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::UriError;
use super::percent::{Encoded, decode};

/// What the query says. `None`: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) heartbeat: Option<u16>,
    pub(super) connection_timeout: Option<Duration>,
    pub(super) channel_max: Option<u16>,
    pub(super) frame_max: Option<u32>,
    pub(super) auth_mechanism: Option<AuthMechanism>,
    pub(super) ca_certificate_file: Option<String>,
    pub(super) certificate_file: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) server_name: Option<String>,
}

/// A SASL mechanism that Leveret can log in with.
///
/// ```
/// use leveret::uri::{AuthMechanism, Uri};
///
/// let uri: Uri = "amqps://broker?auth_mechanism=external".parse()?;
/// assert_eq!(uri.auth_mechanism(), Some(AuthMechanism::External));
/// # Ok::<(), leveret::uri::UriError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthMechanism {
    /// `plain`: user and password as they are.
    Plain,
    /// `amqplain`: the same two in a field table.
    AmqPlain,
    /// `external`: a TLS client certificate says who we are.
    External,
}

/// The parameters for TLS that Leveret knows.
const TLS_PARAMETERS: [&str; 5] =
    ["cacertfile", "certfile", "keyfile", "server_name_indication", "verify"];

/// Those that it does not.
const OTHER_TLS_PARAMETERS: [&str; 4] =
    ["customize_hostname_check", "depth", "fail_if_no_peer_cert", "password"];

impl Query {
    /// `query = [ parameter *( "&" parameter ) ]`, `parameter = name "=" value`
    pub(super) fn parse(text: &str, is_tls: bool) -> Result<Self, UriError> {
        let mut query = Self::default();
        let mut mechanisms_given = false;
        let mut verify = None;
        for parameter in text.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = decode(name, "the name of a query parameter")?;
            let value = decode(value, "the value of a query parameter")?;
            refuse_tls_parameter(&name, is_tls)?;
            match name.as_str() {
                "heartbeat" => query.set_heartbeat(&value)?,
                "connection_timeout" => query.set_connection_timeout(&value)?,
                "channel_max" => query.set_channel_max(&value)?,
                "frame_max" => query.set_frame_max(&value)?,
                "auth_mechanism" => {
                    mechanisms_given = true;
                    query.auth_mechanism =
                        query.auth_mechanism.or_else(|| AuthMechanism::named(&value));
                }
                "cacertfile" => set_path(&mut query.ca_certificate_file, "cacertfile", value)?,
                "certfile" => set_path(&mut query.certificate_file, "certfile", value)?,
                "keyfile" => set_path(&mut query.key_file, "keyfile", value)?,
                "server_name_indication" => query.set_server_name(value)?,
                "verify" => set_verify(&mut verify, &value)?,
                _ => return Err(UriError::UnknownParameter { name }),
            }
        }
        if query.key_file.is_some() && query.certificate_file.is_none() {
            return Err(UriError::KeyWithoutCertificate);
        }
        if mechanisms_given && query.auth_mechanism.is_none() {
            return Err(UriError::AuthMechanism);
        }
        Ok(query)
    }

    fn set_heartbeat(&mut self, value: &str) -> Result<(), UriError> {
        let expected = "a number of seconds from 0 to 65535";
        set(&mut self.heartbeat, "heartbeat", number(value), expected)
    }

    fn set_connection_timeout(&mut self, value: &str) -> Result<(), UriError> {
        let expected = "a number of milliseconds from 1 to 4294967295";
        let milliseconds: Option<u32> = number(value).filter(|&milliseconds| milliseconds > 0);
        let timeout =
            milliseconds.map(|milliseconds| Duration::from_millis(u64::from(milliseconds)));
        set(&mut self.connection_timeout, "connection_timeout", timeout, expected)
    }

    fn set_channel_max(&mut self, value: &str) -> Result<(), UriError> {
        let expected = "a number from 0 to 65535, where 0 leaves it to the broker";
        set(&mut self.channel_max, "channel_max", number(value), expected)
    }

    fn set_frame_max(&mut self, value: &str) -> Result<(), UriError> {
        let expected =
            "a number of octets from 4096 to 4294967295, or 0, which leaves it to the broker";
        let octets = number(value).filter(|octets| !(1..4096).contains(octets));
        set(&mut self.frame_max, "frame_max", octets, expected)
    }

    /// The Erlang client takes "disable" for not to look at the name at all.
    fn set_server_name(&mut self, value: String) -> Result<(), UriError> {
        let expected = "the name or address that the broker's certificate is for, which is always \
                        checked";
        let name = Some(value).filter(|name| !(name.is_empty() || name == "disable"));
        set(&mut self.server_name, "server_name_indication", name, expected)
    }
}

fn set_path(field: &mut Option<String>, name: &'static str, value: String) -> Result<(), UriError> {
    set(field, name, Some(value).filter(|path| !path.is_empty()), "the path of a file")
}

/// Leveret does nothing else, so there is nothing to keep.
fn set_verify(field: &mut Option<()>, value: &str) -> Result<(), UriError> {
    match value {
        "verify_none" => Err(UriError::VerifyNone),
        _ => set(field, "verify", (value == "verify_peer").then_some(()), "verify_peer"),
    }
}

fn set<T>(
    field: &mut Option<T>,
    name: &'static str,
    value: Option<T>,
    expected: &'static str,
) -> Result<(), UriError> {
    if field.is_some() {
        return Err(UriError::RepeatedParameter { name });
    }
    *field = Some(value.ok_or(UriError::ParameterValue { name, expected })?);
    Ok(())
}

/// Digits only: the standard parser would take a "+".
fn number<T: FromStr>(value: &str) -> Option<T> {
    value.bytes().all(|octet| octet.is_ascii_digit()).then(|| value.parse().ok()).flatten()
}

/// Whoever writes one of these without TLS, or one that Leveret does not know, takes the connection for
/// safer than it is.
fn refuse_tls_parameter(name: &str, is_tls: bool) -> Result<(), UriError> {
    let find = |parameters: &[&'static str]| parameters.iter().find(|it| **it == name).copied();
    match (find(&TLS_PARAMETERS), find(&OTHER_TLS_PARAMETERS)) {
        (_, Some(name)) => Err(UriError::TlsParameter { name }),
        (Some(name), None) if !is_tls => Err(UriError::TlsParameterWithoutTls { name }),
        _ => Ok(()),
    }
}

impl AuthMechanism {
    const ALL: [Self; 3] = [Self::Plain, Self::AmqPlain, Self::External];

    /// The name, as RabbitMQ's URIs have it.
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::AmqPlain => "amqplain",
            Self::External => "external",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}

/// With the `?` in front, if there is anything to say.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.connection_timeout.map(|timeout| timeout.as_millis().to_string());
        let encoded =
            |text: &Option<String>| text.as_ref().map(|text| Encoded(text.as_bytes()).to_string());
        let parameters = [
            ("heartbeat", self.heartbeat.map(|seconds| seconds.to_string())),
            ("connection_timeout", milliseconds),
            ("channel_max", self.channel_max.map(|channels| channels.to_string())),
            ("frame_max", self.frame_max.map(|octets| octets.to_string())),
            ("auth_mechanism", self.auth_mechanism.map(|mechanism| mechanism.name().to_string())),
            ("cacertfile", encoded(&self.ca_certificate_file)),
            ("certfile", encoded(&self.certificate_file)),
            ("keyfile", encoded(&self.key_file)),
            ("server_name_indication", encoded(&self.server_name)),
        ];
        let mut separator = '?';
        for (name, value) in parameters {
            if let Some(value) = value {
                write!(f, "{separator}{name}={value}")?;
                separator = '&';
            }
        }
        Ok(())
    }
}
