//! [`Retry`]: which calls are sent again.

use alloc::boxed::Box;

use super::calls::Outgoing;
use crate::{CallError, Outcome};

/// Whether a call is sent again, inside its timeout, when it fails with its connection or with the
/// channel that it shared ([`CallError::Disconnected`], [`CallError::ChannelClosed`]).
///
/// What the broker or a server has answered is final, and so is a timeout. Each time, the request
/// carries the same message-id and correlation-id. After five times it is left at that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Never: the caller decides.
    #[default]
    Never,
    /// If no server has seen the request ([`Outcome::NotExecuted`]).
    NotExecuted,
    /// Also if a server may have run it ([`Outcome::Unknown`]): for requests that may run twice.
    Unknown,
}

/// What is left to be done for a call that fails. Nothing, for most.
#[derive(Debug)]
pub(super) struct Retries(Option<Box<Attempts>>);

/// Those of a call that may be sent again.
#[derive(Debug)]
struct Attempts {
    retry: Retry,
    made: u8,
    /// The request once more, while the first is under way.
    spare: Option<Box<Outgoing>>,
    /// What a former attempt failed of, if a server may have run it.
    unknown: Option<Box<CallError>>,
}

/// How often a call is sent again.
const MAX_RETRIES: u8 = 5;

impl Retries {
    #[inline]
    pub(super) fn new(retry: Retry) -> Self {
        let attempts = || Box::new(Attempts { retry, made: 0, spare: None, unknown: None });
        Self((retry != Retry::Never).then(attempts))
    }

    /// The request is about to be sent.
    #[inline]
    pub(super) fn keep(&mut self, outgoing: &Outgoing) {
        if let Some(attempts) = &mut self.0 {
            attempts.keep(outgoing);
        }
    }

    /// The request to be sent again, where that is allowed, or else the error to end with.
    pub(super) fn after(
        &mut self,
        error: CallError,
        unsent: Option<Box<Outgoing>>,
    ) -> Result<Box<Outgoing>, CallError> {
        match &mut self.0 {
            Some(attempts) => attempts.after(error, unsent),
            None => Err(error),
        }
    }

    /// The error to end with.
    pub(super) fn conclude(&mut self, error: CallError) -> CallError {
        match &mut self.0 {
            Some(attempts) => attempts.conclude(error),
            None => error,
        }
    }
}

impl Attempts {
    fn keep(&mut self, outgoing: &Outgoing) {
        if self.made < MAX_RETRIES {
            self.spare = Some(outgoing.clone().into());
        }
    }

    fn after(
        &mut self,
        error: CallError,
        unsent: Option<Box<Outgoing>>,
    ) -> Result<Box<Outgoing>, CallError> {
        let outcome = error.outcome();
        let is_transient =
            matches!(error, CallError::Disconnected { .. } | CallError::ChannelClosed { .. });
        let is_allowed = match self.retry {
            Retry::Never => false,
            Retry::NotExecuted => outcome == Outcome::NotExecuted,
            Retry::Unknown => outcome != Outcome::Executed,
        };
        if is_transient
            && is_allowed
            && self.made < MAX_RETRIES
            && let Some(outgoing) = self.spare.take().or(unsent)
        {
            self.made = self.made.saturating_add(1);
            if outcome == Outcome::Unknown {
                self.unknown = Some(error.into());
            }
            return Ok(outgoing);
        }
        Err(self.conclude(error))
    }

    /// The last attempt did not run. A former one may have, and then that is what is to be said.
    fn conclude(&mut self, error: CallError) -> CallError {
        match (self.unknown.take(), error) {
            (Some(_), CallError::Timeout { timeout, cause, .. }) => {
                CallError::Timeout { timeout, written: true, cause }
            }
            (Some(unknown), error) if error.outcome() == Outcome::NotExecuted => *unknown,
            (_, error) => error,
        }
    }
}
