//! Leveret, as its README has it.

use leveret::{Request, Server};
use tokio::sync::oneshot;

use super::{Options, PREFETCH, Served, ready};
use crate::Result;

pub(super) async fn run(options: &Options, served: Served, stop: oneshot::Receiver<()>) -> Result {
    let server = Server::builder(&*options.url)
        .prefetch(PREFETCH)
        .handle(&*options.queue, move |request: Request| {
            served.one_more();
            async move { Ok(request.into_body()) }
        })
        .start()
        .await?;
    ready();
    _ = stop.await;
    Ok(server.shutdown().await?)
}
