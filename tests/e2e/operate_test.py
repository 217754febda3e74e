#!/usr/bin/env python3
"""What an operator does to a hub, told with the real programs: nodes, reservations, power."""
import time

import harness
from harness import HubCase

FLEET = """
sites:
  - name: local
    executor: {kind: local}
    power: 4kW
    pools:
      - {name: box, chip: cpu, nodes: 2, chips_per_node: 2, cpus: 4, memory: 8GiB,
         nodes_per_rack: 1, rack_power: 2kW, node_power: {idle: 100W, busy: 500W}}
"""


class Operate(HubCase):
    fleet = FLEET

    def tearDown(self):
        self.hub.weir("cancel", *self.hub.weir("ps", "--ids").out.split())
        for job in self.hub.weir("ps", "--ids").out.split():
            self.hub.weir("wait", job)

    def restart(self):
        self.hub.stop()
        self.hub.start()

    def test_a_drained_node_takes_no_more_jobs_until_it_is_restored(self):
        answer = self.hub.weir("drain", "box-1", "--reason", "new fans")
        self.assertEqual((answer.status, answer.out), (0, "box-1 is drained; nothing runs on it\n"))
        both = self.hub.submit("name: both\nrun: 'true'\ngang: {replicas: 2, cpus: 4}\ntime: {limit: 1min}\n")
        self.assertEqual(self.hub.state(both), "pending")
        self.restart()
        self.assertEqual(self.hub.state(both), "pending")
        fleet = self.hub.weir("fleet").out
        self.assertRegex(fleet, r"box-1 +drained +new fans")
        self.assertRegex(fleet, r"box +cpu +1/2")
        answer = self.hub.weir("restore", "box-1")
        self.assertEqual((answer.status, answer.out), (0, "box-1 is in service again\n"))
        self.assertEqual(self.hub.weir("wait", both).status, 0)
        self.assertNotIn("drained", self.hub.weir("fleet").out)
        answer = self.hub.weir("drain", "box-0", "box-7")
        self.assertEqual(answer.status, 3, answer)
        self.assertIn("box-0 to box-1", answer.err)
        answer = self.hub.weir("restore", "box-[0-1]")
        self.assertEqual((answer.status, answer.out), (0, "box-0 is in service again\nbox-1 is in service\n"))
        answer = self.hub.weir("drain", "box-0,box-[1")
        self.assertEqual(answer.status, 2, answer)
        self.assertIn("is no list of nodes", answer.err)

    def test_a_reservation_names_who_is_in_its_way(self):
        long = self.hub.submit("name: long\nrun: sleep 600\ngang: {replicas: 2, cpus: 4}\ntime: {limit: 10min}\n")
        self.hub.until(long, "running")
        reserve = ("reserve", "fans", "--node", "box-1", "--for", "1h", "--maintenance")
        answer = self.hub.weir(*reserve)
        self.assertEqual(answer.status, 4, answer)
        self.assertIn(f"job {long} (long) runs there, by its limit until", answer.err)
        self.assertIn("write +11min", self.hub.weir(*reserve, "--from", "11min").err)
        answer = self.hub.weir(*reserve, "--from", "+11min")
        self.assertEqual(answer.status, 0, answer)
        self.assertRegex(answer.out, r"^reservation fans: 1 node \(box-1\) from .* for maintenance\n$")
        self.restart()
        self.assertRegex(self.hub.weir("reserve", "--list").out, r"fans +maintenance .* 1 +0\+0 +box-1")
        self.assertIn("fans", self.hub.weir("fleet").out)
        known = self.hub.weir("reserve", "--list", "--json").json["reservations"][0]
        self.assertTrue(known["maintenance"])
        self.assertEqual(known["until_at_ms"] - known["from_at_ms"], 3_600_000)
        answer = self.hub.weir("submit", "-", input="name: x\nrun: 'true'\nreservation: fans\n")
        self.assertEqual(answer.status, 6, answer)
        self.assertIn("is for maintenance", answer.err)
        answer = self.hub.weir("reserve", "fans", "--delete")
        self.assertEqual((answer.status, answer.out), (0, "reservation fans is deleted\n"))
        self.assertEqual(self.hub.weir("reserve", "--list").err, "weir: no reservations\n")

    def test_a_reservation_is_for_its_tenant(self):
        self.assertEqual(self.hub.weir("reserve", "night", "--node", "box-0", "--for", "2h",
                                       "--tenant", "lab").status, 0)
        inside = self.hub.submit("name: inside\ntenant: lab/wet\nrun: 'true'\nreservation: night\ntime: {limit: 1min}\n")
        self.assertEqual(self.hub.weir("wait", inside).status, 0)
        self.assertEqual(self.hub.job(inside)["reservation"], "night")
        self.assertIn("reservation night", self.hub.weir("show", inside).out)
        script = "#!/bin/sh\n#SBATCH --reservation=night -A aero -t 1\ntrue\n"
        answer = self.hub.weir("submit", "-", input=script)
        self.assertEqual(answer.status, 6, answer)
        self.assertIn("night is for jobs of lab", answer.err)
        self.hub.weir("reserve", "night", "--delete")

    def test_what_is_drawn_is_shown_and_budgets_are_set(self):
        busy = self.hub.submit("run: sleep 600\ngang: {chips: 2, cpus: 1}\ntime: {limit: 10min}\n")
        self.hub.until(busy, "running")
        rows = self.hub.weir("power", "--json").json["power"]
        self.assertEqual([(row["domain"], row["budget_watts"]) for row in rows],
                         [("local", 4000), ("box/rack/0", 2000), ("box/rack/1", 2000)])
        self.assertEqual(sum(row["draw_watts"] for row in rows[1:]), 600)
        answer = self.hub.weir("power", "box/rack/1", "1.5kW")
        self.assertEqual(answer.status, 0, answer)
        self.restart()
        self.assertRegex(self.hub.weir("power", "box").out, r"box/rack/1 +\S+ k?W +1\.5 kW")
        self.assertEqual(self.hub.weir("power", "box/rack/1", "none").status, 0)
        self.assertRegex(self.hub.weir("power", "box/rack/1").out, r"box/rack/1 +\S+ k?W +2 kW")
        for words, part in ((("box", "1kW"), "POOL/rack/NUMBER"), (("local", "15"), "15kW"), (("local", "0W"), "or none"),
                            (("nowhere",), "nowhere")):
            answer = self.hub.weir("power", *words)
            self.assertNotEqual(answer.status, 0, answer)
            self.assertIn(part, answer.err)

    def test_ps_says_when_a_job_starts(self):
        whole = self.hub.submit("name: whole\nrun: sleep 600\ngang: {replicas: 2, cpus: 4}\ntime: {limit: 10min}\n")
        self.hub.until(whole, "running")
        behind = self.hub.submit("name: behind\nrun: 'true'\ngang: {replicas: 2, cpus: 4}\ntime: {limit: 1min}\n")
        job = self.hub.job(behind)
        self.assertTrue(job["starts_promised"], job)
        # A promise has some slack: an hour and a quarter of the limit.
        later_ms = job["starts_at_ms"] - time.time() * 1000 - 600_000
        self.assertTrue(-60_000 < later_ms < 3_700_000, job)
        self.assertRegex(self.hub.weir("ps").out, r"behind .* by (\S+ )?\S*\d\d:\d\d ")
        self.assertIn("it is promised", self.hub.weir("show", behind).out)
        self.assertIn("it is promised to start by", self.hub.weir("explain", behind).out)

    def test_a_deadline_that_has_passed_is_refused(self):
        answer = self.hub.weir("submit", "-", input="name: late\nrun: 'true'\ndeadline: 2020-01-01\n")
        self.assertEqual(answer.status, 2, answer)
        self.assertIn("deadline: 2020-01-01T00:00:00Z has passed", answer.err)

    def test_the_policy_is_a_text_with_keys(self):
        self.assertEqual(self.hub.weir("up", "--policy", "weir reservations=many").status, 2)
        hub = harness.Hub(self.path("other"), fleet=FLEET, options=("--policy", "weir reservations=3"))
        try:
            hub.start()
            self.assertRegex(hub.request("GET", "/v1/status")[1].decode(), "weir reservations=3")
        finally:
            hub.stop()


if __name__ == "__main__":
    harness.main()
