#!/usr/bin/env python3
"""Submits tasks as any AMQP client can: JSON to the exchange, the run id in the reply. Needs pika.

    publish.py --url amqp://millrace:millrace-dev@127.0.0.1:5672/%2f --run 'echo hello' --count 3

Prints a run id for each, once all are accepted.
"""
import argparse
import json
import sys
import time
import uuid

import pika

parser = argparse.ArgumentParser()
parser.add_argument("--url", required=True)
parser.add_argument("--run", required=True, help="the command; $n is the number of the task")
parser.add_argument("--count", type=int, default=1)
parser.add_argument("--priority", default="P2")
parser.add_argument("--exchange", default="millrace", help="the MILLRACE_PREFIX of the fleet")
parser.add_argument("--within", type=float, default=60, help="seconds to wait for the replies")
args = parser.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(args.url))
channel = connection.channel()
channel.confirm_delivery()  # publishing returns once the broker has the message on disk
replies = {}


def reply(channel, method, properties, body):
    replies[int(properties.correlation_id)] = json.loads(body)


channel.basic_consume("amq.rabbitmq.reply-to", reply, auto_ack=True)
batch = uuid.uuid4()
for n in range(args.count):
    task = {"v": 1, "run": args.run, "params": {"n": str(n)}, "priority": args.priority}
    channel.basic_publish(
        args.exchange,
        "submit",
        json.dumps(task),
        pika.BasicProperties(
            delivery_mode=2,
            message_id=f"{batch}/{n}",  # the same again within 24 h is the same run
            correlation_id=str(n),
            reply_to="amq.rabbitmq.reply-to",
        ),
        mandatory=True,
    )

deadline = time.monotonic() + args.within
while len(replies) < args.count and time.monotonic() < deadline:
    connection.process_data_events(time_limit=1)
for n in range(args.count):
    answer = replies.get(n, {"error": {"code": "no-reply", "message": f"none within {args.within} s"}})
    if "error" in answer:
        sys.exit(f"task {n}: {answer['error']['code']}: {answer['error']['message']}")
    print(answer["run_id"])
