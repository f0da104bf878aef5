//! [`Held`]: replies without a channel to go on.

use alloc::collections::VecDeque;

use super::letter::Letter;

/// Replies of handlers that have finished while the connection was lost, or their queue's channel: in
/// order, and of no more than [`MAX_HELD`] octets.
#[derive(Debug, Default)]
pub(super) struct Held {
    letters: VecDeque<Letter>,
    octets: usize,
}

/// Octets of bodies that wait for a channel.
const MAX_HELD: usize = 16 << 20;

impl Held {
    /// Keeps a reply, if there is room for it.
    pub(super) fn push(&mut self, letter: Letter) -> bool {
        let octets = self.octets.saturating_add(letter.size());
        if octets > MAX_HELD {
            return false;
        }
        self.octets = octets;
        self.letters.push_back(letter);
        true
    }

    pub(super) fn pop(&mut self) -> Option<Letter> {
        let letter = self.letters.pop_front()?;
        self.octets = self.octets.saturating_sub(letter.size());
        Some(letter)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.letters.len()
    }

    pub(super) fn octets(&self) -> usize {
        self.octets
    }
}
