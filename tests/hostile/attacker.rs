//! [`Attacker`]: a scripted broker that behaves for a while.

use std::ops::{Deref, DerefMut};

use leveret::broker::script::{Consumer, Dialogue, Greeting, Published, ScriptError};
use leveret::{BasicProperties, ReplyCode, ShortStr};
use leveret_codec::{basic, channel, connection};
use tokio::sync::oneshot;

use crate::duel::Victim;

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
    pub(crate) fn new(victim: Victim, dialogue: Dialogue, done: oneshot::Sender<()>) -> Self {
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
