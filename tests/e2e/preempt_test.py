#!/usr/bin/env python3
"""A job that is stopped for one of a higher class saves, waits, and goes on; told with real processes."""
import time

import harness
from harness import HubCase, eventually

FLEET = """
sites:
  - name: local
    executor: {kind: local}
    pools:
      - {name: box, chip: cpu, nodes: 2, chips_per_node: 2, cpus: 4, memory: 8GiB,
         nodes_per_rack: 2, node_power: {idle: 100W, busy: 500W}}
"""

# Counts on from where it saved; $1 is the file it saves to. The shell that weir starts does not
# survive the signal, the program below it does.
MODEL = """
sh -c '
step=$(cat "$0" 2>/dev/null || echo 0)
save() { echo $step > "$0"; echo saved at $step; exit 0; }
trap "save" USR1
echo begins at $step
while :; do step=$((step + 1)); sleep 0.05; done' "%s"
"""


class Preempt(HubCase):
    fleet = FLEET
    options = ("--policy", "weir min_run=1s")

    def tearDown(self):
        self.hub.weir("cancel", *self.hub.weir("ps", "--ids").out.split())
        for job in self.hub.weir("ps", "--ids").out.split():
            self.hub.weir("wait", job)
        self.hub.weir("power", "local", "none")

    def model(self, more=""):
        saved = self.path("saved")
        script = "".join("  " + line + "\n" for line in (MODEL % saved).strip().splitlines())
        job = self.hub.submit(f"name: model\nscript: |\n{script}gang: {{cpus: 4, chips: 2}}\npriority: low\n"
                              "time: {limit: 10min}\n"
                              f"checkpoint: {{every: 1min, cost: 20s, signal: USR1}}\n{more}")
        eventually("the model trains", lambda: "begins at" in self.hub.weir("logs", job).out)
        return job, saved

    def fill(self):
        other = self.hub.submit("name: other\nrun: sleep 600\npriority: urgent\ngang: {cpus: 4}\ntime: {limit: 10min}\n")
        self.hub.until(other, "running")
        return other

    def test_a_job_is_stopped_for_an_urgent_one_saves_and_goes_on(self):
        self.fill()
        model, saved = self.model()
        flood = self.hub.submit("name: flood\nrun: sleep 1\npriority: urgent\ngang: {cpus: 4}\ntime: {limit: 1min}\n")
        self.hub.until(flood, "running", "succeeded")
        first = self.hub.job(model)["attempts"][0]
        self.assertEqual(first["stopped_for"], f"stopped for job {flood} (flood)")
        self.assertEqual(first["kind"], "stopped")
        self.assertGreater(int(self.read(saved)), 0)
        self.assertIn("stopped for job", self.hub.weir("show", model).out)
        eventually("it goes on", lambda: len(self.hub.job(model)["attempts"]) == 2)
        eventually("from where it was", lambda: f"begins at {int(self.read(saved))}"
                   in self.hub.weir("logs", model).out)
        self.assertEqual(self.hub.state(model), "running")

    def test_a_hub_that_is_killed_meanwhile_stops_it_all_the_same_and_counts_no_failure(self):
        self.fill()
        stubborn = self.hub.submit("name: stubborn\nrun: |\n  trap '' USR1\n  echo ready\n  while :; do sleep 0.05; done\n"
                                   "gang: {cpus: 4}\npriority: low\ntime: {limit: 10min}\ngrace: 1s\n"
                                   "checkpoint: {every: 1min, cost: 3s}\n")
        eventually("it runs", lambda: "ready" in self.hub.weir("logs", stubborn).out)
        time.sleep(1.2)  # as long as nobody is stopped for others
        flood = self.hub.submit("name: flood\nrun: sleep 1\npriority: urgent\ngang: {cpus: 4}\ntime: {limit: 1min}\n")
        self.hub.until(stubborn, "stopping")
        self.hub.kill()
        self.hub.start()
        self.assertEqual(self.hub.weir("wait", flood).status, 0)
        eventually("it runs again", lambda: len(self.hub.job(stubborn)["attempts"]) == 2)
        self.assertEqual(self.hub.job(stubborn)["attempts"][0]["kind"], "stopped")

    def test_a_budget_that_is_lowered_stops_what_is_too_much(self):
        model, saved = self.model()
        answer = self.hub.weir("power", "local", "300W")
        self.assertEqual(answer.status, 0, answer)
        self.hub.until(model, "pending")
        self.assertEqual(self.hub.job(model)["reason"], "stopped because its nodes draw more than they may")
        self.hub.weir("power", "local", "none")
        self.hub.until(model, "running")

    def test_nodes_are_chosen_for_a_reservation_and_kept_free_for_it(self):
        answer = self.hub.weir("reserve", "night", "--nodes", "1", "--for", "1h")
        self.assertEqual(answer.status, 0, answer)
        both = self.hub.submit("name: both\nrun: 'true'\ngang: {replicas: 2, cpus: 4}\ntime: {limit: 1min}\n")
        inside = self.hub.submit("name: inside\nrun: 'true'\ngang: {cpus: 4}\nreservation: night\ntime: {limit: 1min}\n")
        self.assertEqual(self.hub.weir("wait", inside).status, 0)
        self.assertEqual(self.hub.state(both), "pending")
        self.assertEqual(self.hub.weir("reserve", "more", "--nodes", "2", "--for", "1h").status, 4)
        self.hub.weir("reserve", "night", "--delete")
        self.assertEqual(self.hub.weir("wait", both).status, 0)

    def test_a_deadline_that_cannot_hold_is_refused_and_says_when_it_could_start(self):
        for _ in range(2):
            self.fill()
        deadline = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 120))
        answer = self.hub.weir("submit", "-", input="name: tight\nrun: 'true'\ngang: {cpus: 4}\npriority: urgent\n"
                               f"time: {{limit: 1min}}\ndeadline: {deadline}\n")
        self.assertEqual(answer.status, 2, answer)
        self.assertIn("deadline", answer.err)


if __name__ == "__main__":
    harness.main()
