"""The service of the Rust example `sleep`, served by aio-pika. Runs until Ctrl-C."""

import asyncio
import os

import aio_pika
from aio_pika.patterns import JsonRPC

URL = os.environ.get("RABBITMQ_URL", "amqp://guest:guest@localhost:5672/%2f")


async def sleep(*, t: int) -> int:
    """Sleeps `t` seconds, then returns `t`."""
    await asyncio.sleep(t)
    return t


async def main() -> None:
    connection = await aio_pika.connect_robust(URL)
    async with connection, connection.channel() as channel:
        # RabbitMQ 4.3 may refuse the default, a queue for the replies that is neither durable nor exclusive.
        rpc = await JsonRPC.create(channel, exclusive=True)
        # Rust servers declare the queue durable, and all servers of a method share its queue.
        await rpc.register("sleep", sleep, durable=True)
        print("server: ready; Ctrl-C stops it", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
