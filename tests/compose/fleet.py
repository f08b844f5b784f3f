#!/usr/bin/env python3
"""What the API of a fleet says, for tests/compose/run. Standard library only.

    fleet.py busy COUNT SECONDS     waits until so many workers have tasks; prints host and tasks of each
    fleet.py ended FILE SECONDS     waits until every run named in the file has ended; prints a summary
"""
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections import Counter

ENDED = {"succeeded", "failed", "timed_out", "cancelled", "skipped"}
BASE = os.environ["MILLRACE_SERVER"]
TOKEN = os.environ["MILLRACE_TOKEN"]


def get(path):
    request = urllib.request.Request(BASE + path, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def wait(what, seconds, look):
    """Calls `look` until it says so, however often the API is away meanwhile."""
    deadline = time.monotonic() + seconds
    last = "the API does not answer"
    while time.monotonic() < deadline:
        try:
            done, last = look()
            if done:
                return last
        except (urllib.error.URLError, ConnectionError, TimeoutError, json.JSONDecodeError) as error:
            last = str(error)
        time.sleep(0.5)
    sys.exit(f"{what}: not within {seconds} s; the last seen: {last}")


def busy(count, seconds):
    def look():
        found = [worker for worker in get("/api/v1/workers")["workers"] if worker["running"] > 0]
        return len(found) >= count, "\n".join(f"{worker['host']} {worker['running']}" for worker in found)

    print(wait(f"{count} workers with tasks", seconds, look))


def ended(path, seconds):
    with open(path) as file:
        ids = set(file.read().split())

    def look():
        states, cursor = {}, ""
        while cursor is not None:
            page = get(f"/api/v1/runs?limit=500{cursor and '&cursor=' + cursor}")
            states.update((run["id"], run["state"]) for run in page["runs"])
            cursor = page.get("next_cursor")
        missing = ids - states.keys()
        open_ = [id for id in ids & states.keys() if states[id] not in ENDED]
        return not missing and not open_, f"{len(missing)} of {len(ids)} not known, {len(open_)} not ended"

    wait("all runs ended", seconds, look)
    outcomes, hosts, attempts = Counter(), Counter(), Counter()
    for id in sorted(ids):
        run = get(f"/api/v1/runs/{id}")
        outcomes[run["state"]] += 1
        for step in run["steps"]:
            attempts[step["attempt"]] += 1
            hosts[step.get("outputs", {}).get("host", "?")] += 1
    print(
        json.dumps(
            {
                "runs": len(ids),
                "outcomes": dict(outcomes),
                "attempts": {str(n): count for n, count in sorted(attempts.items())},
                "hosts": dict(sorted(hosts.items())),
            }
        )
    )


if __name__ == "__main__":
    command, what, seconds = sys.argv[1:4]
    if command == "busy":
        busy(int(what), float(seconds))
    else:
        ended(what, float(seconds))
