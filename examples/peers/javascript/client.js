// Calls `divide` by amqplib: the least that works.
const amqp = require("amqplib");
const { randomUUID } = require("node:crypto");

const URL = process.env.RABBITMQ_URL ?? "amqp://guest:guest@localhost:5672/%2f";
const replyTo = "amq.rabbitmq.reply-to";
const waiting = new Map();

function answered({ properties: { type, correlationId }, content }) {
  waiting.get(correlationId)?.({ type, content });
}

async function call(channel, method, kwargs, seconds = 5) {
  const correlationId = randomUUID();
  const properties = { type: "call", correlationId, replyTo, expiration: seconds * 1000, mandatory: true };
  let timer;
  const answer = new Promise((resolve, reject) => {
    waiting.set(correlationId, resolve);
    timer = setTimeout(reject, seconds * 1000, new Error(`no answer within ${seconds} s`));
  });
  try {
    channel.sendToQueue(method, Buffer.from(JSON.stringify(kwargs)), properties);
    const { type, content } = await answer;
    // Returned by the broker as it was sent.
    if (type === "call") throw new Error("no such method");
    const reply = JSON.parse(content);
    if (type !== "result") throw new Error(`${reply.error.type}: ${reply.error.message}`);
    return reply;
  } finally {
    clearTimeout(timer);
    waiting.delete(correlationId);
  }
}

async function main() {
  const connection = await amqp.connect(URL);
  const channel = await connection.createChannel();
  await channel.consume(replyTo, answered, { noAck: true });
  channel.on("return", answered);
  for (const [method, kwargs] of [["divide", { a: 7, b: 2 }], ["divide", { a: 1, b: 0 }], ["nobody", {}]]) {
    try {
      console.log(method, "->", await call(channel, method, kwargs));
    } catch (error) {
      console.log(method, "failed:", error.message);
    }
  }
  await connection.close();
}

main();
