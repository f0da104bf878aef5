//! A client and a server of Leveret on the broker under test.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use leveret::{Client, Fault, FieldValue, Queue, Reply, Request, Server, ServerBuilder};

use super::broker::unique;
pub(crate) use super::broker::url;

/// A queue that nobody else uses and that the broker deletes when it is no longer used.
pub(crate) fn queue(purpose: &str) -> (String, Queue) {
    let name = unique(purpose).to_string();
    (name.clone(), Queue::new(name).argument("x-expires", FieldValue::I32(60_000)))
}

pub(crate) async fn client() -> Client {
    Client::builder(url()).connection_name("leveret test").connect().await.unwrap()
}

pub(crate) fn server() -> ServerBuilder {
    Server::builder(url()).connection_name("leveret test")
}

/// A server that answers with the request's body and content type; its queue's name.
pub(crate) async fn echo_server(purpose: &str) -> (Server, String) {
    let (name, queue) = queue(purpose);
    let server = server().handle(queue, echo).start().await.unwrap();
    (server, name)
}

pub(crate) async fn echo(request: Request) -> Result<Reply, Fault> {
    let mut reply = Reply::new(request.body);
    reply.properties.content_type = request.properties.content_type.clone();
    Ok(reply)
}

/// Ends both in good order.
pub(crate) async fn end(client: Client, server: Server) {
    client.close().await;
    server.shutdown().await.unwrap();
}

/// Numbers that look random and are the same in every run (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Octets of which each depends on its place and on the size, so that a frame lost, doubled or
/// swapped shows.
pub(crate) fn sized_body(size: usize) -> Vec<u8> {
    (0..size).map(|index| u8::try_from((index * 7 + size) % 251).unwrap()).collect()
}
