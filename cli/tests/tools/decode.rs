//! What leveret decode prints of octets that are frames.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::program::{run, run_with};

pub(crate) fn capture(version: &str, name: &str) -> PathBuf {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../codec/tests/captures");
    captures.join(format!("rabbitmq-{version}/{name}.bin"))
}

async fn decoded(path: &Path, more: &[&str]) -> String {
    let mut arguments = vec!["decode", path.to_str().unwrap()];
    arguments.extend(more);
    let said = run(&arguments).await;
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{}", path.display());
    said.stdout
}

#[tokio::test]
async fn a_client_s_octets_are_a_line_a_frame() {
    let text = decoded(&capture("4.3", "1-client"), &[]).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "protocol header AMQP 0 0 9 1");
    assert!(lines[1].starts_with("0 connection.start-ok client-properties={capabilities={"));
    for line in [
        "0 connection.tune-ok channel-max=2047 frame-max=131072 heartbeat=60",
        r#"0 connection.open virtual-host="/""#,
        "1 channel.open",
        r#"1 basic.consume queue="amq.rabbitmq.reply-to" consumer-tag="requester" no-local=false no-ack=true exclusive=false nowait=false arguments={}"#,
        r#"1 basic.publish exchange="" routing-key="capture" mandatory=true immediate=false"#,
        r#"1 body of 5 octets: "hello""#,
        r#"1 body of 11 octets: "nobody home""#,
    ] {
        assert!(lines.contains(&line), "{line} is not in\n{text}");
    }
    let header = lines.iter().find(|line| line.starts_with("1 header body-size=5 ")).unwrap();
    for part in [r#"content-type="text/plain""#, "decimal=314e-2", r#"array=[1, "two", [3]]"#] {
        assert!(header.contains(part), "{part} is not in {header}");
    }
    let long = lines.iter().find(|line| line.starts_with("1 body of 20000 octets: ")).unwrap();
    assert!(long.ends_with("\"..."), "{long}");
}

#[tokio::test]
async fn a_broker_s_octets_are_decoded_as_well() {
    let text = decoded(&capture("3.10", "3-server"), &[]).await;
    assert!(text.starts_with("0 connection.start version-major=0 version-minor=9"), "{text}");
    let last = r#"0 connection.close reply-code=540 reply-text="NOT_IMPLEMENTED - immediate=true" class-id=60 method-id=40"#;
    assert_eq!(text.lines().last(), Some(last));
}

#[tokio::test]
async fn as_json_a_frame_is_an_object() {
    let text = decoded(&capture("4.3", "1-client"), &["--json"]).await;
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(all[0], json!({"offset": 0, "type": "protocol-header", "version": [0, 0, 9, 1]}));
    assert_eq!((&all[1]["offset"], &all[1]["channel"]), (&json!(8), &json!(0)));
    assert_eq!(all[1]["fields"]["client_properties"]["product"], "aiormq");
    let publish = all.iter().position(|one| one["method"] == "basic.publish").unwrap();
    assert_eq!(
        all[publish]["fields"],
        json!({"exchange": "", "routing_key": "capture", "mandatory": true, "immediate": false})
    );
    let (header, body) = (&all[publish + 1], &all[publish + 2]);
    assert_eq!((&header["type"], &header["body_size"]), (&json!("header"), &json!(5)));
    let properties = &header["properties"];
    assert_eq!(properties["correlation_id"], "call-1");
    assert_eq!(properties["headers"]["octets"], json!({"hex": "00ff"}));
    assert_eq!(properties["headers"]["table"], json!({"inner": {"deep": true}}));
    assert_eq!(properties["headers"]["nothing"], Value::Null);
    assert_eq!((&body["length"], &body["preview"]), (&json!(5), &json!("\"hello\"")));
}

#[tokio::test]
async fn every_capture_is_decoded_to_its_end() {
    for version in ["3.10", "4.3"] {
        for name in ["1-client", "1-server", "2-client", "2-server", "3-client", "3-server"] {
            let path = capture(version, name);
            let (text, objects) = (decoded(&path, &[]).await, decoded(&path, &["--json"]).await);
            assert!(text.lines().count() >= 4, "{text}");
            assert_eq!(text.lines().count(), objects.lines().count());
        }
    }
}

#[tokio::test]
async fn a_password_is_not_shown() {
    for more in [&[][..], &["--json"]] {
        let text = decoded(&capture("4.3", "1-client"), more).await;
        let line = text.lines().nth(1).unwrap();
        assert!(line.contains("***") && !line.contains("guest"), "{line}");
    }
    // connection.update-secret "open-sesame", "renewed"
    let update =
        b"\x01\x00\x00\x00\x00\x00\x1b\x00\x0a\x00\x46\x00\x00\x00\x0bopen-sesame\x07renewed\xce";
    let said = run_with(&["decode"], update).await;
    assert_eq!(
        said.stdout, "0 connection.update-secret new-secret=*** reason=\"renewed\"\n",
        "{said:?}"
    );
}

/// In each form in which octets are usually handed around.
#[tokio::test]
async fn hex_is_decoded_as_the_octets_are() {
    let octets = fs::read(capture("4.3", "3-client")).unwrap();
    let expected = decoded(&capture("4.3", "3-client"), &["--json"]).await;
    let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let wrapped: Vec<String> = pairs.chunks(30).map(<[String]>::concat).collect();
    let forms = [
        ("plain", pairs.concat()),
        ("upper case", pairs.concat().to_uppercase()),
        ("xxd -p", wrapped.join("\n")),
        ("colons", pairs.join(":")),
        ("source", format!("0x{}", pairs.join(", 0x"))),
        ("xxd", xxd(&octets)),
        ("hexdump -C", hexdump(&octets)),
        ("CRLF", hexdump(&octets).replace('\n', "\r\n")),
    ];
    for (form, text) in forms {
        let said = run_with(&["decode", "--json", "-"], text.as_bytes()).await;
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{form}:\n{text}");
        assert_eq!(said.stdout, expected, "{form}");
    }
}

/// `*` stands for rows that are all the same.
#[tokio::test]
async fn rows_that_hexdump_leaves_out_are_filled_in() {
    let body = "03 00 01 00 00 00 39 61  61 61 61 61 61 61 61 61";
    let same = "61 61 61 61 61 61 61 61  61 61 61 61 61 61 61 61";
    let text = format!(
        "00000000  {body}  |......9aaaaaaaaa|\n00000010  {same}  |aaaaaaaaaaaaaaaa|\n*\n\
         00000040  ce  |.|\n00000041\n"
    );
    let said = run_with(&["decode"], text.as_bytes()).await;
    let expected = format!("1 body of 57 octets: \"{}\"\n", "a".repeat(57));
    assert_eq!((said.stdout.as_str(), said.code), (expected.as_str(), Some(0)), "{said:?}");
}

#[tokio::test]
async fn nothing_is_no_frame_and_no_error() {
    let said = run_with(&["decode"], b"").await;
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(0), "", ""));
}

/// As xxd 2024 prints it.
pub(crate) fn xxd(octets: &[u8]) -> String {
    rows(octets, |offset, row| {
        let pairs = row.chunks(2).map(hex).collect::<Vec<_>>().join(" ");
        format!("{offset:08x}: {pairs:<39}  {}\n", printable(row))
    })
}

/// As hexdump -C prints it.
fn hexdump(octets: &[u8]) -> String {
    let text = rows(octets, |offset, row| {
        let halves = row.chunks(8).map(|half| {
            half.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" ")
        });
        let halves = halves.collect::<Vec<_>>().join("  ");
        format!("{offset:08x}  {halves:<48}  |{}|\n", printable(row))
    });
    format!("{text}{:08x}\n", octets.len())
}

fn rows(octets: &[u8], row: impl Fn(usize, &[u8]) -> String) -> String {
    octets.chunks(16).enumerate().map(|(at, octets)| row(at * 16, octets)).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn printable(row: &[u8]) -> String {
    row.iter().map(|o| if (0x20..0x7f).contains(o) { char::from(*o) } else { '.' }).collect()
}
