//! [`Failure`]: what a command says on stderr, and the code that it exits with.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use leveret::{CallError, ConnectError, ReplyCode, SessionError, TlsError};

use crate::properties::printable;

pub(crate) const OTHER: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const CONNECT: u8 = 3;
pub(crate) const UNROUTABLE: u8 = 4;
pub(crate) const TIMEOUT: u8 = 5;
pub(crate) const FAULT: u8 = 6;
pub(crate) const DISCONNECTED: u8 = 7;
pub(crate) const INTERRUPTED: u8 = 130;

/// For people.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  it went well
    1  another failure than those below
    2  wrong usage: arguments, URL, certificate files
    3  no connection to the broker, or the login was refused
    4  unroutable: there is no such queue or exchange
    5  no reply in time
    6  the server answered with a fault
    7  the connection was lost during the call
  130  interrupted";

/// Why a command did not do what it was to do.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    text: String,
    hint: Option<&'static str>,
}

impl Failure {
    /// A failure with one of the codes above, and what to say about it: no capital letter, no full stop.
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), hint: None }
    }

    /// One that has no code of its own.
    pub(crate) fn other(text: impl Into<String>) -> Self {
        Self::new(OTHER, text)
    }

    /// Nobody takes what is printed.
    pub(crate) fn of_stdout(error: std::io::Error) -> Self {
        Self::other(format!("cannot write to stdout: {error}"))
    }

    /// The user has had enough.
    pub(crate) fn interrupted() -> Self {
        Self::new(INTERRUPTED, "interrupted")
    }

    /// What the program exits with.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// Adds what to do about it.
    pub(crate) fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Says it on stderr, and gives the code.
    pub(crate) fn tell(&self) -> ExitCode {
        const ERROR: Style = AnsiColor::Red.on_default().bold();
        anstream::eprintln!("{ERROR}leveret:{ERROR:#} {}", printable(&self.text));
        if let Some(hint) = self.hint {
            anstream::eprintln!("  {hint}");
        }
        ExitCode::from(self.code)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let code = match &error {
            CallError::Unroutable { .. }
            | CallError::Refused { code: ReplyCode::NOT_FOUND, .. } => UNROUTABLE,
            CallError::Timeout { .. } => TIMEOUT,
            CallError::Fault(_) => FAULT,
            CallError::Disconnected { .. } | CallError::ChannelClosed { .. } => DISCONNECTED,
            CallError::InvalidRequest(_) => USAGE,
            _ => OTHER,
        };
        let hint = match &error {
            CallError::Unroutable { .. } => Some(
                "is the name right, and has a server declared the queue? `leveret ping QUEUE` asks",
            ),
            CallError::Timeout { written: true, cause: None, .. } => {
                Some("`leveret ping QUEUE` says whether somebody serves it; --timeout waits longer")
            }
            CallError::Disconnected { written: true, .. }
            | CallError::ChannelClosed { written: true, .. } => {
                Some("the request may have run: call again only if it may run twice")
            }
            _ => None,
        };
        Self { code, text: error.to_string(), hint }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let text = error.to_string();
        match error {
            ConnectError::Uri(_)
            | ConnectError::TlsOptions(_)
            | ConnectError::TooLong { .. }
            | ConnectError::Argument { .. } => Self::new(USAGE, text),
            ConnectError::Session { source: source @ SessionError::Queue { .. }, .. } => {
                Self { text, ..source.into() }
            }
            ConnectError::Unreachable { .. } => {
                Self::new(CONNECT, text).hint("--url or AMQP_URL says where the broker is")
            }
            ConnectError::Tls { source: TlsError::UnknownIssuer, .. } => {
                Self::new(CONNECT, text).hint("here, --cacert FILE names it")
            }
            ConnectError::Tls { source: TlsError::CertificateRequired, .. } => {
                Self::new(CONNECT, text).hint("here, --cert FILE and --key FILE give it one")
            }
            _ => Self::new(CONNECT, text),
        }
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let code = match &error {
            SessionError::Queue { code: ReplyCode::NOT_FOUND, .. } => UNROUTABLE,
            SessionError::Queue { .. } | SessionError::HandlersAborted { .. } => OTHER,
            _ => DISCONNECTED,
        };
        Self::new(code, error.to_string())
    }
}
