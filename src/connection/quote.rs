//! The peer's words in our errors.

use alloc::string::{String, ToString};
use core::fmt::Display;

use leveret_codec::ShortStr;

use super::{Connection, Credentials};

impl Connection {
    /// The peer's words as an error may quote them: it knows our password, and may repeat it; and
    /// somebody is to read them, so of more than 255 octets these are the first.
    pub(crate) fn quote(&self, words: impl Display) -> String {
        let secrets = self.config.credentials.secret().into_iter().chain(&self.renewed);
        let words =
            secrets.fold(words.to_string(), |words, secret| match &*secret.0.to_string_lossy() {
                "" => words,
                secret => words.replace(secret, "***"),
            });
        ShortStr::truncated(&words).to_string()
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
