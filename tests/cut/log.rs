//! What the handlers have seen, and the servers they belong to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use leveret::broker::Broker;
use leveret::{CallError, ConnectError, Outcome, Reconnect, Reply, Request, Server};

use super::patiently;

/// Which requests the handlers have seen, and for each time whether it came as delivered again.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<BTreeMap<String, Vec<bool>>>>);

impl Log {
    /// A server of the queue "echo" that writes down whatever comes.
    pub(super) async fn serve(
        &self,
        broker: &Broker,
        reconnect: Reconnect,
    ) -> Result<Server, ConnectError> {
        let log = self.clone();
        let handler = move |request: Request| {
            log.note(request.text().unwrap().to_owned(), request.redelivered);
            async move { Ok(request.into_body()) }
        };
        let builder = Server::builder(broker.url()).connection_name("server");
        patiently(builder.reconnect(reconnect).handle("echo", handler).start()).await
    }

    fn note(&self, request: String, redelivered: bool) {
        self.0.lock().unwrap().entry(request).or_default().push(redelivered);
    }

    /// Each time that this request was seen.
    pub(super) fn times(&self, request: &str) -> Vec<bool> {
        self.0.lock().unwrap().get(request).cloned().unwrap_or_default()
    }

    /// What a call came to is the truth, so far and for good.
    pub(super) fn bears_out(&self, request: &str, result: &Result<Reply, CallError>) {
        let times = self.times(request);
        match result {
            Ok(reply) => {
                assert_eq!(reply.text().unwrap(), request, "its own reply");
                assert!(!times.is_empty(), "a reply to {request}, which nobody has seen");
            }
            Err(error) => match error.outcome() {
                Outcome::NotExecuted => {
                    assert!(times.is_empty(), "{request} was not run, and seen: {error:?}");
                }
                Outcome::Executed => panic!("{request}: no handler answers so: {error:?}"),
                Outcome::Unknown => {}
            },
        }
    }

    /// Nobody has seen a request twice that was not delivered again.
    pub(super) fn has_no_doubles(&self) {
        for (request, times) in &*self.0.lock().unwrap() {
            let first = times.iter().filter(|redelivered| !**redelivered).count();
            assert!(first <= 1, "{request}: {times:?}");
        }
    }
}
