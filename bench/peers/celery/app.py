"""The tasks of the bench for Celery: acked after they ran, persistent, with priorities, results in Redis."""
import os
import time

from celery import Celery

app = Celery("peer", broker=os.environ["PEER_AMQP_URL"], backend=os.environ["PEER_REDIS_URL"])
app.conf.update(
    accept_content=["json"],
    broker_connection_retry_on_startup=True,
    result_expires=3600,
    result_serializer="json",
    task_acks_late=True,
    task_default_delivery_mode="persistent",
    task_default_priority=5,
    task_default_queue=os.environ["PEER_QUEUE"],
    task_queue_max_priority=10,
    task_send_sent_event=False,
    task_serializer="json",
    worker_prefetch_multiplier=int(os.environ["PEER_PREFETCH"]),
    worker_send_task_events=False,
)


@app.task
def noop(payload):
    return None


@app.task
def stamp(sent):
    """Writes how long ago it was sent, in milliseconds."""
    waited = (time.time() - sent) * 1e3
    with open(f"{os.environ['PEER_WAITS']}/{os.getpid()}", "a") as waits:
        waits.write(f"{waited}\n")


@app.task
def follow(number):
    return number + 1


@app.task
def branch(_first, number):
    return number


@app.task
def join(numbers):
    return len(numbers)
