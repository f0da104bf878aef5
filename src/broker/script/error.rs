//! [`ScriptError`]: where a dialogue went otherwise.

use std::fmt;

/// A dialogue that did not go as its script says: what was expected, what came instead, and all
/// that was said before. It shows so in a failed `unwrap` as well.
#[derive(Clone, PartialEq, Eq)]
pub struct ScriptError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    expected: String,
    came: String,
    said: Vec<String>,
}

impl ScriptError {
    pub(super) fn new(expected: &str, came: String, said: Vec<String>) -> Self {
        Self(Box::new(Inner { expected: expected.into(), came, said }))
    }

    pub(super) fn cancelled() -> Self {
        Self::new("the end of the script", "its task was cancelled".into(), Vec::new())
    }

    /// What the script expected, such as "basic.publish on channel 1".
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// What came instead.
    pub fn came(&self) -> &str {
        &self.0.came
    }

    /// What was said before, a line a frame.
    pub fn dialogue(&self) -> &[String] {
        &self.0.said
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { expected, came, said } = &*self.0;
        write!(f, "expected {expected}, but there came: {came}\nthe dialogue so far:")?;
        if said.is_empty() {
            write!(f, " nothing")?;
        }
        said.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl fmt::Debug for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ScriptError {}
