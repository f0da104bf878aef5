//! [`Trace`]: the story of a run, for whoever replays its seed.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use leveret::Instant;

/// Keeps what happens, line by line, if anybody wants to read it. Clones keep the same story, so that
/// it outlives a panic.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    story: Option<Arc<Mutex<String>>>,
}

impl Trace {
    /// One that is kept, or one that is not.
    pub fn new(is_kept: bool) -> Self {
        Self { story: is_kept.then(Arc::default) }
    }

    /// Whether anybody wants to read it.
    pub fn is_kept(&self) -> bool {
        self.story.is_some()
    }

    /// Tells one thing.
    pub fn tell(&mut self, now: Instant, what: impl FnOnce() -> String) {
        if let Some(story) = &self.story {
            let mut story = story.lock().unwrap_or_else(PoisonError::into_inner);
            let seconds = now.since_start().as_secs_f64();
            writeln!(story, "{seconds:>11.6}  {}", what()).expect("a string takes everything");
        }
    }

    /// All of it.
    pub fn story(&self) -> String {
        let story = self.story.as_ref();
        let story = story.map(|story| story.lock().unwrap_or_else(PoisonError::into_inner).clone());
        story.unwrap_or_default()
    }
}
