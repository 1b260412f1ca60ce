"""What the server and the client have in common."""

import asyncio
import sys

import aio_pika


def add_options(parser):
    parser.add_argument("--url", required=True)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--robust", dest="robust", action="store_true", default=True)
    kind.add_argument("--plain", dest="robust", action="store_false")
    parser.add_argument(
        "--reply-queue",
        choices=["exclusive", "durable", "default"],
        default="exclusive",
        help="aio-pika's default is neither durable nor exclusive, which RabbitMQ 4.3 may refuse",
    )


async def connect(options):
    return await (aio_pika.connect_robust if options.robust else aio_pika.connect)(options.url)


def reply_queue(options):
    return {} if options.reply_queue == "default" else {options.reply_queue: True}


async def standard_input():
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader
