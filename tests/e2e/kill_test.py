#!/usr/bin/env python3
"""A hub that is killed again and again at random moments, under load, loses nothing.

Each job appends one line, its tag, to one file (O_APPEND: lines of that length never mix), so the
file counts executions. Clients submit all the time: some with a key, asking again until they get an
answer; some without, who ask once and may never learn. At the end, when the hub has come back to
stay: every acknowledged tag stands in the file exactly once, every other one at most once, every
job succeeded in one attempt, and a replay of the journal decides all of it again alike.
"""
import collections
import http.client
import json
import os
import random
import shutil
import tempfile
import threading
import time
import unittest

import harness
from harness import Hub, eventually

KILLS = int(os.environ.get("WEIR_KILLS", "40"))
CLIENTS = 4


class Client(threading.Thread):
    """Submits jobs until told to stop; remembers what was promised."""

    def __init__(self, hub, number, effects):
        super().__init__()
        self.hub, self.number, self.effects = hub, number, effects
        self.random = random.Random(harness.SEED * 100 + number)
        self.keyed = number % 2 == 0
        self.go_on = True
        self.promised = {}      # tag -> id
        self.unanswered = set()
        self.wrong = []

    def body(self, tag):
        # Mostly instant, some long enough to be running when the hub dies.
        pause = self.random.choice([0, 0, 0, 0.05, 0.3, 1.0])
        job = {"format": "yaml", "source": tag, "key": tag if self.keyed else "",
               "text": f"name: {tag}\nrun: 'sleep {pause}; echo {tag} >> {self.effects}'\n"
                       "gang: {cpus: 0.25}\n"}
        return json.dumps({"jobs": [job], "user": "load", "workdir": self.hub.folder})

    def ask(self, body):
        """The answered id; None when no answer came."""
        try:
            status, answer = self.hub.request("POST", "/v1/jobs", body, timeout=20)
        except (OSError, http.client.HTTPException):
            return None
        if status == 503:
            return None
        if status != 200:
            self.wrong.append((status, answer))
            return None
        try:
            return json.loads(answer)["jobs"][0]["id"]
        except ValueError:
            return None  # cut off in the middle

    def run(self):
        count = 0
        while self.go_on:
            count += 1
            tag = f"c{self.number}-{count}"
            body = self.body(tag)
            job = self.ask(body)
            if self.keyed:
                while job is None:
                    time.sleep(0.05)
                    job = self.ask(body)
            if job is None:
                self.unanswered.add(tag)
                time.sleep(0.05)
            else:
                self.promised[tag] = job
            time.sleep(self.random.expovariate(1 / 0.04))


class Kill(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.effects = os.path.join(self.folder, "effects")
        self.hub = Hub(self.folder)

    def tearDown(self):
        self.hub.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def test_no_acknowledged_job_is_lost_and_none_runs_twice(self):
        choose = random.Random(harness.SEED)
        self.hub.start()
        clients = [Client(self.hub, number, self.effects) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            for kill in range(KILLS):
                # Now and then right after the start, while the journal is replayed and jobs adopted.
                time.sleep(choose.choice([0.0, 0.02, 0.1, 0.3, 0.8, 1.6]) * (0.5 + choose.random()))
                self.hub.kill()
                time.sleep(choose.choice([0.0, 0.0, 0.2, 1.2]))
                self.hub.start()
        finally:
            for client in clients:
                client.go_on = False
            if self.hub.process is None:
                self.hub.start()
            for client in clients:
                client.join()

        promised = {tag: job for client in clients for tag, job in client.promised.items()}
        unanswered = set().union(*(client.unanswered for client in clients))
        self.assertEqual([wrong for client in clients for wrong in client.wrong], [])
        self.assertGreater(len(promised), 10 * KILLS, "too little load to prove anything")

        eventually("all jobs end", lambda: not self.hub.weir("ps", "--ids").out.strip(), 120)
        listed = self.hub.weir("ps", "--all", "--limit", "10000", "--json").json["jobs"]
        with open(self.effects, encoding="utf-8") as file:
            ran = collections.Counter(file.read().split())

        self.assertEqual({tag for tag in promised if ran[tag] == 0}, set(), "promised and never run")
        self.assertEqual({tag: n for tag, n in ran.items() if n > 1}, {}, "run more than once")
        self.assertEqual(set(ran) - set(promised) - unanswered, set(), "run and never asked for")

        self.assertEqual({job["state"] for job in listed}, {"succeeded"})
        self.assertEqual(sorted(job["name"] for job in listed), sorted(ran))
        self.assertEqual({job["id"] for job in listed} - set(promised.values()),
                         {job["id"] for job in listed if job["name"] in unanswered})
        by_id = {job["id"]: job["name"] for job in listed}
        self.assertEqual({tag: by_id.get(job) for tag, job in promised.items()},
                         {tag: tag for tag in promised})

        replayed = self.hub.weir("replay", self.hub.data, "--json")
        self.assertEqual(replayed.status, 0, replayed)
        status = json.loads(self.hub.request("GET", "/v1/status")[1])
        self.assertEqual(replayed.json["digest"], status["digest"])
        self.assertEqual(replayed.json["ended"], len(listed))
        print(f"{KILLS} kills, {len(promised)} promised, {len(unanswered)} unanswered "
              f"({len(unanswered & set(ran))} of them ran), {sum(ran.values())} executions")


if __name__ == "__main__":
    harness.main()
