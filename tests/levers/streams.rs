//! Streams that end in their own way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use leveret::broker::script::Dialogue;
use leveret::connection::ConnectionError;
use leveret::{CallError, Client, Reconnect, ReplyCode, SessionError};
use leveret_codec::connection;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::Notify;

use super::patiently;

/// Takes nothing any more when it is told to, and can be read all the same: as a socket whose peer has
/// closed it, before what the peer said last has arrived.
struct Stream {
    inner: DuplexStream,
    broken: Arc<Switch>,
}

#[derive(Default)]
struct Switch {
    is_on: AtomicBool,
    noticed: Notify,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.broken.is_on.load(Ordering::SeqCst) {
            self.broken.noticed.notify_one();
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "no more")));
        }
        Pin::new(&mut self.inner).poll_write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A client over it, and what the peer says when a call was not written. How the call ends.
async fn call_over_a_broken_stream(
    last_words: impl AsyncFnOnce(Dialogue) -> Dialogue,
) -> ConnectionError {
    let (near, far) = duplex(0x1_0000);
    let broken = Arc::new(Switch::default());
    let stream = Stream { inner: near, broken: Arc::clone(&broken) };
    let builder = Client::builder("amqp://rabbit").reconnect(Reconnect::never());
    let (client, dialogue) = tokio::join!(builder.connect_over(stream), async {
        let mut dialogue = Dialogue::new(far);
        dialogue.handshake().await.unwrap();
        dialogue.subscribe().await.unwrap();
        dialogue
    });
    let client = client.unwrap();
    broken.is_on.store(true, Ordering::SeqCst);
    let (error, _dialogue) = tokio::join!(patiently(client.call("queue", "hello")), async {
        broken.noticed.notified().await;
        last_words(dialogue).await
    });
    match error.unwrap_err() {
        CallError::Disconnected { cause: SessionError::Connection(cause), .. } => cause,
        error => panic!("{error:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_said_last_is_heard_though_nothing_can_be_sent_to_it() {
    let cause = call_over_a_broken_stream(async |mut dialogue| {
        let close = connection::Close {
            reply_code: ReplyCode::CONNECTION_FORCED,
            reply_text: "CONNECTION_FORCED - going home".try_into().unwrap(),
            class_id: 0,
            method_id: 0,
        };
        dialogue.send(0, close).await.unwrap();
        dialogue
    })
    .await;
    assert!(cause.to_string().ends_with("320 CONNECTION_FORCED - going home"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_more_is_not_waited_for() {
    let cause = call_over_a_broken_stream(async |dialogue| dialogue).await;
    assert_eq!(cause, ConnectionError::Lost { reason: "no more".to_owned() });
}
