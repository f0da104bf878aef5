//! What Ctrl-C does.

use crate::failure::Failure;

/// Ends `work` when the user has had enough.
pub(crate) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        // In this order: nothing is begun that Ctrl-C could not end.
        biased;
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Err(Failure::interrupted()),
            Err(error) => Err(Failure::other(format!("Ctrl-C cannot be waited for: {error}"))),
        },
        result = work => result,
    }
}
