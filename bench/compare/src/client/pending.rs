//! What a library for AMQP leaves to its user: whose reply is whose.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::Result;

/// Calls under way, by correlation-id, which is a number: to count is the cheapest way to a new one.
#[derive(Default)]
pub(super) struct Pending {
    last: AtomicU64,
    callers: Mutex<HashMap<u64, oneshot::Sender<Vec<u8>>>>,
}

impl Pending {
    /// A new call's correlation-id, and where its reply will be.
    pub(super) fn call(&self) -> (u64, oneshot::Receiver<Vec<u8>>) {
        let correlation_id = self.last.fetch_add(1, Relaxed);
        let (caller, reply) = oneshot::channel();
        self.callers().insert(correlation_id, caller);
        (correlation_id, reply)
    }

    /// Hands a reply to its caller.
    pub(super) fn reply(&self, correlation_id: Option<&str>, body: Vec<u8>) -> Result {
        let correlation_id = correlation_id.ok_or("a reply without correlation-id")?.parse()?;
        let caller = self.callers().remove(&correlation_id).ok_or("a reply to no request")?;
        // Nobody waits for it once the run has ended.
        _ = caller.send(body);
        Ok(())
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Vec<u8>>>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
