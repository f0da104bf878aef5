//! Calls and handlers of types.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{MIME_TYPE, write};
use crate::{
    CallError, Client, Fault, InvalidRequest, Queue, Reply, Request, RequestBuilder, ServerBuilder,
};

impl Client {
    /// Sends a value to the queue as JSON and waits for the reply, which is read as JSON. What its
    /// content type may be is said at [`Reply::json`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use leveret::{Client, Server, broker::Broker};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize)]
    /// struct Numbers { a: i64, b: i64 }
    ///
    /// #[derive(Deserialize)]
    /// struct Sum { sum: i64 }
    /// # let broker = Broker::start().await?;
    /// # let server = Server::builder(broker.url()).handle_json("sum", |n: std::collections::HashMap<String, i64>| async move {
    /// #     Ok(std::collections::HashMap::from([("sum", n["a"] + n["b"])]))
    /// # }).start().await?;
    /// # let client = Client::connect(broker.url()).await?;
    ///
    /// let Sum { sum } = client.call_json("sum", &Numbers { a: 20, b: 22 }).await?;
    /// assert_eq!(sum, 42);
    /// # client.close().await;
    /// # Ok(server.shutdown().await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError`], as for [`call`](Self::call). If the reply is not the JSON that is wanted, it is
    /// [`CallError::NotJson`], which keeps the reply; if the value has no form in JSON,
    /// [`InvalidRequest::Json`], and nothing was sent.
    pub async fn call_json<T: DeserializeOwned>(
        &self,
        queue: impl AsRef<str>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<T, CallError> {
        self.request(queue).json(value).send_json().await
    }
}

impl RequestBuilder<'_> {
    /// The payload: a value in JSON, and its content type.
    ///
    /// If it has no form in JSON, [`send`](Self::send) fails with [`InvalidRequest::Json`].
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        self.set(|outgoing| {
            outgoing.body = write(value).map_err(InvalidRequest::Json)?.into();
            outgoing.properties.content_type = Some(MIME_TYPE);
            Ok(())
        });
        self
    }

    /// Sends the request and waits for the reply, which is read as JSON.
    ///
    /// ```no_run
    /// # async fn run(client: leveret::Client) -> Result<(), leveret::CallError> {
    /// use std::time::Duration;
    ///
    /// let request = client.request("sum").json(&[20, 22]).timeout(Duration::from_secs(2));
    /// let sum: i64 = request.send_json().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError`], as for [`Client::call_json`].
    pub async fn send_json<T: DeserializeOwned>(self) -> Result<T, CallError> {
        let reply = self.send().await?;
        reply.json().map_err(|error| CallError::NotJson { reply: reply.into(), error })
    }
}

impl ServerBuilder {
    /// Serves a queue with a handler that takes and gives values, which travel as JSON.
    ///
    /// A request whose body is not the JSON that the handler wants does not reach it: its caller gets
    /// a fault of the code [`Fault::INVALID_JSON`], which says what is wrong and where, or
    /// [`Fault::UNSUPPORTED_CONTENT_TYPE`]. The rest is as for [`handle`](Self::handle), with which a
    /// handler that needs more of the request, such as its headers, reads it by [`Request::json`] and
    /// answers with [`Reply::from_json`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use leveret::{CallError, Client, broker::Broker};
    /// # let broker = Broker::start().await?;
    /// use leveret::{Fault, Server};
    ///
    /// let server = Server::builder(broker.url())
    ///     .handle_json("divide", |(a, b): (i64, i64)| async move {
    ///         a.checked_div(b).ok_or(Fault::new("no-quotient", "there is none"))
    ///     })
    ///     .start()
    ///     .await?;
    ///
    /// let client = Client::connect(broker.url()).await?;
    /// let quotient: i64 = client.call_json("divide", &(84, 2)).await?;
    /// assert_eq!(quotient, 42);
    ///
    /// let Err(CallError::Fault(fault)) = client.call_json::<i64>("divide", &("a", 2)).await else { panic!() };
    /// assert_eq!(fault.code(), Fault::INVALID_JSON);
    /// assert!(fault.message().ends_with(r#"invalid type: string "a", expected i64 at line 1 column 4"#));
    /// # client.close().await;
    /// # Ok(server.shutdown().await?)
    /// # }
    /// ```
    pub fn handle_json<In, Out, F>(
        self,
        queue: impl Into<Queue>,
        handler: impl Fn(In) -> F + Send + Sync + 'static,
    ) -> Self
    where
        In: DeserializeOwned,
        Out: Serialize,
        F: Future<Output = Result<Out, Fault>> + Send + 'static,
    {
        self.handle(queue, move |request: Request| {
            let running = request.json().map(&handler);
            async move { Reply::from_json(&running?.await?) }
        })
    }
}
