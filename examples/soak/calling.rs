//! One caller, who makes one call after the other and drops some.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use leveret::{CallError, Client, Outcome, Reply, RequestBuilder};

use super::book::Book;

pub(crate) struct Caller {
    client: Client,
    random: u64,
    pub(crate) tally: Tally,
}

impl Caller {
    pub(crate) fn new(client: Client, seed: u64) -> Self {
        Self { client, random: seed, tally: Tally::default() }
    }

    /// Makes a call. One in ten is dropped; one in a hundred has hardly any time, one in a thousand
    /// goes on a channel of its own, and one in a thousand to nobody.
    pub(crate) async fn call(&mut self, book: &Book, number: u64) {
        let luck = self.random(1000);
        let queue = if luck == 0 { "nobody" } else { "soak" };
        let client = self.client.clone();
        let mut request = client.request(queue).body(number.to_be_bytes().to_vec());
        if luck == 1 {
            request = request.own_channel();
        }
        if (2..12).contains(&luck) {
            request = request.timeout(Duration::from_millis(1 + self.random(20)));
        }
        if number.is_multiple_of(10) {
            let turns = self.random(24);
            return self.drop_after(turns, book, number, request).await;
        }
        let result = request.send().await;
        self.judge(book, number, result);
    }

    /// Makes a call and drops it when others have had their turn that often.
    async fn drop_after(
        &mut self,
        turns: u64,
        book: &Book,
        number: u64,
        request: RequestBuilder<'_>,
    ) {
        let mut call = pin!(request.send());
        let begun = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        if let Poll::Ready(result) = begun {
            return self.judge(book, number, result);
        }
        self.tally.count("dropped");
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    /// Writes down what a call came to.
    fn judge(&mut self, book: &Book, number: u64, result: Result<Reply, CallError>) {
        match result {
            Ok(reply) => {
                self.tally.count("reply");
                book.answered(number, &reply.body);
            }
            Err(error) => {
                let outcome = error.outcome();
                if outcome == Outcome::NotExecuted {
                    book.not_executed(number);
                }
                self.tally.count(&format!("{}, {outcome:?}", name(&error)));
            }
        }
    }

    /// A number below this one.
    fn random(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// The kind of error, without what it says.
fn name(error: &CallError) -> String {
    let text = format!("{error:?}");
    text.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// What became of calls, by its name.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

impl Tally {
    fn count(&mut self, what: &str) {
        match self.0.get_mut(what) {
            Some(count) => *count += 1,
            None => {
                self.0.insert(what.to_owned(), 1);
            }
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (what, count) in other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what came of a call | calls |\n| --- | ---: |")?;
        self.0.iter().try_for_each(|(what, count)| writeln!(f, "| {what} | {count} |"))
    }
}
