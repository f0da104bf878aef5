//! `serve --exec`: a command that answers requests, each in a process of its own.

use std::process::{ExitStatus, Output, Stdio};

use leveret::{Fault, Reply, Request};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::properties;

/// For people.
pub(crate) const ENVIRONMENT: &str = "\
What a command of --exec gets:
  on stdin, the request's body; in the environment, where the request has them:
    LEVERET_QUEUE             the queue that is served
    LEVERET_EXCHANGE          the exchange that the request was sent to; empty: the default one
    LEVERET_ROUTING_KEY       its routing key
    LEVERET_REDELIVERED       1: a server may have begun on it before; 0: none has
    LEVERET_TIME_LEFT_MS      how many milliseconds longer its caller waits
    LEVERET_CONTENT_TYPE      and likewise LEVERET_CONTENT_ENCODING, LEVERET_DELIVERY_MODE,
                              LEVERET_PRIORITY, LEVERET_CORRELATION_ID, LEVERET_REPLY_TO,
                              LEVERET_EXPIRATION, LEVERET_MESSAGE_ID, LEVERET_TIMESTAMP (seconds),
                              LEVERET_TYPE, LEVERET_USER_ID and LEVERET_APP_ID
    LEVERET_HEADER_<NAME>     each header, with _ for all but letters and digits in its name; lists
                              and tables as JSON
  A property that contains the octet 0 is left out, for no environment can hold it.
What becomes of it:
  The command's stdout is the reply. If it exits with anything but 0, the caller gets a fault of
  the code exit-<code>, or signal-<number>, with the end of its stderr.";

/// Runs the command on one request.
pub(crate) async fn answer(
    command: &[String],
    queue: &str,
    request: Request,
) -> Result<Reply, Fault> {
    let failed = |what: &str, error| Fault::new("exec", format!("{what}: {error}"));
    let [program, arguments @ ..] = command else {
        return Err(Fault::new("exec", "there is no command"));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment(queue, &request))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for the server, which lets its commands finish.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&format!("cannot run {program}"), error))?;
    let feeding = feed(&mut child, request);
    let (fed, output) = tokio::join!(feeding, child.wait_with_output());
    let output = output.map_err(|error| failed("its output cannot be read", error))?;
    if !output.status.success() {
        return Err(fault(&output));
    }
    fed.map_err(|error| failed("it did not take the request", error))?;
    Ok(Reply::new(output.stdout))
}

/// Writes the body while the output is read: neither waits for the other.
fn feed(child: &mut Child, request: Request) -> impl Future<Output = std::io::Result<()>> + use<> {
    let stdin = child.stdin.take();
    async move {
        let Some(mut stdin) = stdin else { return Ok(()) };
        match stdin.write_all(&request.body).await {
            // It need not read what it does not want.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}

fn environment(queue: &str, request: &Request) -> Vec<(String, String)> {
    let mut variables = vec![
        ("LEVERET_QUEUE".to_owned(), queue.to_owned()),
        ("LEVERET_EXCHANGE".to_owned(), request.exchange.to_string()),
        ("LEVERET_ROUTING_KEY".to_owned(), request.routing_key.to_string()),
        ("LEVERET_REDELIVERED".to_owned(), u8::from(request.redelivered).to_string()),
    ];
    if let Some(time) = request.time_left {
        variables.push(("LEVERET_TIME_LEFT_MS".to_owned(), time.as_millis().to_string()));
    }
    for (name, value) in properties::named(&request.properties) {
        variables.push((format!("LEVERET_{}", variable(name)), value));
    }
    for (name, value) in properties::headers(&request.properties) {
        variables.push((format!("LEVERET_HEADER_{}", variable(&name)), value));
    }
    variables.retain(|(_, value)| !value.contains('\0'));
    variables
}

fn variable(name: &str) -> String {
    let allowed = |character: char| match character.is_ascii_alphanumeric() {
        true => character.to_ascii_uppercase(),
        false => '_',
    };
    name.chars().map(allowed).collect()
}

fn fault(output: &Output) -> Fault {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = end(said.trim_end(), Fault::MAX_MESSAGE);
    let message = if said.is_empty() { output.status.to_string() } else { said.to_owned() };
    Fault::new(code(output.status), message).with_body(output.stdout.clone())
}

fn code(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit-{code}"),
        (None, Some(signal)) => format!("signal-{signal}"),
        (None, None) => "exit".to_owned(),
    }
}

/// As much of the end as there may be.
fn end(text: &str, limit: usize) -> &str {
    let start = text.len().saturating_sub(limit);
    let start = (start..=text.len()).find(|start| text.is_char_boundary(*start));
    start.and_then(|start| text.get(start..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_in_a_variable_is_left_out() {
        let mut request = Request::default();
        let mut headers = leveret::FieldTable::new();
        headers.insert("x-trace.id", "7").unwrap();
        headers.insert("nul", "a\0b").unwrap();
        request.properties.headers = Some(headers);
        let variables = environment("q", &request);
        assert!(variables.contains(&("LEVERET_HEADER_X_TRACE_ID".to_owned(), "7".to_owned())));
        assert!(!variables.iter().any(|(name, _)| name.ends_with("NUL")), "{variables:?}");
    }

    #[test]
    fn of_long_words_the_end_is_kept_and_no_character_cut() {
        assert_eq!(end("abc", 5), "abc");
        assert_eq!(end("abc", 2), "bc");
        assert_eq!(end("aéb", 2), "b");
    }
}
