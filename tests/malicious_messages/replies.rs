//! Replies of all kinds to a client that waits, and to one that does not.

use std::time::Duration;

use leveret::connection::Unreadable;
use leveret::{BasicProperties, CallError, FieldTable, FieldValue, LongStr, Outcome, ShortStr};

use super::attack::Impostor;
use crate::support::service::sized_body;
use crate::support::wire::nested;

fn assert_unreadable(error: &CallError) {
    assert!(matches!(error, CallError::UnreadableReply(Unreadable::Headers(_))), "{error:?}");
    assert_eq!(error.outcome(), Outcome::Executed);
}

#[tokio::test]
async fn headers_that_cannot_be_read_end_the_call_they_answer_and_no_other() {
    let mut impostor = Impostor::new().await;
    let other = impostor.asked().await;
    for depth in [33, 1000, 15_000] {
        let asked = impostor.asked().await;
        let (address, properties, headers) =
            (asked.address.clone(), asked.properties(), nested(depth));
        let body = sized_body(300_000);
        impostor.wire.publish_with_headers(1, &address, properties, &headers, &body).await;
        assert_unreadable(&asked.ends().await.unwrap_err());
    }
    let asked = impostor.asked().await;
    let (address, properties) = (asked.address.clone(), asked.properties());
    impostor.wire.publish_with_headers(1, &address, properties, &nested(32), b"deep").await;
    assert_eq!(asked.ends().await.unwrap().body, "deep");

    let properties = other.properties();
    impostor.reply(&other, properties, b"honest").await;
    assert_eq!(other.ends().await.unwrap().body, "honest");
    let stats = impostor.goes_on().await;
    assert_eq!((stats.unreadable_replies, stats.failures, stats.replies), (3, 3, 3));
}

#[tokio::test]
async fn headers_that_cannot_be_read_and_answer_no_call_are_dropped() {
    let mut impostor = Impostor::new().await;
    let asked = impostor.asked().await;
    let foreign = Some(ShortStr::from_static("another's"));
    for correlation_id in [None, foreign] {
        let properties = BasicProperties { correlation_id, ..BasicProperties::default() };
        let address = asked.address.clone();
        impostor.wire.publish_with_headers(1, &address, properties, &nested(33), b"body").await;
    }
    let properties = asked.properties();
    impostor.reply(&asked, properties, b"honest").await;
    assert_eq!(asked.ends().await.unwrap().body, "honest");
    assert_eq!(impostor.goes_on().await.unreadable_replies, 2);
}

#[tokio::test]
async fn on_a_channel_of_its_own_a_call_ends_with_whatever_comes() {
    let mut impostor = Impostor::new().await;
    let client = impostor.client.clone();
    let asked = impostor.asked_by(client, true).await;
    let (address, none) = (asked.address.clone(), BasicProperties::default());
    impostor.wire.publish_with_headers(1, &address, none, &nested(33), b"body").await;
    assert_unreadable(&asked.ends().await.unwrap_err());
    impostor.goes_on().await;
}

#[tokio::test]
async fn headers_of_130_kilobytes_and_properties_of_any_octets_arrive() {
    let mut impostor = Impostor::new().await;
    let asked = impostor.asked().await;
    let mut headers = FieldTable::new();
    let large = LongStr::new(vec![0xff; 129_000]).unwrap();
    headers.insert("large", large.clone()).unwrap();
    let octets = Some(ShortStr::new(vec![0xff; 255]).unwrap());
    let properties = BasicProperties {
        headers: Some(headers),
        content_type: octets.clone(),
        content_encoding: octets.clone(),
        priority: Some(255),
        reply_to: octets.clone(),
        message_id: octets.clone(),
        timestamp: Some(u64::MAX),
        message_type: octets.clone(),
        app_id: octets.clone(),
        cluster_id: octets.clone(),
        ..asked.properties()
    };
    impostor.reply(&asked, properties, b"body").await;
    let reply = asked.ends().await.unwrap();
    assert_eq!(reply.properties.message_type, octets);
    let headers = reply.properties.headers.clone().unwrap();
    assert_eq!(headers.get("large"), Some(FieldValue::LongStr(large)));
    impostor.goes_on().await;
}

/// The first counts.
#[tokio::test]
async fn a_flood_of_ten_thousand_replies_to_one_call() {
    const FLOOD: usize = 10_000;
    let mut impostor = Impostor::new().await;
    let asked = impostor.asked().await;
    let properties = asked.properties();
    for number in 0..FLOOD {
        let body = number.to_string();
        impostor.reply(&asked, properties.clone(), body.as_bytes()).await;
    }
    assert_eq!(asked.ends().await.unwrap().body, "0");
    let stats = impostor.goes_on().await;
    assert_eq!((stats.late_replies, stats.replies), (9_999, 2));
}

#[tokio::test]
async fn replies_to_calls_that_have_ended_are_dropped() {
    let mut impostor = Impostor::new().await;
    let (client, queue) = (impostor.client.clone(), impostor.queue.to_string());
    let call = client.request(queue).timeout(Duration::from_millis(50)).send();
    let error = call.await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { written: true, .. }), "{error:?}");
    let (_, late) = impostor.wire.expect_delivery(1).await;

    let dropped = impostor.asked().await;
    dropped.call.abort();
    assert!(dropped.call.await.unwrap_err().is_cancelled());

    // Both are ended, and their slots perhaps used again.
    let asked = impostor.asked().await;
    for correlation_id in [late.properties.correlation_id, Some(dropped.correlation_id)] {
        let properties = BasicProperties { correlation_id, ..BasicProperties::default() };
        impostor.reply(&asked, properties.clone(), b"late").await;
        let address = asked.address.clone();
        impostor.wire.publish_with_headers(1, &address, properties, &nested(33), b"late").await;
    }
    let properties = asked.properties();
    impostor.reply(&asked, properties, b"honest").await;
    assert_eq!(asked.ends().await.unwrap().body, "honest");
    let stats = impostor.goes_on().await;
    assert_eq!((stats.late_replies, stats.unreadable_replies, stats.replies), (2, 2, 2));
}
