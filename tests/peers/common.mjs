// What the peers on Node share; common.py says how they behave.

import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

export const CALL_TIMEOUT = 30_000; // milliseconds; nothing here should take more than a few
export const TEXT = "héllo";
export const NUMBERS = { a: 20, b: 22 };

// Packages are installed elsewhere, and `import` looks only beside the script.
const require = createRequire(path.join(variable("LEVERET_NODE_PEERS"), "package.json"));
export const amqplib = require("amqplib");

export const brokerUrl = variable("AMQP_URL");

function variable(name) {
  return process.env[name] ?? fail(`${name} is not set`);
}

export function fail(message) {
  console.error(message);
  process.exit(1);
}

/** The queue and the flags. */
export function serverArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: "boolean" } },
  });
  return { queue: positionals[0], ...values };
}

export function clientArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: "string", multiple: true, default: [] },
      json: { type: "boolean" },
      text: { type: "boolean" },
    },
  });
  return { queue: positionals[0], ...values, sizes: values.size.map(Number) };
}

/** As `sized_body` in common.py. */
export function sizedBody(size) {
  const body = Buffer.allocUnsafe(size);
  for (let i = 0; i < size; i++) {
    body[i] = (i * 7 + size) % 251;
  }
  return body;
}

export function add(numbers) {
  return { sum: numbers.a + numbers.b };
}

export async function stdinEnds() {
  console.log("ready");
  for await (const _ of process.stdin) {
    // Nothing is said to a server.
  }
}

export function checkSizedReply(size, body) {
  if (!body.equals(sizedBody(size))) {
    fail(`the reply to ${size} bytes differs: ${body.length} bytes`);
  }
  console.log(`ok ${size}`);
}

export function showJsonReply(reply, contentType) {
  console.log(`json ${contentType ?? "-"} ${JSON.stringify(reply)}`);
}

export function showTextReply(reply, contentType) {
  console.log(`text ${contentType ?? "-"} ${reply}`);
}
