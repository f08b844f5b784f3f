"""submit N | rate PER_SECOND N | chain N | fan N: does it, and prints what came of it as one line of JSON."""
import json
import sys
import time

from celery import chain, chord

from app import branch, follow, join, noop, stamp

PAYLOAD = {"name": "noop", "args": [1, 2, 3], "key": "valuevalue", "pad": "x" * 40}


def submit(count):
    began = time.time()
    for _ in range(count):
        noop.delay(PAYLOAD)
    return {"began": began}


def rate(per_second, count):
    due = time.time()
    for _ in range(count):
        due += 1 / per_second
        time.sleep(max(0, due - time.time()))
        stamp.delay(time.time())
    return {}


def timed(graph, expected):
    began = time.time()
    result = graph.delay().get(timeout=120)
    assert result == expected, f"expected {expected}, not {result}"
    return {"ms": (time.time() - began) * 1e3}


def run_chain(steps):
    return timed(chain(follow.s(0), *[follow.s() for _ in range(steps - 1)]), steps)


def run_fan(width):
    branches = chord([branch.s(number) for number in range(width)], join.s())
    return timed(chain(follow.s(0), branches), width)


what, numbers = sys.argv[1], [int(number) for number in sys.argv[2:]]
answer = {"submit": submit, "rate": rate, "chain": run_chain, "fan": run_fan}[what](*numbers)
print(json.dumps({**answer, "cpu": time.process_time()}))
