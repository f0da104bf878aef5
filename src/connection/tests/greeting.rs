//! Peers that are no AMQP 0-9-1 broker, recognised by their first octets.

use super::*;

/// The peer greets with `octets`: at once, one by one, and with the end of the socket behind.
#[track_caller]
fn assert_recognised(octets: &[u8], error: &str) {
    let mut at_once = Dialogue::new(Config::default());
    at_once.broker_sends_octets(octets);
    at_once.broker_closes_the_socket();
    at_once.ends_with_text(error);

    let mut one_by_one = Dialogue::new(Config::default());
    one_by_one.broker_sends_octets_one_by_one(octets);
    one_by_one.broker_closes_the_socket();
    one_by_one.ends_with_text(error);

    let mut reset = Dialogue::new(Config::default());
    reset.broker_sends_octets_one_by_one(octets);
    reset.the_socket_fails("connection reset by peer");
    reset.ends_with_text(error);
}

/// As [`assert_recognised`], and no need to wait for the end of the socket.
#[track_caller]
fn assert_recognised_at_once(octets: &[u8], error: &str) {
    assert_recognised(octets, error);

    let mut at_once = Dialogue::new(Config::default());
    at_once.broker_sends_octets(octets);
    at_once.ends_with_text(error);

    let mut one_by_one = Dialogue::new(Config::default());
    let (early, eighth) = octets.split_at(7);
    one_by_one.broker_sends_octets_one_by_one(early);
    one_by_one.no_event();
    assert!(!one_by_one.connection.is_finished(), "seven octets are too few to tell");
    one_by_one.broker_sends_octets_one_by_one(eighth);
    one_by_one.ends_with_text(error);
}

const HTTP: &str = "the peer is an HTTP server and no AMQP broker: RabbitMQ's AMQP port is usually \
     5672, 15672 is its web page";
const TLS: &str =
    "the peer speaks TLS on this port: use amqps://, or the port without TLS (usually 5672)";

#[test]
fn a_web_server() {
    assert_recognised_at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n", HTTP);
    assert_recognised_at_once(b"HTTP/1.0", HTTP);
    assert_recognised(b"HTTP", HTTP);
}

/// An alert has seven octets, one fewer than are waited for.
#[test]
fn a_tls_port() {
    assert_recognised(b"\x15\x03\x03\x00\x02\x02\x0a", TLS);
    assert_recognised(b"\x15\x03", TLS);
    assert_recognised_at_once(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", TLS);
}

/// A TLS port may leave the socket open after its alert.
#[test]
fn a_tls_alert_without_the_end_of_the_socket() {
    let mut dialogue = Dialogue::new(Config::default());
    dialogue.broker_sends_octets(b"\x15\x03\x03\x00\x02\x02\x0a");
    dialogue.advance(seconds(10));
    dialogue.ends_with_text(TLS);
}

#[test]
fn a_broker_of_another_version() {
    let error =
        |header| format!("the peer does not speak AMQP 0-9-1; it answered with \"{header}\"");
    assert_recognised_at_once(b"AMQP\x03\x01\x00\x00", &(error("AMQP 3 1 0 0") + " (AMQP 1.0)"));
    assert_recognised_at_once(b"AMQP\x00\x01\x00\x00", &(error("AMQP 0 1 0 0") + " (AMQP 1.0)"));
    assert_recognised_at_once(b"AMQP\x01\x01\x00\x0a", &error("AMQP 1 1 0 10"));
    let changed = ", which is 0-9-1: something on the way has changed what we sent";
    assert_recognised_at_once(b"AMQP\x00\x00\x09\x01", &(error("AMQP 0 0 9 1") + changed));
}

#[test]
fn a_header_that_is_cut_off() {
    for octets in [&b"A"[..], b"AMQP", b"AMQP\x00\x00\x09"] {
        let mut dialogue = Dialogue::new(Config::default());
        dialogue.broker_sends_octets_one_by_one(octets);
        dialogue.no_event();
        dialogue.broker_closes_the_socket();
        let stage = "before its greeting (connection.start)";
        dialogue.ends(Err(ConnectionError::SilentClose { stage }));
    }
}

#[test]
fn anything_else() {
    let error = |octet| {
        format!("the peer is no AMQP broker: frame, octet 0: 0x{octet:02x} is no frame type")
    };
    assert_recognised_at_once(b"SSH-2.0-OpenSSH_9.2\r\n", &error(b'S'));
    assert_recognised_at_once(b"220 mail ESMTP\r\n", &error(b'2'));
    assert_recognised_at_once(&[0; 64], &error(0));
    assert_recognised(b"AMXP", &error(b'A'));
    assert_recognised(b"?", &error(b'?'));
    assert_recognised_at_once(
        b"\x01\xff\xff\xff\xff\xff\xff\xff",
        "the peer is no AMQP broker: frame, octet 3: a payload of 4294967295 octets is announced, \
         the limit is 1048568",
    );
}

/// The first frame may come in pieces of any size, too.
#[test]
fn a_broker_that_writes_slowly() {
    let mut octets = BytesMut::new();
    on(0, dialogue::start()).encode(&mut octets);
    let mut dialogue = Dialogue::new(Config::default());
    dialogue.broker_sends_octets_one_by_one(&octets);
    assert!(matches!(
        dialogue.sent(),
        Frame::Method { channel: 0, method: Method::ConnectionStartOk(_) }
    ));
}
