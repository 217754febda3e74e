#!/usr/bin/env python3
"""Hubs that stop, die and come back, while jobs go on."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
from harness import Hub, eventually


class Restart(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.hub = Hub(self.folder).start()

    def tearDown(self):
        self.hub.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def agrees_with_its_journal(self):
        status = json.loads(self.hub.request("GET", "/v1/status")[1])
        answer = self.hub.weir("replay", self.hub.data, "--json")
        self.assertEqual(answer.status, 0, answer)
        self.assertEqual(answer.json["digest"], status["digest"])

    def test_running_jobs_survive_the_hub_and_are_taken_up_again(self):
        for end in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(end=end.name):
                go = self.path(f"go-{end}")
                job = self.hub.submit(f"run: 'echo started >> effects-{end}; echo one; "
                                      f"while [ ! -e {go} ]; do sleep 0.05; done; echo two; exit 3'\n")
                quick = self.hub.submit(f"run: 'echo started >> quick-{end}; while [ ! -e {go}-quick ]; "
                                        f"do sleep 0.05; done; touch {go}-done; exit 0'\n")
                waiting = self.hub.submit(f"run: 'true'\nafter_any: [{job}]\n")
                self.hub.until(job, "running")
                self.hub.until(quick, "running")
                status = self.hub.end(end)
                if end == signal.SIGTERM:
                    self.assertEqual(status, 0)
                    self.assertIn("2 running jobs run on", self.hub.said())
                # One job ends while no hub is there to see it.
                open(f"{go}-quick", "w").close()
                eventually("the quick job ended alone", lambda: os.path.exists(f"{go}-done"))
                self.hub.start()
                self.assertEqual(self.hub.weir("wait", quick).status, 0)
                self.assertEqual(self.hub.state(job), "running")
                self.assertEqual(self.hub.state(waiting), "held")
                open(go, "w").close()
                self.assertEqual(self.hub.weir("wait", job).status, 1)
                self.assertEqual(self.hub.job(job)["exit_code"], 3)
                self.assertEqual(len(self.hub.job(job)["attempts"]), 1)
                self.assertEqual(self.hub.weir("wait", waiting).status, 0)
                self.assertEqual(self.hub.weir("logs", job).out, "one\ntwo\n")
                self.assertEqual(self.read(f"effects-{end}"), "started\n")
                self.assertEqual(self.read(f"quick-{end}"), "started\n")
                self.agrees_with_its_journal()

    def test_a_follower_outlives_the_hub(self):
        go = self.path("go")
        run = self.hub.begin("run", "--", "sh", "-c", f"echo one; while [ ! -e {go} ]; do sleep 0.05; done; echo two; exit 9")
        self.assertEqual(run.stdout.readline(), "one\n")
        self.hub.kill()
        open(go, "w").close()
        self.hub.start()
        out, err = run.communicate(timeout=harness.PATIENCE)
        self.assertEqual((out, run.returncode), ("two\n", 9), err)

    def test_a_second_hub_on_the_same_data_is_refused(self):
        job = self.hub.submit("run: 'true'\n")
        second = subprocess.run([harness.WEIR, "up", "--data", self.hub.data, "--listen", "127.0.0.1:0"],
                                capture_output=True, text=True, timeout=harness.PATIENCE, cwd=self.folder)
        self.assertNotEqual(second.returncode, 0)
        self.assertEqual(second.stdout, "")
        self.assertEqual(len(second.stderr.splitlines()), 1, second.stderr)
        self.assertIn(str(self.hub.process.pid), second.stderr)
        self.assertEqual(self.hub.weir("wait", job).status, 0)
        with open(os.path.join(self.hub.data, "hub.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["url"], self.hub.url)

    def test_a_taken_address_is_one_clear_error(self):
        other = os.path.join(self.folder, "other")
        second = subprocess.run([harness.WEIR, "up", "--data", other, "--listen", f"127.0.0.1:{self.hub.port}",
                                 *self.hub.options], capture_output=True, text=True,
                                timeout=harness.PATIENCE, cwd=self.folder)
        self.assertNotEqual(second.returncode, 0)
        self.assertEqual(len(second.stderr.splitlines()), 1, second.stderr)
        self.assertIn(str(self.hub.port), second.stderr)

    def test_a_hub_that_cannot_have_its_address_starts_nothing(self):
        other = Hub(os.path.join(self.folder, "unreachable")).start()
        go, gone, effect = self.path("go"), self.path("gone"), self.path("effect")
        blocker = other.submit(f"run: 'while [ ! -e {go} ]; do sleep 0.05; done; touch {gone}'\n"
                               "gang: {cpus: 8}\n")
        waiting = other.submit(f"run: touch {effect}\ngang: {{cpus: 8}}\n")
        other.until(blocker, "running")
        other.kill()
        # The place becomes free while the hub is away, so the next one would start what waits.
        open(go, "w").close()
        eventually("the blocker ends", lambda: os.path.exists(gone))
        port, other.port = other.port, self.hub.port
        with self.assertRaisesRegex(AssertionError, "address is in use"):
            other.start()
        self.assertFalse(os.path.exists(effect))
        other.port = port
        other.start()
        try:
            self.assertEqual(other.weir("wait", waiting).status, 0)
            self.assertTrue(os.path.exists(effect))
        finally:
            other.stop()

    def test_a_fleet_that_is_not_of_this_machine_is_refused_before_anything_is_made(self):
        data = os.path.join(self.folder, "never-made")
        for text, names in [
            (harness.FLEET.replace("local}", "slurm}"), ["sites[0].executor.kind", "slurm", "local", "simulate"]),
            (harness.FLEET.replace("cpus: 8", "cpus: 99999"), ["sites[0].pools[0].cpus", "99999", "--oversubscribe"]),
            (harness.FLEET.replace("nodes: 1", "nodes: 3"), ["sites[0].pools[0].nodes", "3"]),
        ]:
            fleet = self.path("fleet.yaml")
            with open(fleet, "w", encoding="utf-8") as file:
                file.write(text)
            refused = subprocess.run([harness.WEIR, "up", "--data", data, "--listen", "127.0.0.1:0", "--fleet", fleet],
                                     capture_output=True, text=True, timeout=harness.PATIENCE, cwd=self.folder)
            self.assertEqual((refused.returncode, refused.stdout), (2, ""), refused)
            self.assertEqual(len(refused.stderr.splitlines()), 1, refused.stderr)
            for name in names:
                self.assertIn(name, refused.stderr)
            self.assertFalse(os.path.exists(data))

    def test_what_jobs_were_given_is_for_nobody_else(self):
        self.assertEqual(os.stat(self.hub.data).st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(os.path.join(self.hub.data, "runs")).st_mode & 0o777, 0o700)
        answer = self.hub.weir("run", "--", "sh", "-c", "echo $TOKEN", env={"TOKEN": "s3cret"})
        self.assertEqual(answer.out, "s3cret\n")
        shown = self.hub.request("GET", "/v1/jobs/sh")[1].decode()
        self.assertIn("TOKEN", shown)
        self.assertNotIn("s3cret", shown)

    def test_keys_and_ids_are_remembered_over_a_restart(self):
        text = "run: 'echo once >> once'\n"
        job = self.hub.submit(text, "--key", "kept")
        self.assertEqual(self.hub.weir("wait", job).status, 0)
        self.hub.kill()
        self.hub.start()
        self.assertEqual(self.hub.submit(text, "--key", "kept"), job)
        self.assertGreater(int(self.hub.submit("run: 'true'\n")), int(job))
        self.assertEqual(self.read("once"), "once\n")


class Campaign(unittest.TestCase):
    """`weir up --campaign DIR --once`, as `make run ARGS=--once` calls it, on the real machine."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.jobs = os.path.join(self.folder, "jobs")
        os.mkdir(self.jobs)

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name, text):
        with open(os.path.join(self.jobs, name), "w", encoding="utf-8") as file:
            file.write(text)

    def campaign(self):
        return subprocess.run([harness.WEIR, "up", "--data", os.path.join(self.folder, "data"), "--listen",
                               "127.0.0.1:0", "--campaign", self.jobs, "--once"], capture_output=True,
                              text=True, timeout=3 * harness.PATIENCE, cwd=self.folder)

    def test_a_campaign_succeeds_only_if_all_its_jobs_do_and_can_be_run_again(self):
        self.write("1-first.yaml", "name: first\nrun: 'pwd > where; echo result 42'\n")
        self.write("2-sweep.yaml", "name: sweep\nrun: 'true'\narray: 0-3%2\n")
        self.write("3-last.yaml", "name: last\nrun: cat where\nafter: [first, sweep]\n")
        for _ in range(2):
            done = self.campaign()
            self.assertEqual(done.returncode, 0, done)
            self.assertIn("result 42", done.stdout)
            self.assertIn("4 of 4 members succeeded", done.stdout)
            self.assertIn(os.path.realpath(self.jobs), done.stdout)
            self.assertIn("http://127.0.0.1:", done.stdout)
        self.write("2-sweep.yaml", "name: sweep\nrun: 'echo the reason >&2; exit 4'\n")
        done = self.campaign()
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("the reason", done.stdout)
        self.assertRegex(done.stdout, r"sweep .*failed .* 4 ")
        self.assertRegex(done.stdout, r"last .*cancelled")


if __name__ == "__main__":
    harness.main()
