// Serves `divide` by amqplib: the least that works. Runs until Ctrl-C.
import amqp from "amqplib";

function divide({ a, b }) {
  if (!Number.isFinite(a / b)) throw new RangeError(`cannot divide ${a} by ${b}`);
  return a / b;
}

const connection = await amqp.connect(process.env.RABBITMQ_URL);
const channel = await connection.createChannel();
await channel.assertQueue("divide", { durable: true, deadLetterExchange: "rpc.dlx" });
await channel.prefetch(16);
await channel.consume("divide", (call) => {
  const { replyTo, correlationId } = call.properties;
  function answer(type, reply) {
    const body = Buffer.from(JSON.stringify(reply));
    if (replyTo) channel.sendToQueue(replyTo, body, { type, correlationId });
  }
  try {
    answer("result", divide(JSON.parse(call.content)));
  } catch ({ name, message }) {
    answer("error", { error: { type: name, message } });
  }
  channel.ack(call);
});
console.log("ready");
