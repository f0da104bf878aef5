//! The bounds: what has to hold of which figure.

use super::Limit::{AtLeast, AtMost};
use super::{Bound, Source};
use crate::record::Side;
use crate::results::{Figure, Reference};

const RABBITMQ: &str = "RabbitMQ";
const NULL_RESPONDER: &str = "null responder";

const fn client(
    against: &'static str,
    in_flight: &'static [u64],
    body_size: u64,
    figure: Figure,
    to: Reference,
) -> Source {
    Source::Ratio { side: Side::Client, against, in_flight, body_size, figure, to }
}

pub(super) const BOUNDS: [Bound; 16] = [
    Bound {
        on: "RabbitMQ, 64 and 1024 in flight, 64 B",
        figure: "client CPU a call / floor",
        source: client(RABBITMQ, &[64, 1024], 64, Figure::ProcessorTime, Reference::Floor),
        limit: AtMost(1.3),
    },
    Bound {
        on: "RabbitMQ, 64 and 1024 in flight, 64 B",
        figure: "client CPU a call / best peer",
        source: client(RABBITMQ, &[64, 1024], 64, Figure::ProcessorTime, Reference::BestPeer),
        limit: AtMost(0.5),
    },
    Bound {
        on: "RabbitMQ, 64 and 1024 in flight, 64 B",
        figure: "client calls/s / best peer",
        source: client(RABBITMQ, &[64, 1024], 64, Figure::CallsPerSecond, Reference::BestPeer),
        limit: AtLeast(1.15),
    },
    Bound {
        on: "RabbitMQ, 64 in flight, 64 B",
        figure: "server CPU a call / floor server",
        source: Source::Ratio {
            side: Side::Server,
            against: RABBITMQ,
            in_flight: &[64],
            body_size: 64,
            figure: Figure::ProcessorTime,
            to: Reference::Floor,
        },
        limit: AtMost(1.3),
    },
    Bound {
        on: "RabbitMQ, 1 in flight, 64 B",
        figure: "client p50 / floor",
        source: client(RABBITMQ, &[1], 64, Figure::Median, Reference::Floor),
        limit: AtMost(1.05),
    },
    Bound {
        on: "null responder, 1024 in flight, 64 B",
        figure: "calls/s / floor",
        source: client(NULL_RESPONDER, &[1024], 64, Figure::CallsPerSecond, Reference::Floor),
        limit: AtLeast(0.5),
    },
    Bound {
        on: "null responder, 1024 in flight, 64 B",
        figure: "calls/s / best peer",
        source: client(NULL_RESPONDER, &[1024], 64, Figure::CallsPerSecond, Reference::BestPeer),
        limit: AtLeast(3.0),
    },
    // With bodies of one size, bytes/s are as calls/s.
    Bound {
        on: "null responder, 8 in flight, 1 MiB",
        figure: "bytes/s / floor",
        source: client(NULL_RESPONDER, &[8], 1 << 20, Figure::CallsPerSecond, Reference::Floor),
        limit: AtLeast(0.85),
    },
    Bound {
        on: "codec: decode deliver + header + body of a reply",
        figure: "instructions",
        source: Source::Extra("decode a reply: instructions"),
        limit: AtMost(400.0),
    },
    Bound {
        on: "codec: decode deliver + header + body of a reply",
        figure: "allocations",
        source: Source::Extra("decode a reply: allocations"),
        limit: AtMost(0.0),
    },
    Bound {
        on: "engine: a call, both directions, sans-IO",
        figure: "instructions",
        source: Source::Extra("engine, a call: instructions"),
        limit: AtMost(2000.0),
    },
    Bound {
        on: "engine: a call, both directions, sans-IO",
        figure: "allocations",
        source: Source::Extra("engine, a call: allocations"),
        limit: AtMost(3.0),
    },
    Bound {
        on: "100,000 in flight",
        figure: "CPU a call / same at 1,000",
        source: Source::Extra("100,000 in flight: CPU a call / same at 1,000"),
        limit: AtMost(1.2),
    },
    Bound {
        on: "idle client",
        figure: "resident memory over an empty tokio program, MiB",
        source: Source::Extra("idle client: resident memory over an empty program"),
        limit: AtMost(1.0),
    },
    Bound {
        on: "build",
        figure: "clean release build time / amqprs's without TLS",
        source: Source::Extra("clean release build: leveret / amqprs"),
        limit: AtMost(1.0),
    },
    Bound {
        on: "build",
        figure: "stripped hello-RPC binary, MB",
        source: Source::Extra("stripped hello-RPC: leveret"),
        limit: AtMost(1.5),
    },
];
