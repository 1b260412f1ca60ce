// Serves `divide` by amqplib: the least that works. Runs until Ctrl-C.
const amqp = require("amqplib");

const URL = process.env.RABBITMQ_URL ?? "amqp://guest:guest@localhost:5672/%2f";

function divide({ a, b }) {
  const quotient = a / b;
  if (!Number.isFinite(quotient)) throw new RangeError(`cannot divide ${a} by ${b}`);
  return quotient;
}

async function main() {
  const connection = await amqp.connect(URL);
  const channel = await connection.createChannel();
  await channel.assertQueue("divide", { durable: true, deadLetterExchange: "rpc.dlx" });
  await channel.prefetch(16);
  await channel.consume("divide", (call) => {
    if (call === null) throw new Error("the queue was deleted");
    let type = "result";
    let reply;
    try {
      reply = divide(JSON.parse(call.content));
    } catch (error) {
      type = "error";
      reply = { error: { type: error.name, message: error.message } };
    }
    const { replyTo, correlationId } = call.properties;
    if (replyTo) {
      channel.sendToQueue(replyTo, Buffer.from(JSON.stringify(reply)), { type, correlationId });
    }
    channel.ack(call);
  });
  console.log("ready");
}

main();
