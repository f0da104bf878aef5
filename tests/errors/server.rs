//! What RabbitMQ refuses a server, and what a server answers instead of a reply.

use leveret::{
    CallError, ConnectError, Fault, FieldValue, Outcome, Queue, Reply, Request, SessionError,
};
use leveret_codec::{FieldTable, ReplyCode, ShortStr, queue as queue_method};

use super::broker::session_error;
use super::seen::{failure, text};
use crate::support::broker::{Broker, unique};
use crate::support::service::{client, echo, end, queue, server};

#[tokio::test]
async fn a_queue_that_was_to_exist_does_not() {
    let broker = Broker::shared().await;
    let name = unique("missing").to_string();
    let error = refused(Queue::new(&name).passive()).await;
    let words = format!("NOT_FOUND - no queue '{name}' in vhost '{}'", broker.virtual_host);
    let hint = " (it is to exist already: declare it, or serve it as not passive)";
    expect(&error, &name, ReplyCode::NOT_FOUND, &words, hint);
}

#[tokio::test]
async fn a_queue_exists_with_other_arguments() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let name = unique("other");
    let mut arguments = FieldTable::new();
    arguments.insert("x-expires", FieldValue::I32(60_000)).unwrap();
    wire.call::<queue_method::DeclareOk>(1, declare(&name, arguments)).await;

    let error = refused(Queue::new(name.to_string())).await;
    let words = format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue '{name}' in vhost '{}': \
         received none but current is the value '60000' of type 'signedint'",
        broker.virtual_host
    );
    let hint =
        " (if it exists with other attributes: declare the same ones, or serve it as passive)";
    expect(&error, &name.to_string(), ReplyCode::PRECONDITION_FAILED, &words, hint);
    delete(&mut wire, name).await;
    wire.close().await;
}

#[tokio::test]
async fn a_queue_belongs_to_another_connection() {
    let broker = Broker::shared().await;
    let mut wire = broker.channel().await;
    let name = unique("exclusive");
    let exclusive = queue_method::Declare { exclusive: true, ..declare(&name, FieldTable::new()) };
    wire.call::<queue_method::DeclareOk>(1, exclusive).await;

    for queue in [Queue::new(name.to_string()), Queue::new(name.to_string()).passive()] {
        let error = refused(queue).await;
        let words = format!(
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost \
             '{}'. It could be originally declared on another connection or the exclusive property \
             value does not match that of the original declaration.",
            broker.virtual_host
        );
        // A text on the wire has 255 octets at most.
        let words = match words.get(..252) {
            Some(beginning) if words.len() > 255 => format!("{beginning}..."),
            _ => words,
        };
        let hint = " (another connection has declared it exclusive)";
        expect(&error, &name.to_string(), ReplyCode::RESOURCE_LOCKED, &words, hint);
    }
    wire.close().await;
}

#[tokio::test]
async fn a_fault_arrives_as_the_handler_made_it() {
    let (name, queue) = queue("fault");
    let server = server()
        .handle(queue, |request: Request| async move {
            Err::<Reply, _>(
                Fault::new("no-funds", "42 € are missing").with_body(request.into_body()),
            )
        })
        .start()
        .await
        .unwrap();
    let client = client().await;
    let error = client.call(&name, "account 7").await.unwrap_err();
    let words = "the server answered with a fault: no-funds: 42 € are missing";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::Executed));
    let CallError::Fault(fault) = error else { panic!("{error:?}") };
    let parts = (fault.code(), fault.message(), &fault.body()[..]);
    assert_eq!(parts, ("no-funds", "42 € are missing", &b"account 7"[..]));
    end(client, server).await;
}

#[tokio::test]
async fn a_panic_arrives_as_a_fault() {
    let (name, queue) = queue("panic");
    let server = server()
        .handle(queue, |request: Request| async move {
            assert!(request.body != "13", "13 is unlucky");
            Ok(request.into_body())
        })
        .start()
        .await
        .unwrap();
    let client = client().await;
    let error = client.call(&name, "13").await.unwrap_err();
    let words = "the server answered with a fault: panic: 13 is unlucky";
    assert_eq!(failure(&error), (words.to_owned(), Outcome::Executed));
    assert_eq!(client.call(&name, "14").await.unwrap().body, "14");
    end(client, server).await;
}

/// Why a server of this queue does not start.
pub(super) async fn refused(queue: Queue) -> ConnectError {
    server().handle(queue, echo).start().await.unwrap_err()
}

/// The broker's words, and what can be done about them.
pub(super) fn expect(error: &ConnectError, queue: &str, code: ReplyCode, words: &str, hint: &str) {
    let SessionError::Queue { queue: refused, code: found, text: said, method } =
        session_error(error)
    else {
        panic!("{error:?}")
    };
    assert_eq!((&**refused, *found, &**said), (queue, code, words));
    assert!(matches!(method, (50, 10) | (60, 20)), "{method:?}");
    let (_, address) = super::broker::url_of("", "", "");
    assert_eq!(text(error), format!("{address}: queue \"{queue}\": {} {words}{hint}", code.0));
}

fn declare(name: &ShortStr, arguments: FieldTable) -> queue_method::Declare {
    queue_method::Declare {
        queue: name.clone(),
        durable: true,
        arguments,
        ..queue_method::Declare::default()
    }
}

async fn delete(wire: &mut crate::support::wire::Wire, queue: ShortStr) {
    let delete = queue_method::Delete { queue, ..Default::default() };
    wire.call::<queue_method::DeleteOk>(1, delete).await;
}
