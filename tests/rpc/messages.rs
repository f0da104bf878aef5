//! What arrives is what was sent: bodies, properties, faults.

use leveret::{BasicProperties, CallError, Fault, FieldValue, Outcome, Reply, Request, ShortStr};

use crate::support::service::{client, echo_server, end, queue, server, sized_body};

/// Around the largest body of one frame (131,072 less 8 octets), far above it, and none at all.
#[tokio::test]
async fn items_7_and_8_bodies_of_any_size_arrive_unchanged() {
    let (server, name) = echo_server("sizes").await;
    let client = client().await;
    for size in [0, 1, 131_063, 131_064, 131_065, 262_128, 262_129, 8 << 20] {
        let body = sized_body(size);
        let reply = client.call(&name, body.clone()).await.unwrap();
        assert!(reply.body == body, "{size} octets came back as {}", reply.body.len());
    }
    end(client, server).await;
}

#[tokio::test]
async fn properties_and_headers_arrive_both_ways() {
    let (name, queue) = queue("properties");
    let server = server()
        .handle(queue, |request: Request| async move {
            let tenant = request.header("tenant");
            let seen = format!(
                "{:?} {:?} {:?} {} {:?}",
                request.properties.content_type,
                request.properties.message_type,
                request.properties.priority,
                request.redelivered,
                tenant,
            );
            Ok(Reply::new(seen).content_type("text/plain").header("answer", 42)?)
        })
        .start()
        .await
        .unwrap();
    let client = client().await;

    let reply = client
        .request(&name)
        .properties(BasicProperties {
            message_type: Some(ShortStr::from_static("greeting")),
            priority: Some(3),
            ..BasicProperties::default()
        })
        .content_type("application/json")
        .header("tenant", "acme")
        .send()
        .await
        .unwrap();

    assert_eq!(
        reply.text(),
        Ok("Some(\"application/json\") Some(\"greeting\") Some(3) false Some(LongStr(\"acme\"))")
    );
    assert_eq!(reply.properties.content_type, Some(ShortStr::from_static("text/plain")));
    let headers = reply.properties.headers.clone().unwrap();
    assert_eq!(headers.get("answer"), Some(FieldValue::I32(42)));
    end(client, server).await;
}

/// Requests are transient, expire when their caller gives up, and name themselves.
#[tokio::test]
async fn a_request_says_what_it_is() {
    let (name, queue) = queue("request");
    let server = server()
        .handle(queue, |request: Request| async move {
            let properties = request.properties;
            assert_eq!(properties.delivery_mode, Some(1));
            assert_eq!(properties.correlation_id, properties.message_id);
            let expiration = properties.expiration.clone().unwrap_or_default().to_string();
            Ok(expiration)
        })
        .start()
        .await
        .unwrap();
    let client = client().await;
    let timeout = std::time::Duration::from_secs(7);
    let reply = client.request(&name).timeout(timeout).send().await.unwrap();
    let expiration: u64 = reply.text().unwrap().parse().unwrap();
    assert!((6_900..=7_000).contains(&expiration), "{expiration} ms");
    end(client, server).await;
}

#[tokio::test]
async fn a_fault_reaches_the_caller_and_the_server_goes_on() {
    let (name, queue) = queue("faults");
    let server = server()
        .handle(queue, |request: Request| async move {
            let number: u32 = request.text()?.parse()?;
            if number == 13 {
                return Err(Fault::new("unlucky", "13 is not served here").with_body("13"));
            }
            Ok(format!("{}", number * 2))
        })
        .start()
        .await
        .unwrap();
    let client = client().await;

    let error = client.call(&name, "13").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server answered with a fault: unlucky: 13 is not served here"
    );
    assert_eq!(error.outcome(), Outcome::Executed);
    let CallError::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!((fault.code(), &fault.body()[..]), ("unlucky", &b"13"[..]));

    let error = client.call(&name, "x").await.unwrap_err();
    let CallError::Fault(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.to_string(), "error: invalid digit found in string");

    assert_eq!(client.call(&name, "21").await.unwrap().text(), Ok("42"));
    assert_eq!((server.stats().faults, server.stats().replies), (2, 1));
    end(client, server).await;
}

/// The broker would close the channel over such a reply and deliver the request again, for ever.
#[tokio::test]
async fn replies_that_cannot_be_sent_become_faults() {
    let (name, queue) = queue("too-much");
    let server = server()
        .max_reply_size(1000)
        .handle(queue, |request: Request| async move {
            match request.text()? {
                "large" => Ok(Reply::new(vec![0; 1001])),
                "headers" => {
                    let mut reply = Reply::default();
                    for number in 0..200 {
                        reply = reply.header(
                            format!("name {number}"),
                            FieldValue::LongStr(leveret::LongStr::new(vec![b'x'; 1000])?),
                        )?;
                    }
                    Ok(reply)
                }
                _ => Ok(Reply::new(vec![0; 1000])),
            }
        })
        .start()
        .await
        .unwrap();
    let client = client().await;

    let faults = ["large", "headers"].map(|body| client.call(&name, body));
    let [large, headers] = faults.map(|call| async { call.await.unwrap_err().to_string() });
    assert_eq!(
        large.await,
        "the server answered with a fault: \
         reply-too-large: the reply has 1001 octets, the server's limit is 1000"
    );
    let headers = headers.await;
    assert!(headers.contains("invalid-reply: ") && headers.contains("of 131072"), "{headers}");
    assert_eq!(client.call(&name, "fits").await.unwrap().body.len(), 1000);
    end(client, server).await;
}

/// A handler that echoes all of the request's properties must not break its own channel.
#[tokio::test]
async fn echoed_properties_are_harmless() {
    let (name, queue) = queue("echoed");
    let server = server()
        .handle(queue, |request: Request| async move {
            let mut reply = Reply::new(request.body);
            reply.properties = BasicProperties {
                expiration: Some(ShortStr::from_static("soon")),
                user_id: Some(ShortStr::from_static("somebody")),
                reply_to: Some(ShortStr::from_static("amq.rabbitmq.reply-to")),
                ..request.properties.into()
            }
            .into();
            Ok(reply)
        })
        .start()
        .await
        .unwrap();
    let client = client().await;
    for body in ["one", "two"] {
        assert_eq!(client.call(&name, body).await.unwrap().body, body);
    }
    end(client, server).await;
}
