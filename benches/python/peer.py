"""aio-pika's JsonRPC as a peer of the comparison: takes and prints what `compare`'s own processes do."""

import asyncio
import json
import sys
import time

import aio_pika
from aio_pika.patterns import JsonRPC

METHOD = "bench.aio-pika"
# That of rpc-core.
PREFETCH = 256
AFTER_ERROR = 0.01
# How many calls each caller makes at least in the measured time, if that does not take LONGEST seconds more.
EACH = 4
LONGEST = 20


async def echo(*, text):
    return text


async def serve(url):
    connection = await aio_pika.connect_robust(url)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=PREFETCH)
    rpc = await JsonRPC.create(channel, exclusive=True)
    await rpc.register(METHOD, echo, durable=True)
    return connection


class Load:
    """Callers that each send a call when their last one has ended."""

    def __init__(self, rpc, task):
        self.rpc = rpc
        self.callers = task["load"]["callers"]
        self.seconds = task["load"]["seconds"]
        self.text = "x" * task["payload"]
        self.cold = self.callers
        self.warm = asyncio.Event()
        self.few = self.callers
        self.enough = asyncio.Event()
        self.measured = self.over = False
        self.times = []
        self.errors = 0
        self.first_error = None

    async def run(self):
        callers = [asyncio.create_task(self.caller()) for _ in range(self.callers)]
        await asyncio.sleep(self.seconds / 4)
        await self.warm.wait()
        print("begin", flush=True)
        start = time.perf_counter()
        self.measured = True
        await asyncio.sleep(self.seconds)
        try:
            await asyncio.wait_for(self.enough.wait(), LONGEST)
        except asyncio.TimeoutError:
            pass
        self.measured, self.over = False, True
        seconds = time.perf_counter() - start
        print("end", flush=True)
        await asyncio.gather(*callers)
        self.times.sort()
        return {
            "calls": len(self.times),
            "seconds": seconds,
            "p50": self.percentile(0.5),
            "p99": self.percentile(0.99),
            "p999": self.percentile(0.999),
            "errors": self.errors,
            "first_error": self.first_error,
            "by_server": [len(self.times)],
        }

    def percentile(self, share):
        """In microseconds, by the nearest rank."""
        if not self.times:
            return 0.0
        rank = -int(-share * len(self.times) // 1)
        return self.times[max(rank, 1) - 1] * 1e6

    async def caller(self):
        first = True
        measured = 0
        while not self.over:
            start = time.perf_counter()
            try:
                back = await self.rpc.call(METHOD, kwargs={"text": self.text})
                if back != self.text:
                    raise ValueError("the text came back as another one")
                failed = False
            except Exception as error:
                failed = True
                self.errors += 1
                self.first_error = self.first_error or repr(error)
                await asyncio.sleep(AFTER_ERROR)
            if first:
                first = False
                self.cold -= 1
                if self.cold == 0:
                    self.warm.set()
            if self.measured and not failed:
                self.times.append(time.perf_counter() - start)
                measured += 1
                if measured == EACH:
                    self.few -= 1
                    if self.few == 0:
                        self.enough.set()


async def call(url, task):
    connection = await aio_pika.connect_robust(url)
    channel = await connection.channel()
    rpc = await JsonRPC.create(channel, exclusive=True)
    outcome = await Load(rpc, task).run()
    await connection.close()
    return outcome


async def main(task):
    url = task["url"]
    served = None
    if task["role"] != "client":
        served = await serve(url)
    if task["role"] in ("client", "both"):
        outcome = await call(url, task)
    else:
        print("ready", url, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        outcome = None
    if served:
        await served.close()
    if outcome:
        print(json.dumps(outcome), flush=True)


asyncio.run(main(json.loads(sys.argv[1])))
