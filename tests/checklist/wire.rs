//! Framing and signs of life.

use std::time::Duration;

use leveret::{Client, FieldTable, FieldValue, LongStr, Reply, Request, Server};
use tokio::time::sleep;

use crate::support::broker::Broker;
use crate::support::service::{client, echo, echo_server, end, queue, server, sized_body, url};

/// `AMQP_URL` with these parameters, besides its own.
fn url_with(parameters: &str) -> String {
    let url = url();
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameters}")
}

/// Client and server of the smallest frame-max that the broker takes, and bodies around it. The
/// broker would close the connection over a frame above that.
#[tokio::test]
async fn items_3_and_8_frames_are_as_small_as_agreed() {
    let broker = Broker::shared().await;
    let frame_max: usize = if broker.at_least(4, 1) { 8192 } else { 4096 };
    let url = url_with(&format!("frame_max={frame_max}"));
    let (name, queue) = queue("frames");
    let server = Server::builder(&url).handle(queue, echo).start().await.unwrap();
    let client = Client::connect(&url).await.unwrap();
    for size in [frame_max - 9, frame_max - 8, frame_max - 7, 100 * (frame_max - 8), 1_000_000] {
        let reply = client.call(&name, sized_body(size)).await.unwrap();
        assert!(reply.body == sized_body(size), "{size} octets");
    }
    end(client, server).await;
}

/// RabbitMQ splits bodies, and neither methods nor content headers.
#[tokio::test]
async fn item_9_a_header_larger_than_frame_max_is_read() {
    let broker = Broker::shared().await;
    let frame_max = if broker.at_least(4, 1) { 8192 } else { 4096 };
    let (name, queue) = queue("large-header");
    let large = LongStr::new(vec![b'x'; 20_000]).unwrap();
    let header = large.clone();
    let server = server()
        .handle(queue, move |_: Request| {
            let header = header.clone();
            async move { Ok(Reply::new("small").header("large", header)?) }
        })
        .start()
        .await
        .unwrap();
    let client = Client::connect(&url_with(&format!("frame_max={frame_max}"))).await.unwrap();
    let reply = client.call(&name, "").await.unwrap();
    assert_eq!(reply.body, "small");
    let headers = reply.properties.headers.clone().unwrap();
    assert_eq!(headers.get("large"), Some(FieldValue::LongStr(large)));
    end(client, server).await;
}

/// The broker drops who is silent for three seconds, and is dropped by who hears nothing for two.
/// The pause is the load: seconds of nothing.
#[tokio::test]
async fn item_11_idle_ends_keep_each_other_alive() {
    let _broker = Broker::shared().await;
    let url = url_with("heartbeat=1");
    let (name, queue) = queue("idle");
    let server = Server::builder(&url).handle(queue, echo).start().await.unwrap();
    let client = Client::connect(&url).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(client.call(&name, "still here").await.unwrap().body, "still here");
    end(client, server).await;
}

/// Every type of value, through the broker and back.
#[tokio::test]
async fn item_12_headers_of_every_type_survive_the_broker() {
    let _broker = Broker::shared().await;
    let mut inner = FieldTable::new();
    inner.insert("deep", "down").unwrap();
    let mut array = leveret::FieldArray::new();
    array.push(1).unwrap();
    array.push(inner.clone()).unwrap();
    let values = [
        FieldValue::Bool(true),
        FieldValue::I8(-8),
        FieldValue::U8(8),
        FieldValue::I16(-16),
        FieldValue::U16(16),
        FieldValue::I32(-32),
        FieldValue::U32(32),
        FieldValue::I64(-64),
        FieldValue::F32(0.5),
        FieldValue::F64(-0.25),
        FieldValue::Decimal { scale: 2, unscaled: 314 },
        FieldValue::try_from("text").unwrap(),
        FieldValue::ByteArray(LongStr::new(&[0, 255][..]).unwrap()),
        FieldValue::Array(array),
        FieldValue::Timestamp(1_700_000_000),
        FieldValue::Table(inner),
        FieldValue::Void,
    ];
    let (name, queue) = queue("types");
    let server = server()
        .handle(queue, |request: Request| async move {
            let mut reply = Reply::default();
            reply.properties.headers = request.properties.headers.clone();
            Ok(reply)
        })
        .start()
        .await
        .unwrap();
    let client = client().await;
    let mut request = client.request(&name);
    for (number, value) in values.iter().enumerate() {
        request = request.header(format!("value {number}"), value.clone());
    }
    let headers = request.send().await.unwrap().properties.headers.clone().unwrap();
    for (number, value) in values.into_iter().enumerate() {
        assert_eq!(headers.get(&format!("value {number}")), Some(value));
    }
    end(client, server).await;
}

/// The version that the broker says is the one under test, and it can do what we need.
#[tokio::test]
async fn items_1_and_2_the_broker_is_understood() {
    let broker = Broker::shared().await;
    let (server, name) = echo_server("greeting").await;
    let client = client().await;
    let properties = client.server_properties();
    let version = properties.get("version").unwrap();
    let major: u32 = version.as_str().unwrap().split('.').next().unwrap().parse().unwrap();
    assert_eq!(broker.at_least(4, 0), major >= 4);
    let Some(FieldValue::Table(capabilities)) = properties.get("capabilities") else {
        panic!("{properties:?}")
    };
    assert_eq!(capabilities.get("direct_reply_to"), Some(FieldValue::Bool(true)));
    client.call(&name, "").await.unwrap();
    end(client, server).await;
}
