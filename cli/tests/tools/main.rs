//! The commands decode, broker and bench, as their users meet them: the real program, on the broker
//! inside the process.

#![allow(clippy::disallowed_methods, reason = "the ban on clocks is for the protocol's code")]

mod bench;
mod broker;
mod decode;
mod garbage;
mod program;
mod terminal;
