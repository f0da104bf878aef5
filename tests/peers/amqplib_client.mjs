// An RPC client on amqplib: one consumer of the pseudo-queue for all calls, told apart by
// correlation-id.

import {
  CALL_TIMEOUT,
  NUMBERS,
  TEXT,
  amqplib,
  brokerUrl,
  checkSizedReply,
  clientArguments,
  fail,
  showJsonReply,
  showTextReply,
  sizedBody,
} from "./common.mjs";

const REPLY_TO = "amq.rabbitmq.reply-to";

const { queue, sizes, json, text } = clientArguments();
const connection = await amqplib.connect(brokerUrl);
const channel = await connection.createChannel();
const pending = new Map();
let calls = 0;
await channel.consume(REPLY_TO, takeReply, { noAck: true });

for (const size of sizes) {
  const reply = await call(sizedBody(size));
  checkSizedReply(size, reply.content);
}

if (json) {
  const body = Buffer.from(JSON.stringify(NUMBERS));
  const reply = await call(body, { contentType: "application/json" });
  showJsonReply(JSON.parse(reply.content), reply.properties.contentType);
}

if (text) {
  const reply = await call(Buffer.from(TEXT), { contentType: "text/plain" });
  showTextReply(reply.content.toString(), reply.properties.contentType);
}

await channel.close();
await connection.close();

async function call(body, properties = {}) {
  const correlationId = `call ${++calls}`;
  const reply = new Promise((resolve) => pending.set(correlationId, resolve));
  channel.sendToQueue(queue, body, { ...properties, replyTo: REPLY_TO, correlationId });
  const timer = setTimeout(() => fail(`no reply to ${correlationId}`), CALL_TIMEOUT);
  try {
    return await reply;
  } finally {
    clearTimeout(timer);
  }
}

function takeReply(reply) {
  const { correlationId } = reply.properties;
  const resolve = pending.get(correlationId) ?? fail(`nobody waits for ${correlationId}`);
  pending.delete(correlationId);
  resolve(reply);
}
