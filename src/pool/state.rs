//! [`CommonState`]: how it is with several connections.

use tokio::sync::watch;

use crate::ConnectionState;

/// The state of several connections as one, which is the best of theirs.
#[derive(Debug)]
pub(crate) struct CommonState {
    of_each: Vec<watch::Receiver<ConnectionState>>,
    best: watch::Sender<ConnectionState>,
}

impl CommonState {
    pub(super) fn new(of_each: Vec<watch::Receiver<ConnectionState>>) -> Self {
        Self { of_each, best: watch::Sender::new(ConnectionState::Connecting) }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<ConnectionState> {
        self.best.subscribe()
    }

    /// One of them has changed.
    pub(crate) fn update(&self) {
        self.best.send_if_modified(|told| {
            // Where two have changed at a time, whoever comes here last sees both.
            let states = self.of_each.iter().map(|state| state.borrow().clone());
            let Some(best) = states.min_by_key(rank) else { return false };
            let is_news = *told != best;
            *told = best;
            is_news
        });
    }
}

/// How good a state is to somebody who has a call to make: 0 is the best.
pub(crate) fn rank(state: &ConnectionState) -> u8 {
    match state {
        ConnectionState::Connected => 0,
        ConnectionState::Unserved { .. } => 1,
        ConnectionState::Blocked { .. } => 2,
        ConnectionState::Connecting => 3,
        ConnectionState::Reconnecting { .. } => 4,
        // What its user has ended, not what has failed.
        ConnectionState::Closed { cause: None } => 5,
        ConnectionState::Closed { cause: Some(_) } => 6,
    }
}
