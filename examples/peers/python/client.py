"""Calls `divide` by pika: the least that works."""

import json
import os
import time
import uuid

import pika

URL = os.environ.get("RABBITMQ_URL", "amqp://guest:guest@localhost:5672/%2f")
REPLIES = "amq.rabbitmq.reply-to"
answers = {}


def answered(_channel, _method, properties, body):
    answers[properties.correlation_id] = properties.type, body


def call(method, kwargs, seconds=5):
    id, end = str(uuid.uuid4()), time.monotonic() + seconds
    properties = pika.BasicProperties(
        type="call", correlation_id=id, reply_to=REPLIES, expiration=str(seconds * 1000)
    )
    channel.basic_publish("", method, json.dumps(kwargs), properties, mandatory=True)
    while id not in answers:
        if (left := end - time.monotonic()) <= 0:
            raise TimeoutError(f"no answer within {seconds} s")
        connection.process_data_events(time_limit=left)
    kind, body = answers.pop(id)
    if kind == "call":  # returned by the broker as it was sent
        raise LookupError("no such method")
    reply = json.loads(body)
    if kind != "result":
        raise RuntimeError("{type}: {message}".format_map(reply["error"]))
    return reply


connection = pika.BlockingConnection(pika.URLParameters(URL))
channel = connection.channel()
channel.basic_consume(REPLIES, answered, auto_ack=True)
channel.add_on_return_callback(answered)
for method, kwargs in ("divide", {"a": 7, "b": 2}), ("divide", {"a": 1, "b": 0}), ("nobody", {}):
    try:
        print(method, "->", call(method, kwargs))
    except Exception as error:
        print(method, "failed:", error)
connection.close()
