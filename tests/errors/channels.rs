//! What becomes of the other calls when the broker closes the channel over one of them.

use leveret::{CallError, Client, Outcome, Reconnect, SessionError};
use leveret_codec::{BasicProperties, ReplyCode, ShortStr, basic, channel};

use super::seen::failure;
use crate::fake::{Fake, consume_ok, hear, hear_goodbye, hear_request, subscribed};
use crate::support::wire::Wire;

const TOO_LARGE: &str =
    "PRECONDITION_FAILED - message size 1000 is larger than configured max size 999";

/// The broker does not say which request it was. The size tells, and spares the others the blame.
#[tokio::test]
async fn only_the_body_that_was_too_large_is_blamed() {
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        hear_request(&mut wire).await;
        hear_request(&mut wire).await;
        close_channel(&mut wire, ReplyCode::PRECONDITION_FAILED, TOO_LARGE).await;

        // The client begins anew on the same connection, and all is well.
        hear(&mut wire, 1, "channel.open").await;
        wire.send(1, channel::OpenOk {}).await;
        hear(&mut wire, 1, "basic.consume").await;
        wire.send(1, consume_ok()).await;
        let BasicProperties { correlation_id, .. } = hear_request(&mut wire).await;
        let deliver =
            basic::Deliver { consumer_tag: consume_ok().consumer_tag, ..Default::default() };
        let properties = BasicProperties { correlation_id, ..Default::default() };
        wire.send_content(1, deliver, properties, b"reply").await;
        hear_goodbye(wire).await;
    })
    .await;
    let client = Client::connect(&fake.url()).await.unwrap();
    let (large, small) =
        tokio::join!(client.call("queue", vec![0; 1000]), client.call("queue", vec![0; 10]));

    let error = large.unwrap_err();
    assert_eq!(error, CallError::BodyTooLarge { size: 1000, limit: 999 });
    let words = "a body of 1000 octets is more than the limit of 999";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::NotExecuted));

    let error = small.unwrap_err();
    let (code, text) = (ReplyCode::PRECONDITION_FAILED, TOO_LARGE.to_owned());
    assert_eq!(error, CallError::ChannelClosed { code, text, written: true });
    let words = format!("the broker closed the channel of the call: 406 {TOO_LARGE}");
    assert_eq!(failure(&error), (words, Outcome::Unknown));

    assert_eq!(client.call("queue", "next").await.unwrap().body, "reply");
    client.close().await;
    fake.finish().await;
}

/// Then there is nothing left that the client could do.
#[tokio::test]
async fn the_broker_refuses_the_next_channel() {
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        hear_request(&mut wire).await;
        close_channel(&mut wire, ReplyCode::NOT_FOUND, "NOT_FOUND - no exchange").await;
        hear(&mut wire, 1, "channel.open").await;
        wire.send(1, channel::OpenOk {}).await;
        hear(&mut wire, 1, "basic.consume").await;
        close_channel(&mut wire, ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - no").await;
        hear_goodbye(wire).await;
    })
    .await;
    let client = Client::builder(fake.url()).reconnect(Reconnect::never()).connect().await.unwrap();
    let error = client.call("queue", "first").await.unwrap_err();
    assert!(matches!(error, CallError::ChannelClosed { .. }), "{error:?}");

    let error = client.call("queue", "second").await.unwrap_err();
    let (code, text) = (ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - no".to_owned());
    let cause = SessionError::ReplyConsumerRefused { code, text };
    assert_eq!(error, CallError::Disconnected { written: false, cause });
    let words = "the broker refused the consumer of the replies: 403 \
                 ACCESS_REFUSED - no";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::NotExecuted));
    fake.finish().await;
}

#[tokio::test]
async fn a_channel_of_its_own_is_refused() {
    let fake = Fake::new(|stream| async {
        let mut wire = subscribed(stream).await;
        hear(&mut wire, 2, "channel.open").await;
        wire.send(2, channel::OpenOk {}).await;
        hear(&mut wire, 2, "basic.consume").await;
        let reply_text = ShortStr::from_static("ACCESS_REFUSED - no");
        let reply_code = ReplyCode::ACCESS_REFUSED;
        wire.send(2, channel::Close { reply_code, reply_text, ..Default::default() }).await;
        hear(&mut wire, 2, "channel.close-ok").await;
        hear_goodbye(wire).await;
    })
    .await;
    let client = Client::connect(&fake.url()).await.unwrap();
    let error = client.request("queue").own_channel().send().await.unwrap_err();
    let (code, text) = (ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - no".to_owned());
    assert_eq!(error, CallError::ChannelClosed { code, text, written: false });
    let words = "the broker closed the channel of the call: 403 ACCESS_REFUSED - no";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::NotExecuted));
    client.close().await;
    fake.finish().await;
}

async fn close_channel(wire: &mut Wire, reply_code: ReplyCode, words: &'static str) {
    let reply_text = ShortStr::from_static(words);
    wire.send(1, channel::Close { reply_code, reply_text, class_id: 60, method_id: 40 }).await;
    hear(wire, 1, "channel.close-ok").await;
}
