//! The same as in `spans.rs`, of no effect and no cost.

use leveret_codec::ShortStr;

use crate::driver::Shared;
use crate::requester::Outgoing;
use crate::responder::{Answer, Pending};
use crate::uri::Address;
use crate::{CallError, ConnectionState, Reply, Request};

pub(crate) fn connection<F>(_addresses: &[Address], driver: F) -> F {
    driver
}

pub(crate) fn state_changed(_from: &ConnectionState, _to: &ConnectionState) {}

#[derive(Debug, Clone)]
pub(crate) struct Propagation;

impl Propagation {
    pub(crate) const NONE: Self = Self;
}

#[derive(Debug, Clone)]
pub(crate) struct Instrumentation;

impl Instrumentation {
    pub(crate) fn new(_propagation: Propagation, _addresses: &[Address]) -> Self {
        Self
    }

    pub(crate) fn of_queue(&self, _queue: &ShortStr) -> Self {
        Self
    }

    pub(crate) fn call<E>(&self, _outgoing: &mut Outgoing, _shared: &Shared<E>) -> Operation {
        Operation
    }

    pub(crate) fn handler<E>(
        &self,
        _request: &Request,
        _pending: &Pending,
        _shared: &Shared<E>,
    ) -> Operation {
        Operation
    }
}

#[derive(Debug)]
pub(crate) struct Operation;

impl Operation {
    pub(crate) fn run<F: Future>(&self, future: F) -> F {
        future
    }

    pub(crate) fn enter<T>(&self, act: impl FnOnce() -> T) -> T {
        act()
    }

    pub(crate) fn made(&self, _correlation_id: impl FnOnce() -> ShortStr) {}

    pub(crate) fn called(&self, _result: &Result<Reply, CallError>) {}

    pub(crate) fn answered(&self, _answer: &Answer) {}
}
