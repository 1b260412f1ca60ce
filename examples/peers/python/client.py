"""Calls a method by pika, once for each object of arguments: the least that works."""

import json
import os
import sys
import uuid

import pika

REPLIES = "amq.rabbitmq.reply-to"


def call(method, kwargs):
    id = str(uuid.uuid4())
    properties = pika.BasicProperties(correlation_id=id, reply_to=REPLIES, expiration="5000")
    channel.basic_publish("", method, json.dumps(kwargs), properties, mandatory=True)
    for _, reply, body in channel.consume(REPLIES, auto_ack=True, inactivity_timeout=5):
        if reply is None:
            raise TimeoutError("no answer within 5 s")
        if reply.correlation_id == id:
            if reply.type != "result":
                raise RuntimeError(body.decode())
            return json.loads(body)


channel = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])).channel()
channel.confirm_delivery()  # so that a returned call raises UnroutableError
next(channel.consume(REPLIES, auto_ack=True, inactivity_timeout=0))  # before the first call
for kwargs in sys.argv[2:]:
    print(call(sys.argv[1], json.loads(kwargs)))
channel.connection.close()
