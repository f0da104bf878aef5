//! One scripted broker against one client or server.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use leveret::broker::script::{
    Consumer, Dialogue, Greeting, Published, ScriptError, ScriptListener,
};
use leveret::{
    BasicProperties, Client, ConnectError, Reply, ReplyCode, Request, Server, SessionError,
    ShortStr,
};
use leveret_codec::{basic, channel, connection};
use tokio::io::DuplexStream;
use tokio::sync::oneshot;

use crate::arena::{Outcome, attack};

/// Who is attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    Client,
    Server,
}

pub(crate) const VICTIMS: [Victim; 2] = [Victim::Client, Victim::Server];

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// How far the attacker behaves, by what it has heard last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The protocol header.
    Greeting,
    /// connection.start-ok.
    Login,
    /// connection.open.
    Tuned,
    /// channel.open.
    Opened,
    /// The request of a client; a server's basic.consume, which was granted.
    Working,
}

/// What becomes of the victim: the words of its error, or `Ok` if it was served as it should.
pub(crate) type Fate = Result<(), String>;

/// What an attacker does.
pub(crate) trait Script: AsyncFnOnce(Attacker) -> Result<(), ScriptError> {}

impl<S: AsyncFnOnce(Attacker) -> Result<(), ScriptError>> Script for S {}

/// How long connecting and calling may take. Longer than the attacks that end by an error.
const TIMEOUT: Duration = Duration::from_secs(30);

impl Victim {
    /// Lets the victim meet its attacker on a socket.
    pub(crate) async fn duel(self, script: impl Script) -> Fate {
        self.duel_with(TIMEOUT, "", script).await
    }

    /// The same with a limit of time, and with parameters for the URI.
    pub(crate) async fn duel_with(
        self,
        timeout: Duration,
        parameters: &str,
        script: impl Script,
    ) -> Fate {
        let listener = ScriptListener::bind().await.unwrap();
        let url = format!("{}{parameters}", listener.url());
        let (done, served) = oneshot::channel();
        let attack = async { script(Attacker::new(self, listener.accept().await?, done)).await };
        let (fate, ()) = tokio::join!(self.meet(&url, timeout, None, served), play(attack));
        fate
    }

    /// The same without a socket: for virtual time, and where a socket would take megabytes before
    /// it is full.
    pub(crate) async fn duel_without_socket(self, timeout: Duration, script: impl Script) -> Fate {
        let (ours, theirs) = tokio::io::duplex(0x1_0000);
        let (done, served) = oneshot::channel();
        let attack = script(Attacker::new(self, Dialogue::new(theirs), done));
        let victim = self.meet("amqp://nowhere", timeout, Some(ours), served);
        let (fate, ()) = tokio::join!(victim, play(attack));
        fate
    }

    async fn meet(
        self,
        url: &str,
        timeout: Duration,
        stream: Option<DuplexStream>,
        served: oneshot::Receiver<()>,
    ) -> Fate {
        match self {
            Self::Client => call(url, timeout, stream).await,
            Self::Server => serve(url, timeout, stream, served).await,
        }
    }
}

/// The attacker's own failure is the test's, at once.
async fn play(script: impl Future<Output = Result<(), ScriptError>>) {
    if let Err(error) = script.await {
        panic!("{error}");
    }
}

async fn call(url: &str, timeout: Duration, stream: Option<DuplexStream>) -> Fate {
    let builder = Client::builder(url).timeout(timeout).connect_timeout(timeout);
    let client = match stream {
        Some(stream) => builder.connect_over(stream).await,
        None => builder.connect().await,
    };
    let client = client.map_err(|error| words(&error))?;
    match client.call("queue", "hello").await {
        Ok(reply) => {
            assert_eq!(reply.body, "hello back");
            client.close().await;
            Ok(())
        }
        Err(error) => {
            client.close().await;
            // What ended the session says more than how that ended the call.
            let session = client.closed().await.err();
            Err(session.map_or_else(|| error.to_string(), |session| session.to_string()))
        }
    }
}

async fn serve(
    url: &str,
    timeout: Duration,
    stream: Option<DuplexStream>,
    served: oneshot::Receiver<()>,
) -> Fate {
    let builder = Server::builder(url)
        .handle("queue", |_: Request| async { Ok(Reply::from("hello back")) })
        .connect_timeout(timeout)
        .shutdown_timeout(timeout);
    let server = match stream {
        Some(stream) => builder.start_over(stream).await,
        None => builder.start().await,
    };
    let server = server.map_err(|error| words(&error))?;
    tokio::select! {
        stopped = server.stopped() => return stopped.map_err(|error| error.to_string()),
        Ok(()) = served => {}
    }
    server.shutdown().await.map_err(|error: SessionError| error.to_string())
}

/// The error without the address, which differs from run to run.
fn words(error: &ConnectError) -> String {
    match error {
        ConnectError::Session { source, .. } => source.to_string(),
        ConnectError::TimedOut { address, .. } => error.to_string().replace(address, "the peer"),
        other => other.to_string(),
    }
}

/// The scripted broker, with what it knows of its victim.
pub(crate) struct Attacker {
    pub(crate) victim: Victim,
    dialogue: Dialogue,
    /// The client's request that waits for its reply.
    pub(crate) request: Option<Published>,
    /// The server's consumer.
    pub(crate) consumer: Option<Consumer>,
    done: oneshot::Sender<()>,
}

impl Deref for Attacker {
    type Target = Dialogue;

    fn deref(&self) -> &Dialogue {
        &self.dialogue
    }
}

impl DerefMut for Attacker {
    fn deref_mut(&mut self) -> &mut Dialogue {
        &mut self.dialogue
    }
}

impl Attacker {
    fn new(victim: Victim, dialogue: Dialogue, done: oneshot::Sender<()>) -> Self {
        Self { victim, dialogue, request: None, consumer: None, done }
    }

    /// Behaves, up to there.
    pub(crate) async fn behave(&mut self, until: Stage) -> Result<(), ScriptError> {
        let Greeting { start, tune, .. } = Greeting::default();
        if until == Stage::Greeting {
            return self.expect_protocol_header().await;
        }
        self.greet(start).await?;
        if until == Stage::Login {
            return Ok(());
        }
        self.send(0, tune).await?;
        self.expect::<connection::TuneOk>(0).await?;
        self.expect::<connection::Open>(0).await?;
        if until == Stage::Tuned {
            return Ok(());
        }
        self.send(0, connection::OpenOk {}).await?;
        if until == Stage::Opened {
            return self.expect::<channel::Open>(1).await.map(drop);
        }
        self.employ().await
    }

    /// From an open connection to work.
    pub(crate) async fn employ(&mut self) -> Result<(), ScriptError> {
        let consumer = self.accept_consumer().await?;
        self.consumer = Some(consumer);
        if self.victim == Victim::Client {
            self.request = Some(self.expect_publish().await?);
        }
        Ok(())
    }

    /// The tag of the victim's consumer.
    pub(crate) fn tag(&self) -> ShortStr {
        self.consumer.as_ref().expect("the victim consumes").tag.clone()
    }

    /// The victim closes the connection with this code, and the attacker agrees. What it was told.
    pub(crate) async fn expect_close(mut self, code: ReplyCode) -> Result<String, ScriptError> {
        let text = self.expect_words(code).await?;
        // It may have hung up already: it need not wait for an answer to what we did.
        let _ = self.send(0, connection::CloseOk {}).await;
        self.expect_end().await?;
        Ok(text)
    }

    /// The same where the attacker's octets make no frames any more, so that none of them agrees.
    pub(crate) async fn expect_close_and_hang_up(
        mut self,
        code: ReplyCode,
    ) -> Result<String, ScriptError> {
        let text = self.expect_words(code).await?;
        self.dialogue.hang_up().await?;
        Ok(text)
    }

    async fn expect_words(&mut self, code: ReplyCode) -> Result<String, ScriptError> {
        let close = self.expect::<connection::Close>(0).await?;
        assert_eq!(close.reply_code, code, "{}", close.reply_text);
        let text = close.reply_text.to_string();
        let name = format!("{} - ", code.name().unwrap());
        Ok(text.strip_prefix(&name).unwrap_or_else(|| panic!("{text}")).to_owned())
    }

    /// After all that, the victim still works: a client gets its reply, a server answers a request.
    /// Then it ends in good order.
    pub(crate) async fn expect_service(mut self) -> Result<(), ScriptError> {
        match self.victim {
            Victim::Client => {
                let request = self.request.take().expect("the client has called");
                let properties = BasicProperties {
                    correlation_id: request.properties.correlation_id,
                    ..BasicProperties::default()
                };
                let tag = self.tag();
                self.deliver(tag, 1, properties, "hello back").await?;
            }
            Victim::Server => {
                let tag = self.tag();
                self.deliver(tag, 1, request("honest"), "hello").await?;
                self.expect_answer("honest").await?;
                self = self.expect_cancel().await?;
            }
        }
        self.dialogue.goodbye().await
    }

    /// Sends no more, and reads no more.
    pub(crate) async fn hang_up(self) -> Result<(), ScriptError> {
        self.dialogue.hang_up().await
    }

    /// The victim has what it wants, and ends in good order.
    pub(crate) async fn expect_goodbye(self) -> Result<(), ScriptError> {
        self.dialogue.goodbye().await
    }

    /// The server's reply to the request of this correlation-id, and its acknowledgement.
    pub(crate) async fn expect_answer(&mut self, id: &str) -> Result<(), ScriptError> {
        let reply = self.expect_publish().await?;
        assert_eq!(reply.body, "hello back");
        assert_eq!(reply.properties.correlation_id, Some(short(id)));
        self.expect::<basic::Ack>(1).await.map(drop)
    }

    /// The server is shut down, and its consumer cancelled.
    pub(crate) async fn expect_cancel(self) -> Result<Self, ScriptError> {
        let Self { victim, mut dialogue, request, consumer, done } = self;
        done.send(()).expect("the server runs");
        let basic::Cancel { consumer_tag, .. } = dialogue.expect(1).await?;
        dialogue.send(1, basic::CancelOk { consumer_tag }).await?;
        let (done, _) = oneshot::channel();
        Ok(Self { victim, dialogue, request, consumer, done })
    }
}

/// What a request that wants a reply says of itself.
pub(crate) fn request(correlation_id: &str) -> BasicProperties {
    BasicProperties {
        correlation_id: Some(short(correlation_id)),
        reply_to: Some(ShortStr::from_static("amq.rabbitmq.reply-to.g1.token")),
        ..BasicProperties::default()
    }
}

pub(crate) fn short(text: &str) -> ShortStr {
    ShortStr::try_from(text).unwrap()
}

/// Octets that break the protocol, and what both ends are told.
pub(crate) struct Breach {
    pub(crate) octets: Vec<u8>,
    pub(crate) code: ReplyCode,
    /// Words that name it.
    pub(crate) names: &'static str,
}

/// Sends each breach to a client and a server of its own, which have come as far as the stage.
pub(crate) fn breach(name: &str, stage: Stage, breaches: impl IntoIterator<Item = Breach>) {
    let breaches: Vec<Breach> = breaches.into_iter().collect();
    let name = match breaches.len() {
        0 => panic!("nothing to send"),
        1 => name.to_owned(),
        count => format!("{name} ({count} ways)"),
    };
    for victim in VICTIMS {
        attack(&name, victim, async {
            let mut outcome = None;
            for breach in &breaches {
                outcome = Some(break_once(victim, stage, breach).await);
            }
            outcome.unwrap()
        });
    }
}

async fn break_once(victim: Victim, stage: Stage, breach: &Breach) -> Outcome {
    let Breach { octets, code, names } = breach;
    let mut told = String::new();
    let fate = victim.duel(async |mut peer| {
        peer.behave(stage).await?;
        peer.send_bytes(octets).await?;
        told = peer.expect_close(*code).await?;
        Ok(())
    });
    let error = fate.await.expect_err("the victim ends");
    assert_breach(&error, *code, &told);
    assert!(told.contains(names), "{told}");
    Outcome::told(*code, told)
}

/// The user is told what the attacker was told, who may have been told less of it.
pub(crate) fn assert_breach(error: &str, code: ReplyCode, told: &str) {
    let expected = format!("the peer broke the AMQP protocol ({code}): {told}");
    assert!(error.starts_with(&expected), "{error:?} instead of {expected:?}");
}
