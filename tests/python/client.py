"""An aio-pika JsonRPC client that makes the calls it reads, for the interop tests.

Reads lines of JSON, each a list of calls that it makes at the same time:
    [{"method": "add", "kwargs": {"a": 1, "b": 2}, "expiration": 1.5}, ...]
and writes a line with the list of their outcomes:
    [{"ok": 3}, {"error": {"class": "ValueError", "args": ["..."]}}, ...]
Prints "ready" before, and ends when its standard input does.
"""

import argparse
import asyncio
import json

from aio_pika.patterns import JsonRPC

import peer


async def outcome(rpc, call):
    try:
        result = await rpc.call(
            call["method"], kwargs=call.get("kwargs"), expiration=call.get("expiration")
        )
        json.dumps(result, allow_nan=False)
        return {"ok": result}
    except Exception as error:
        return {"error": {"class": type(error).__name__, "args": error.args}}


async def main(options):
    connection = await peer.connect(options)
    async with connection:
        channel = await connection.channel()
        rpc = await JsonRPC.create(channel, **peer.reply_queue(options))
        print("ready", flush=True)
        lines = await peer.standard_input()
        while line := await lines.readline():
            outcomes = await asyncio.gather(*(outcome(rpc, call) for call in json.loads(line)))
            print(json.dumps(outcomes, default=repr), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    peer.add_options(parser)
    asyncio.run(main(parser.parse_args()))
