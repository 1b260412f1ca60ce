"""Serves `divide` by pika: the least that works. Runs until Ctrl-C."""

import json
import os

import pika


def divide(a, b):
    return a / b


def serve(channel, delivery, call, body):
    try:
        kind, reply = "result", json.dumps(divide(**json.loads(body)), allow_nan=False)
    except Exception as error:
        failure = {"type": type(error).__name__, "message": str(error)}
        kind, reply = "error", json.dumps({"error": failure})
    if call.reply_to:
        properties = pika.BasicProperties(type=kind, correlation_id=call.correlation_id)
        channel.basic_publish("", call.reply_to, reply, properties)
    channel.basic_ack(delivery.delivery_tag)


channel = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"])).channel()
channel.queue_declare("divide", durable=True, arguments={"x-dead-letter-exchange": "rpc.dlx"})
channel.basic_qos(prefetch_count=16)
channel.basic_consume("divide", serve)
print("ready", flush=True)
channel.start_consuming()
