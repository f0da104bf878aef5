//! The same as in `spans.rs`, of no effect and no cost.

use crate::requester::Outgoing;
use crate::responder::Answer;
use crate::uri::Address;
use crate::{CallError, ConnectionState, Reply, Request};

pub(crate) fn connection<F>(_addresses: &[Address], driver: F) -> F {
    driver
}

pub(crate) fn state_changed(_from: &ConnectionState, _to: &ConnectionState) {}

pub(crate) struct Operation;

impl Operation {
    pub(crate) fn call(_outgoing: &Outgoing) -> Self {
        Self
    }

    pub(crate) fn handler(_request: &Request) -> Self {
        Self
    }

    pub(crate) fn run<F: Future>(&self, future: F) -> F {
        future
    }

    pub(crate) fn enter<T>(&self, act: impl FnOnce() -> T) -> T {
        act()
    }

    pub(crate) fn called(&self, _result: &Result<Reply, CallError>) {}

    pub(crate) fn answered(&self, _answer: &Answer) {}
}
