//! Requests that do not leave the client: the fake broker hears nothing of them.

use leveret::connection::Misuse;
use leveret::{CallError, Client, FieldValue, InvalidRequest, LongStr, Outcome};

use super::seen::failure;
use crate::fake::{Fake, hear_goodbye, subscribed};

#[tokio::test]
async fn a_body_above_the_limit_of_the_client() {
    let (fake, client) = connected().await;
    let error = client.call("queue", vec![0; 1001]).await.unwrap_err();
    assert_eq!(error, CallError::BodyTooLarge { size: 1001, limit: 1000 });
    let words = "a body of 1001 octets is more than the limit of 1000";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::NotExecuted));
    end(fake, client).await;
}

#[tokio::test]
async fn names_of_more_than_255_octets() {
    let (fake, client) = connected().await;
    let long = "x".repeat(256);
    let errors = [
        ("the queue", client.call(&long, "hello").await.unwrap_err()),
        ("the exchange", client.request("queue").exchange(&long).send().await.unwrap_err()),
        ("the content type", client.request("queue").content_type(&long).send().await.unwrap_err()),
    ];
    for (what, error) in errors {
        assert!(
            matches!(error, CallError::InvalidRequest(InvalidRequest::TooLong { .. })),
            "{error:?}"
        );
        let words = format!(
            "the request cannot be sent: \
             {what}: 256 octets do not fit into an AMQP short string, which holds 255"
        );
        assert_eq!(failure(&error), (words, Outcome::NotExecuted));
    }
    end(fake, client).await;
}

#[tokio::test]
async fn a_header_of_a_long_name() {
    let (fake, client) = connected().await;
    let request = client.request("queue").header("x".repeat(256), 1);
    let error = request.send().await.unwrap_err();
    assert!(matches!(error, CallError::InvalidRequest(InvalidRequest::Header(_))), "{error:?}");
    let words = "the request cannot be sent: a header: \
                 256 octets do not fit into an AMQP short string, which holds 255";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::NotExecuted));
    end(fake, client).await;
}

/// The first thing that is wrong is the one that is told.
#[tokio::test]
async fn two_things_are_wrong() {
    let (fake, client) = connected().await;
    let request = client.request("queue").header("x".repeat(256), 1).exchange("x".repeat(300));
    let error = request.send().await.unwrap_err();
    assert!(matches!(error, CallError::InvalidRequest(InvalidRequest::Header(_))), "{error:?}");
    end(fake, client).await;
}

/// The fake broker's frames hold 4096 octets, and a content header is one frame.
#[tokio::test]
async fn headers_that_do_not_fit_into_a_frame() {
    let (fake, client) = connected().await;
    let value = FieldValue::LongStr(LongStr::new(vec![b'x'; 4096]).unwrap());
    let error = client.request("queue").header("x", value).send().await.unwrap_err();
    let CallError::InvalidRequest(InvalidRequest::Misuse(misuse)) = &error else {
        panic!("{error:?}")
    };
    let Misuse::FrameTooLarge { size, frame_max: 4096 } = *misuse else { panic!("{misuse:?}") };
    let words = format!(
        "the request cannot be sent: \
         {size} octets of headers or arguments do not fit into a frame of 4096"
    );
    assert_eq!(failure(&error), (words, Outcome::NotExecuted));
    end(fake, client).await;
}

/// The subscription has the one channel that the URI allows.
#[tokio::test]
async fn no_channel_is_left_for_a_call_on_its_own() {
    let fake = Fake::new(|stream| async { hear_goodbye(subscribed(stream).await).await }).await;
    let client = Client::connect(&format!("{}/%2f?channel_max=1", fake.url())).await.unwrap();
    let error = client.request("queue").own_channel().send().await.unwrap_err();
    let misuse = Misuse::NoFreeChannel(1);
    assert_eq!(error, CallError::InvalidRequest(InvalidRequest::Misuse(misuse)));
    let words = "the request cannot be sent: all 1 channels of the connection are in use";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::NotExecuted));
    end(fake, client).await;
}

async fn connected() -> (Fake, Client) {
    let fake = Fake::new(|stream| async { hear_goodbye(subscribed(stream).await).await }).await;
    let client = Client::builder(fake.url()).max_body_size(1000).connect().await.unwrap();
    (fake, client)
}

async fn end(fake: Fake, client: Client) {
    client.close().await;
    fake.finish().await;
}
