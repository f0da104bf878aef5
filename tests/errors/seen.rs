//! What is seen of an error.

use std::error::Error;
use std::time::Duration;

use leveret::connection::ConnectionError;
use leveret::{CallError, Client, ConnectError, Outcome, SessionError};
use tokio::net::TcpStream;

use crate::fake::{Fake, PASSWORD};

/// The error's text. Neither it, nor a cause of it, nor `Debug` shows the password.
pub(super) fn text(error: &impl Error) -> String {
    let text = error.to_string();
    let causes = std::iter::successors(error.source(), |&error| error.source());
    for shown in causes.map(ToString::to_string).chain([text.clone(), format!("{error:?}")]) {
        assert!(!shown.contains(PASSWORD), "a password leaks: {shown}");
    }
    text
}

/// The text of a call's error, and whether the request may have run.
pub(super) fn failure(error: &CallError) -> (String, Outcome) {
    (text(error), error.outcome())
}

/// The error of a client that meets a broker which says this. Its text has `BROKER` in place of
/// the address.
pub(super) async fn of_meeting<F, D>(dialogue: F) -> (SessionError, String)
where
    F: FnOnce(TcpStream) -> D + Send + 'static,
    D: Future<Output = ()> + Send + 'static,
{
    let fake = Fake::new(dialogue).await;
    let error = Client::connect(&fake.url()).await.unwrap_err();
    let text = without_address(&fake, &error);
    fake.finish().await;
    match error {
        ConnectError::Session { source, .. } => (source, text),
        other => panic!("the session is to fail: {other:?}"),
    }
}

pub(super) fn without_address(fake: &Fake, error: &ConnectError) -> String {
    text(error).replace(&fake.address.to_string(), "BROKER")
}

pub(super) fn lost(reason: &str) -> SessionError {
    ConnectionError::Lost { reason: reason.to_owned() }.into()
}

/// The future's output, which has to be there within this time.
pub(super) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    let limited = tokio::time::timeout(limit, future).await;
    limited.unwrap_or_else(|_| panic!("it took more than {limit:?}"))
}
