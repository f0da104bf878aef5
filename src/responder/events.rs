//! What the connection tells the responder.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::task::Waker;

use leveret_codec::{Method, ReplyCode, basic, channel as channel_method};

use super::{Arrived, Pending, Queue, QueueState, Responder};
use crate::connection::{Connection, Content, Event, Misuse, Violation};
use crate::engine::Engine;
use crate::{Instant, Request, SessionError};

impl Engine for Responder {
    type Work = Arrived;

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    fn process(&mut self, now: Instant) {
        while let Some(event) = self.connection.poll_event() {
            if let Err(violation) = self.handle_event(now, event) {
                self.connection.fail(now, violation);
            }
        }
        if self.connection.is_finished() {
            self.wake.append(&mut self.observers);
        }
    }

    /// A request that has arrived. Its answer is awaited from now on.
    fn poll_work(&mut self) -> Option<Arrived> {
        let arrived = self.arrived.pop_front()?;
        self.running = self.running.saturating_add(1);
        Some(arrived)
    }

    fn take_wakers(&mut self, wake: &mut Vec<Waker>) {
        wake.append(&mut self.wake);
    }
}

impl Responder {
    fn handle_event(&mut self, now: Instant, event: Event) -> Result<(), Violation> {
        match event {
            Event::Opened => self.open_channels(now),
            Event::ChannelOpened { channel } => {
                if let Err(misuse) = self.begin(channel, QueueState::Opening) {
                    self.end(now, Err(misuse.into()));
                }
            }
            Event::ChannelClosed { channel, close: Some(close) } => {
                self.handle_channel_closed(now, channel, &close);
            }
            Event::Method { channel, method } => return self.handle_method(now, channel, method),
            Event::Content { channel, content } => return self.handle_content(channel, content),
            Event::Closed(result) => self.end(now, result.map_err(SessionError::from)),
            // Replies that cannot be read by the broker now wait in the socket, and the prefetch
            // bounds how many there are.
            Event::Blocked { .. }
            | Event::Unblocked
            | Event::Flow { .. }
            | Event::ChannelClosed { .. }
            | Event::SecretUpdated => {}
        }
        Ok(())
    }

    fn open_channels(&mut self, now: Instant) {
        for queue in &mut self.queues {
            match self.connection.open_channel() {
                Ok(channel) => queue.channel = channel,
                Err(misuse) => return self.end(now, Err(misuse.into())),
            }
        }
    }

    /// Declares the queue and consumes from it, without waiting in between: the channel does one
    /// after the other, and closes over the first that fails.
    fn begin(&mut self, channel: u16, from: QueueState) -> Result<(), Misuse> {
        let Some(queue) = self.queues.iter_mut().find(|queue| queue.channel == channel) else {
            return Ok(());
        };
        if queue.state == from {
            queue.state = QueueState::Declaring;
            self.connection.send(channel, queue.options.declare())?;
            self.connection.send(channel, queue.options.qos())?;
            self.connection.send(channel, queue.options.consume())?;
        }
        Ok(())
    }

    fn handle_method(
        &mut self,
        now: Instant,
        channel: u16,
        method: Method,
    ) -> Result<(), Violation> {
        let Some(queue) = self.queue_on(channel) else { return Err(unasked(&method)) };
        match (queue.state, method) {
            (QueueState::Declaring, Method::QueueDeclareOk(_)) => {
                queue.state = QueueState::Limiting;
            }
            (QueueState::Limiting, Method::BasicQosOk(_)) => queue.state = QueueState::Consuming,
            (QueueState::Consuming, Method::BasicConsumeOk(consume_ok)) => {
                queue.state = QueueState::Serving;
                queue.consumer_tag = consume_ok.consumer_tag;
                self.wake.append(&mut self.observers);
                if self.draining {
                    self.shutdown(now);
                }
            }
            (QueueState::Serving, Method::BasicCancel(cancel))
                if cancel.consumer_tag == queue.consumer_tag =>
            {
                // The queue is gone. The broker takes no cancel-ok for this, up to 4.2.
                self.stats.cancelled_by_broker = self.stats.cancelled_by_broker.saturating_add(1);
                if let Err(misuse) = self.begin(channel, QueueState::Serving) {
                    self.end(now, Err(misuse.into()));
                }
            }
            (
                QueueState::Cancelling,
                Method::BasicCancelOk(basic::CancelOk { consumer_tag })
                | Method::BasicCancel(basic::Cancel { consumer_tag, .. }),
            ) if consumer_tag == queue.consumer_tag => {
                queue.state = QueueState::Cancelled;
                self.close_when_drained(now);
            }
            // The answer to a cancel that crossed the broker's own.
            (QueueState::Cancelled, Method::BasicCancelOk(_)) => {}
            (_, method) => return Err(unasked(&method)),
        }
        Ok(())
    }

    fn handle_content(&mut self, channel: u16, content: Content) -> Result<(), Violation> {
        let Content { method, properties, body } = content;
        let Method::BasicDeliver(deliver) = method else { return Err(unasked(&method)) };
        let index = self.queues.iter().position(|queue| {
            queue.channel == channel
                && matches!(queue.state, QueueState::Serving | QueueState::Cancelling)
                && queue.consumer_tag == deliver.consumer_tag
        });
        let Some(queue) = index else {
            let text = "basic.deliver for a consumer that does not exist";
            return Err(Violation::new(ReplyCode::COMMAND_INVALID, text));
        };
        self.stats.requests = self.stats.requests.saturating_add(1);
        self.stats.redelivered = self.stats.redelivered.saturating_add(deliver.redelivered.into());
        self.arrived.push_back(Arrived {
            queue,
            pending: Pending {
                channel,
                delivery_tag: deliver.delivery_tag,
                reply_to: properties.reply_to.clone().filter(|address| !address.is_empty()),
                correlation_id: properties.correlation_id.clone(),
            },
            request: Request {
                body,
                properties,
                exchange: deliver.exchange,
                routing_key: deliver.routing_key,
                redelivered: deliver.redelivered,
            },
        });
        Ok(())
    }

    /// The broker refuses the queue, or an answer. What it has not seen acknowledged, it delivers
    /// again.
    fn handle_channel_closed(&mut self, now: Instant, closed: u16, close: &channel_method::Close) {
        let Some(queue) = self.queue_on(closed) else { return };
        let queue = queue.options.name();
        let (code, text) = (close.reply_code, close.reply_text.to_string());
        let method = (close.class_id, close.method_id);
        self.end(now, Err(SessionError::Queue { queue, code, text, method }));
    }

    fn queue_on(&mut self, channel: u16) -> Option<&mut Queue> {
        self.queues.iter_mut().find(|queue| queue.channel == channel)
    }
}

fn unasked(method: &Method) -> Violation {
    let text = alloc::format!("{} that nobody asked for", method.name());
    Violation::new(ReplyCode::COMMAND_INVALID, text)
}
