// Calls a method by amqplib, once for each object of arguments: the least that works.
import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import amqp from "amqplib";

const replyTo = "amq.rabbitmq.reply-to";
const answers = new EventEmitter();
// "to", since an event whose whole name is "error" would end the program.
const answered = (message) => answers.emit(`to ${message.properties.correlationId}`, message);

const connection = await amqp.connect(process.env.RABBITMQ_URL);
const channel = await connection.createChannel();
channel.on("return", answered);
await channel.consume(replyTo, answered, { noAck: true });

async function call(method, kwargs) {
  const correlationId = randomUUID();
  const answer = once(answers, `to ${correlationId}`, { signal: AbortSignal.timeout(5000) });
  const options = { correlationId, replyTo, expiration: 5000, mandatory: true };
  channel.sendToQueue(method, Buffer.from(JSON.stringify(kwargs)), options);
  const [{ properties, fields, content }] = await answer;
  if (properties.type !== "result") throw new Error(fields.replyText ?? content);
  return JSON.parse(content);
}

const [method, ...calls] = process.argv.slice(2);
for (const kwargs of calls) console.log(await call(method, JSON.parse(kwargs)));
await connection.close();
