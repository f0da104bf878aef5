// An RPC server on amqplib: an echo, or with --json a sum.

import { add, amqplib, brokerUrl, serverArguments, stdinEnds } from "./common.mjs";

const { queue, json } = serverArguments();
const connection = await amqplib.connect(brokerUrl);
const channel = await connection.createChannel();
await channel.assertQueue(queue, { durable: true });
const { consumerTag } = await channel.consume(queue, answer);

await stdinEnds();
await channel.cancel(consumerTag);
await channel.deleteQueue(queue);
await channel.close();
await connection.close();

function answer(request) {
  const { replyTo, correlationId } = request.properties;
  let { contentType } = request.properties;
  let body = request.content;
  if (json) {
    body = Buffer.from(JSON.stringify(add(JSON.parse(body))));
    contentType = "application/json";
  }
  channel.sendToQueue(replyTo, body, { correlationId, contentType });
  channel.ack(request);
}
