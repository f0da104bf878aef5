//! [`Unread`]: octets of a client that are no whole frame yet.

use core::fmt;

use bytes::BytesMut;

/// Octets that wait for the rest of their frame. They may be half a login, so they do not show.
#[derive(Default)]
pub(super) struct Unread(pub(super) BytesMut);

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unread({} octets)", self.0.len())
    }
}
