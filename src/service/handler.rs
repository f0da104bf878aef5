//! Services as handlers, and how a [`Fault`] gets through layers whose errors are boxes.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};

use tower_service::Service;

use crate::{Fault, Queue, Reply, Request, ServerBuilder};

/// Any error: what the layers of `tower` make of those of the services in them.
pub type BoxError = Box<dyn Error + Send + Sync>;

impl ServerBuilder {
    /// Serves a queue with a service, such as a stack of layers of `tower`. It is cloned for each
    /// request, and called when that clone is ready; what layers share among their clones, such as a
    /// limit, holds for the whole queue. The rest is as for [`handle`](Self::handle).
    ///
    /// Any error becomes a [`Fault`] as [`Fault::from_boxed`] says: a fault of the service is that
    /// fault, whatever layers it came through.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use leveret::service::BoxError;
    /// use leveret::{Fault, Request, Server};
    /// use tower::ServiceBuilder;
    ///
    /// let handler = ServiceBuilder::new()
    ///     // What comes of a layer gets a code of its own.
    ///     .map_err(|error: BoxError| match error.is::<tower::timeout::error::Elapsed>() {
    ///         true => Fault::new("slow", "it took too long"),
    ///         false => Fault::from_boxed(error),
    ///     })
    ///     .timeout(Duration::from_secs(5))
    ///     .service_fn(|request: Request| async move { Ok::<_, Fault>(request.into_body()) });
    /// let server = Server::builder("amqp://localhost").handle_service("ping", handler).start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn handle_service<S>(self, queue: impl Into<Queue>, service: S) -> Self
    where
        S: Service<Request, Response: Into<Reply>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
    {
        // Services in boxes can be cloned by one thread at a time.
        let service = Mutex::new(service);
        self.handle(queue, move |request| {
            let mut service = service.lock().unwrap_or_else(PoisonError::into_inner).clone();
            async move {
                let failed = |error: S::Error| Fault::from_boxed(error.into());
                poll_fn(|context| service.poll_ready(context)).await.map_err(failed)?;
                service.call(request).await.map_err(failed)
            }
        })
    }
}

impl Fault {
    /// The fault that an error is: itself, if it was made of one, or else one of the code "error" with
    /// the error's text.
    ///
    /// ```
    /// use leveret::Fault;
    /// use leveret::service::BoxError;
    ///
    /// let fault = Fault::new("empty", "a number is wanted");
    /// assert_eq!(Fault::from_boxed(BoxError::from(fault.clone())), fault);
    /// assert_eq!(Fault::from_boxed("too late".into()), Fault::new("error", "too late"));
    /// ```
    pub fn from_boxed(error: BoxError) -> Self {
        match error.downcast::<FaultError>() {
            Ok(error) => error.0,
            Err(error) => Self::new("error", error.to_string()),
        }
    }
}

/// So that a fault gets through layers of `tower`; [`Fault::from_boxed`] is the way back.
impl From<Fault> for BoxError {
    fn from(fault: Fault) -> Self {
        Box::new(FaultError(fault))
    }
}

/// A fault is no error itself, because any error becomes a fault with `?`.
#[derive(Debug)]
struct FaultError(Fault);

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for FaultError {}
