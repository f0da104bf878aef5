//! [`Pool`]: the connections of one client or server.

mod state;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use tokio::sync::watch;

use crate::connect::ConnectError;
use crate::driver::Shared;
use crate::engine::Engine;
use crate::{ConnectionState, Instant};

pub(crate) use self::state::{CommonState, rank};

/// The connections of one client or server: one, or several that do the same. They end with it.
#[derive(Debug)]
pub(crate) struct Pool<E: Engine> {
    first: Member<E>,
    others: Vec<Member<E>>,
    /// That of all of them, if there are others.
    common_state: Option<Arc<CommonState>>,
    /// Where to begin looking for the least loaded one, so that equals have their turns.
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Member<E: Engine> {
    shared: Arc<Shared<E>>,
    /// Calls under way, unless this is the only one.
    calls: AtomicUsize,
    end: fn(&mut E, Instant),
}

impl<E: Engine> Member<E> {
    fn new(shared: Arc<Shared<E>>, end: fn(&mut E, Instant)) -> Self {
        Self { shared, calls: AtomicUsize::new(0), end }
    }
}

/// One that came up goes, too, where another does not.
impl<E: Engine> Drop for Member<E> {
    fn drop(&mut self) {
        self.shared.command(self.end);
    }
}

impl<E: Engine> Pool<E> {
    /// Makes all connections at the same time. Each is ended by `end` when nobody wants it any more,
    /// and all are if one cannot be made.
    pub(crate) async fn connect<F>(
        connections: impl IntoIterator<Item = F>,
        end: fn(&mut E, Instant),
    ) -> Result<Self, ConnectError>
    where
        F: Future<Output = Result<Arc<Shared<E>>, ConnectError>>,
    {
        let members = connections
            .into_iter()
            .map(async |connection| connection.await.map(|shared| Member::new(shared, end)));
        let mut members = try_join_all(members).await?.into_iter();
        let first = members.next().ok_or(ConnectError::NoAddress(vec![]))?;
        Ok(Self::new(first, members.collect()))
    }

    /// A pool of one.
    pub(crate) fn of_one(shared: Arc<Shared<E>>, end: fn(&mut E, Instant)) -> Self {
        Self::new(Member::new(shared, end), Vec::new())
    }

    fn new(first: Member<E>, others: Vec<Member<E>>) -> Self {
        let mut pool = Self { first, others, common_state: None, turn: AtomicUsize::new(0) };
        if !pool.others.is_empty() {
            let states = pool.iter().map(Shared::connection_state).collect();
            let common_state = Arc::new(CommonState::new(states));
            pool.iter().for_each(|shared| shared.share_state(Arc::clone(&common_state)));
            // One of them may have changed before it had where to tell.
            common_state.update();
            pool.common_state = Some(common_state);
        }
        pool
    }

    /// All connections, the first one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Shared<E>> {
        self.members().map(|member| &*member.shared)
    }

    /// The connection that is to say what all of them say alike.
    pub(crate) fn first(&self) -> &Shared<E> {
        &self.first.shared
    }

    /// Where the next call is to go: a connection in the best state, and of several such the one with
    /// the fewest calls under way.
    pub(crate) fn least_loaded(&self) -> Chosen<'_, E> {
        if self.others.is_empty() {
            return Chosen { shared: &self.first.shared, calls: None };
        }
        let count = self.others.len().saturating_add(1);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(count).unwrap_or_default();
        let in_turn = self.members().cycle().skip(turn).take(count);
        let load =
            |member: &&Member<E>| (member.shared.rank(), member.calls.load(Ordering::Relaxed));
        let member = in_turn.min_by_key(load).unwrap_or(&self.first);
        member.calls.fetch_add(1, Ordering::Relaxed);
        Chosen { shared: &member.shared, calls: Some(&member.calls) }
    }

    /// How it is with the best of the connections, now and later.
    pub(crate) fn connection_state(&self) -> watch::Receiver<ConnectionState> {
        match &self.common_state {
            Some(common_state) => common_state.subscribe(),
            None => self.first.shared.connection_state(),
        }
    }

    /// The same, of this moment.
    pub(crate) fn best_state(&self) -> ConnectionState {
        let states = self.iter().map(|shared| shared.query(|engine| engine.connection_state()));
        states.min_by_key(rank).unwrap_or(ConnectionState::Connecting)
    }

    /// Commands all of them.
    pub(crate) fn command(&self, act: impl Fn(&mut E, Instant)) {
        self.iter().for_each(|shared| shared.command(&act));
    }

    /// Waits until each of them has answered, which they do not take back.
    pub(crate) async fn wait<T>(&self, ask: impl Fn(&mut E) -> Poll<T>) -> Vec<T> {
        let mut answers = Vec::new();
        for shared in self.iter() {
            answers.push(shared.wait(&ask).await);
        }
        answers
    }

    fn members(&self) -> impl Iterator<Item = &Member<E>> + Clone {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// The connection that a call goes on. It counts the call until this is dropped.
pub(crate) struct Chosen<'a, E> {
    pub(crate) shared: &'a Shared<E>,
    calls: Option<&'a AtomicUsize>,
}

impl<E> Drop for Chosen<'_, E> {
    fn drop(&mut self) {
        if let Some(calls) = self.calls {
            calls.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Runs all of them at the same time, until one fails. What they have come to, in their order.
pub(crate) async fn try_join_all<T, E, F>(futures: impl IntoIterator<Item = F>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    enum Part<F, T> {
        Running(Pin<Box<F>>),
        Done(T),
    }
    let mut parts: Vec<_> =
        futures.into_iter().map(|future| Part::Running(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut is_done = true;
        for part in &mut parts {
            let Part::Running(future) = part else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(Ok(output)) => *part = Part::Done(output),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => is_done = false,
            }
        }
        if is_done { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await?;
    let done = |part| match part {
        Part::Done(output) => Some(output),
        Part::Running(_) => None,
    };
    Ok(parts.into_iter().filter_map(done).collect())
}
