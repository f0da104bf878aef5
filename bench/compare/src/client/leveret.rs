//! Leveret, as its README has it.

use bytes::Bytes;
use leveret::Client;

use super::{Caller, Options};
use crate::Result;

#[derive(Clone)]
pub(super) struct Leveret {
    client: Client,
    queue: String,
    body: Bytes,
}

impl Caller for Leveret {
    async fn connect(options: &Options) -> Result<Self> {
        // The limit is not what is measured.
        let client =
            Client::builder(&*options.url).max_in_flight(options.in_flight + 1).connect().await?;
        let body = Bytes::from(vec![0; options.body_size]);
        Ok(Self { client, queue: options.queue.clone(), body })
    }

    async fn call(&self) -> Result<usize> {
        let reply = self.client.call(&*self.queue, self.body.clone()).await?;
        Ok(reply.body.len())
    }

    async fn close(self) -> Result {
        self.client.close().await;
        Ok(())
    }
}
