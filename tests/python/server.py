"""An aio-pika JsonRPC server whose methods also misbehave, for the interop tests.

Prints "ready" once it serves, and ends when its standard input does.
"""

import argparse
import asyncio
import collections
import os

import aio_pika
from aio_pika.patterns import JsonRPC

import peer


class CustomError(Exception):
    pass


class Server(JsonRPC):
    """Counts the calls that reach it, and rejects those of the method "reject"."""

    calls = collections.Counter()

    async def on_call_message(self, method_name, message):
        self.calls[method_name] += 1
        if method_name == "reject":
            await message.reject(requeue=False)
        else:
            await super().on_call_message(method_name, message)


class Methods:
    def __init__(self, tag):
        self.tag = tag

    async def who(self):
        return self.tag

    async def count(self, method):
        return Server.calls[method]

    async def sleep(self, t):
        await asyncio.sleep(t)
        return t

    async def add(self, a, b):
        return a + b

    async def echo(self, value):
        return value

    async def nothing(self):
        return None

    async def fail(self, message):
        raise ValueError(message)

    async def fail_custom(self):
        raise CustomError(42, {"field": "name"})

    async def fail_big(self):
        raise CustomError(2**70)

    async def not_json(self):
        """The error body becomes a bare string: the result cannot be serialised."""
        return {(1, 2): "a tuple is no key"}

    async def lone_surrogate(self):
        return "\ud800"

    async def nan(self):
        """Goes out as NaN, which is not JSON."""
        return float("nan")

    async def infinity(self):
        return float("inf")

    async def big_int(self):
        return 2**70

    async def bytes(self):
        """Goes out as a string, the value's repr."""
        return b"\x00\xff"

    async def silent(self):
        """No reply and no ack: aio-pika lets this one through."""
        raise asyncio.CancelledError

    async def reject(self):
        raise NotImplementedError("never called")

    async def kill(self):
        os._exit(1)


async def main(options):
    methods = {
        name: getattr(Methods(options.tag), name)
        for name in vars(Methods)
        if not name.startswith("_")
    }
    chosen = options.methods.split(",") if options.methods else list(methods)
    connection = await peer.connect(options)
    async with connection:
        channel = await connection.channel()
        if options.prefetch:
            await channel.set_qos(prefetch_count=options.prefetch)
        rpc = await Server.create(channel, **peer.reply_queue(options))
        for name in chosen:
            await rpc.register(
                name, methods[name], durable=options.durable, auto_delete=options.auto_delete
            )
        print("ready", flush=True)
        await (await peer.standard_input()).read()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    peer.add_options(parser)
    parser.add_argument("--durable", action="store_true", help="declare durable method queues")
    parser.add_argument("--auto-delete", action="store_true", help="declare auto-delete method queues")
    parser.add_argument("--prefetch", type=int, help="calls at a time and method (default: no limit)")
    parser.add_argument("--methods", help="register only these, separated by commas (default: all)")
    parser.add_argument("--tag", default="python", help='what the method "who" returns')
    asyncio.run(main(parser.parse_args()))
