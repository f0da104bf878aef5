use alloc::collections::BTreeMap;
use alloc::vec;

use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
}

fn reply(content_type: &'static str, body: &'static [u8]) -> Reply {
    Reply::new(body).content_type(content_type)
}

#[test]
fn what_says_that_it_is_json_is_read_as_json() {
    for content_type in [
        "",
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=latin-1",
        " text/json ",
        "application/problem+json",
        "application/cloudevents+JSON;x=y",
    ] {
        assert_eq!(reply(content_type, b"[1,2]").json(), Ok(vec![1, 2]), "{content_type:?}");
    }
}

#[test]
fn what_says_that_it_is_something_else_is_not_read() {
    for content_type in
        ["text/html", "application/jsonl", "json", "application/octet-stream", "+jso", ";"]
    {
        let error = reply(content_type, b"1").json::<u32>().unwrap_err();
        assert_eq!(error, JsonError::ContentType { content_type: content_type.to_string() });
    }
}

#[test]
fn plain_text_is_a_string_whatever_it_looks_like() {
    let text = |body| reply("text/plain; charset=utf-8", body);
    assert_eq!(text("héllo".as_bytes()).json(), Ok("héllo".to_string()));
    assert_eq!(text(b"12").json(), Ok("12".to_string()));
    assert_eq!(text(b"").json(), Ok(String::new()));
    assert_eq!(text(b"x").json(), Ok(Some("x".to_string())));
    assert_eq!(text(b"red").json(), Ok(Colour::Red));
    assert_eq!(text(b"x").json(), Ok(Value::from("x")));
    let error = text(b"12").json::<u32>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the body is not the JSON that is wanted: invalid type: string \"12\", expected u32"
    );
    let error = text(b"\xff").json::<String>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the body is not the JSON that is wanted: invalid utf-8 sequence of 1 bytes from index 0"
    );
}

#[test]
fn nothing_without_a_content_type_is_null_and_with_one_is_no_json() {
    let nothing = Reply::new("");
    assert_eq!(nothing.json(), Ok(()));
    assert_eq!(nothing.json(), Ok(None::<String>));
    assert_eq!(nothing.json(), Ok(Value::Null));
    assert_eq!(
        nothing.json::<u32>().unwrap_err().to_string(),
        "the body is not the JSON that is wanted: invalid type: null, expected u32 at line 1 column 4"
    );
    assert_eq!(
        reply("application/json", b"").json::<()>(),
        Err(JsonError::Body {
            reason: "EOF while parsing a value at line 1 column 0".to_string(),
            line: 1,
            column: 0
        })
    );
}

#[test]
fn an_error_has_its_place() {
    let error = Reply::new("{\n \"a\": tru }").json::<Value>().unwrap_err();
    let JsonError::Body { reason, line, column } = &error else { panic!("{error}") };
    assert_eq!((reason.as_str(), *line, *column), ("expected ident at line 2 column 10", 2, 10));
    assert_eq!(
        Reply::new("1 2").json::<u32>().unwrap_err().to_string(),
        "the body is not the JSON that is wanted: trailing characters at line 1 column 3"
    );
}

#[test]
fn what_nests_without_end_is_refused() {
    let error = Reply::new("[".repeat(1_000_000)).json::<Value>().unwrap_err();
    assert!(error.to_string().contains("recursion limit exceeded at line 1"), "{error}");
}

#[test]
fn a_reply_in_json_says_that_it_is() {
    let reply = Reply::from_json(&[1, 2]).unwrap();
    assert_eq!(reply.text(), Ok("[1,2]"));
    assert_eq!(reply.properties.content_type, Some(ShortStr::from_static("application/json")));
    let fault = Reply::from_json(&BTreeMap::from([((1, 2), 3)])).unwrap_err();
    assert_eq!(
        fault,
        Fault::new("invalid-reply", "the value cannot be written as JSON: key must be a string")
    );
}

#[test]
fn a_request_that_is_not_what_is_wanted_becomes_a_fault_with_a_code() {
    let request = Request { body: Bytes::from_static(b"[1,"), ..Request::default() };
    let fault = request.json::<Value>().unwrap_err();
    assert_eq!(fault.code(), "invalid-json");
    assert!(fault.message().ends_with("EOF while parsing a value at line 1 column 3"), "{fault}");
    let mut request = request;
    request.properties.content_type = Some(ShortStr::from_static("image/png"));
    let fault = request.json::<Value>().unwrap_err();
    assert_eq!(
        fault.to_string(),
        "unsupported-content-type: the body is not JSON: its content type is \"image/png\""
    );
}
