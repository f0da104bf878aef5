//! `ping`: what the broker is, how far away it is, and how a queue does.

use std::time::Duration;

use clap::Args;
use leveret::uri::Uri;
use leveret::{FieldTable, FieldValue};
use serde_json::json;

use crate::common::Common;
use crate::failure::{Failure, TIMEOUT};
use crate::interrupt::unless_interrupted;
use crate::properties::printable;
use crate::session::{QueueState, Session};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A queue to ask about
    queue: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What there is to say.
struct Answer {
    product: String,
    version: String,
    has_direct_reply_to: bool,
    is_tls: bool,
    round_trip: Duration,
    queue: Option<QueueState>,
}

/// How often the broker is asked something small.
const ROUND_TRIPS: usize = 5;

/// How long the broker may take once the login is done.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(options: &Options, common: &Common) -> Result<(), Failure> {
    unless_interrupted(async {
        let mut session = Session::open(common).await?;
        let limit = common.connect_timeout.unwrap_or(PATIENCE);
        let answer = tokio::time::timeout(limit, ask(options, common, &mut session)).await;
        let answer = answer.map_err(|_| {
            Failure::new(
                TIMEOUT,
                format!("the broker let us in, and then was silent for {limit:?}"),
            )
        })??;
        let text = if options.json { answer.to_json(options) } else { answer.to_text(options) };
        crate::generate::print(text.as_bytes())?;
        session.close().await
    })
    .await
}

async fn ask(options: &Options, common: &Common, session: &mut Session) -> Result<Answer, Failure> {
    let channel = session.open_channel().await?;
    let mut times = Vec::new();
    for _ in 0..ROUND_TRIPS {
        times.push(session.round_trip(channel).await?);
    }
    times.sort_unstable();
    // After the round trips: the broker closes the channel if there is no such queue.
    let queue = match &options.queue {
        Some(name) => Some(session.queue(channel, name).await?),
        None => None,
    };
    let connection = session.connection();
    let properties = connection.server_properties();
    Ok(Answer {
        product: text(properties, "product"),
        version: text(properties, "version"),
        has_direct_reply_to: connection.server_can("direct_reply_to"),
        is_tls: common.url.parse().is_ok_and(|uri: Uri| uri.is_tls()),
        round_trip: times.get(ROUND_TRIPS / 2).copied().unwrap_or_default(),
        queue,
    })
}

fn text(properties: &FieldTable, name: &str) -> String {
    let value = properties.get(name);
    value.as_ref().and_then(FieldValue::as_str).unwrap_or("unknown").to_owned()
}

impl Answer {
    fn to_text(&self, options: &Options) -> String {
        let supported = if self.has_direct_reply_to { "yes" } else { "no: calls are impossible" };
        let tls = if self.is_tls { "yes" } else { "no" };
        let milliseconds = self.round_trip.as_secs_f64() * 1000.0;
        let mut lines = vec![
            ("broker", format!("{} {}", self.product, self.version)),
            ("direct reply-to", supported.to_owned()),
            ("TLS", tls.to_owned()),
            ("round trip", format!("{milliseconds:.3} ms (median of {ROUND_TRIPS})")),
        ];
        if let Some(QueueState { ready, consumers }) = self.queue {
            lines.push(("queue", options.queue.clone().unwrap_or_default()));
            lines.push(("messages ready", ready.to_string()));
            lines.push(("consumers", consumers.to_string()));
        }
        let line = |(name, value): &(_, String)| format!("{name:<16} {}\n", printable(value));
        lines.iter().map(line).collect()
    }

    fn to_json(&self, options: &Options) -> String {
        let microseconds = u64::try_from(self.round_trip.as_micros()).unwrap_or(u64::MAX);
        let mut answer = json!({
            "product": self.product,
            "version": self.version,
            "direct_reply_to": self.has_direct_reply_to,
            "tls": self.is_tls,
            "round_trip_us": microseconds,
        });
        if let (Some(state), Some(answer)) = (self.queue, answer.as_object_mut()) {
            let QueueState { ready, consumers } = state;
            let queue = json!({"name": options.queue, "ready": ready, "consumers": consumers});
            answer.insert("queue".to_owned(), queue);
        }
        format!("{answer:#}\n")
    }
}
