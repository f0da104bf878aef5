//! [`Scene`]: something under test, and what a script has happen to it.

use std::time::Duration;

use leveret::{Instant, Reconnect, Reconnecting};

use crate::limits::holds_at_most;
use crate::script::Script;

pub(crate) trait Scene {
    /// What is held however little is said, the checks around it included, in octets.
    const BASE: u64;
    /// What is held for each octet that somebody hands in.
    const FACTOR: u64;

    /// The first octet of the script says how it begins.
    fn begin(mode: u8) -> Self;

    /// One more thing happens.
    fn step(&mut self, step: u8, script: &mut Script<'_>);

    /// Checks what holds at any time.
    fn look(&mut self);

    /// However it went, it ends.
    fn finish(&mut self);

    /// Octets that somebody has handed in, beyond those of the script.
    fn handed(&self) -> usize;
}

/// Plays the script to its end.
pub(crate) fn play<S: Scene>(octets: &[u8]) {
    holds_at_most(S::BASE, S::FACTOR, || {
        let mut script = Script::new(octets);
        let mut scene = S::begin(script.small());
        while let Some(step) = script.step() {
            scene.step(step, &mut script);
            scene.look();
        }
        scene.finish();
        octets.len() + scene.handed()
    });
}

/// When the scenes begin. Not zero, so that a forgotten clock shows.
pub(crate) const START: Instant = Instant::from_start(Duration::from_secs(1000));

/// How an engine connects anew, in some of the scenes.
pub(crate) const RECONNECTING: Reconnecting = Reconnecting {
    policy: Reconnect::DEFAULT,
    addresses: 2,
    connect_timeout: Duration::from_secs(10),
    seed: 1,
};

/// Has the next timer go off that is due until then. Whether there was one: if not, that is now.
pub(crate) fn next_timer<T>(
    timed: &mut T,
    now: &mut Instant,
    end: Instant,
    poll_timeout: impl Fn(&T) -> Option<Instant>,
    handle_timeout: impl FnOnce(&mut T, Instant),
) -> bool {
    let Some(due) = poll_timeout(timed).filter(|due| *due <= end) else {
        *now = end;
        return false;
    };
    *now = due.max(*now);
    handle_timeout(timed, *now);
    assert!(poll_timeout(timed).is_none_or(|next| next > *now), "a timer that would spin");
    true
}
