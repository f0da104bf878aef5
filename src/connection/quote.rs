//! The peer's words in our errors.

use alloc::string::{String, ToString};
use core::fmt::Display;

use super::{Connection, Credentials};

impl Connection {
    /// The peer's words as an error may quote them: it knows our password, and may repeat it.
    pub(crate) fn quote(&self, words: impl Display) -> String {
        let secrets = self.config.credentials.secret().into_iter().chain(&self.renewed);
        secrets.fold(words.to_string(), |words, secret| match &*secret.0.to_string_lossy() {
            "" => words,
            secret => words.replace(secret, "***"),
        })
    }
}

impl Credentials {
    /// What must not be shown. A password that is the user's name as well, as the guest's is, shows
    /// in any case.
    fn secret(&self) -> Option<&leveret_codec::Secret> {
        match self {
            Self::Plain { username, password } | Self::AmqPlain { username, password } => {
                Some(password).filter(|password| password.0 != *username)
            }
            Self::External => None,
        }
    }
}
