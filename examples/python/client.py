"""Calls the service of the Rust example `sleep` by aio-pika."""

import asyncio
import os
import sys

import aio_pika
from aio_pika.exceptions import MessageProcessError
from aio_pika.patterns import JsonRPC
from aio_pika.patterns.rpc import JsonRPCError

URL = os.environ.get("RABBITMQ_URL", "amqp://guest:guest@localhost:5672/%2f")


async def main() -> None:
    connection = await aio_pika.connect_robust(URL)
    async with connection, connection.channel() as channel:
        # RabbitMQ 4.3 may refuse the default, a queue for the replies that is neither durable nor exclusive.
        rpc = await JsonRPC.create(channel, exclusive=True)
        # aio-pika has no time limit of its own: without a server a call may wait for ever.
        async with asyncio.timeout(10):
            print("sleep(t=1) ->", await rpc.proxy.sleep(t=1))
            # `expiration`, in seconds, acts only until a server takes the call.
            result = await rpc.call("sleep", {"t": 1}, expiration=5)
            print("sleep(t=1) in time ->", result)
            try:
                await rpc.proxy.sleep(seconds=1)
            except JsonRPCError as error:
                print("sleep(seconds=1) ->", error.args[1]["error"]["message"])


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (MessageProcessError, TimeoutError):
        sys.exit("no answer: is a server running?")
