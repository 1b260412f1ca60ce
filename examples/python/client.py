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
        # RabbitMQ 4.3 refuses the default, a transient queue for the replies that is not exclusive.
        rpc = await JsonRPC.create(channel, exclusive=True)
        print("sleep(t=1) ->", await rpc.proxy.sleep(t=1))

        # aio-pika itself has no time limit: `expiration` acts only until a server takes the call.
        call = rpc.call("sleep", {"t": 1}, expiration=5)
        print("sleep(t=1), at most 10 s ->", await asyncio.wait_for(call, timeout=10))

        try:
            await rpc.proxy.sleep(seconds=1)
        except JsonRPCError as error:
            print("sleep(seconds=1) ->", error.args[1]["error"]["message"])


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except MessageProcessError:
        sys.exit("nobody serves sleep: start a server first")
