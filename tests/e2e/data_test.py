#!/usr/bin/env python3
"""Datasets that are real files, at two sites on one machine."""
import json
import os
import shutil
import tempfile
import unittest

import harness
from harness import Hub, eventually

FLEET = """
sites:
  - name: here
    executor: {{kind: local}}
    storage: {{root: {0}/here}}
    pools: [{{name: a, chip: cpu, nodes: 1, chips_per_node: 1, cpus: 4, memory: 4GiB}}]
  - name: there
    executor: {{kind: local}}
    storage: {{root: {0}/there, datasets: {{era5: 12B, lost: 1GiB, large: 100MB}}}}
    pools: [{{name: b, chip: cpu, nodes: 1, chips_per_node: 1, cpus: 4, memory: 4GiB}}]
links:
  - {{between: [here, there], bandwidth: 1GB/s, latency: 1ms}}
"""


class Data(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        os.makedirs(self.path("there/era5/2020"))
        with open(self.path("there/era5/2020/jan"), "w", encoding="utf-8") as file:
            file.write("snow and ice")
        # Large enough to be under way for a moment.
        with open(self.path("there/large"), "wb") as file:
            file.truncate(100_000_000)
        self.hub = Hub(os.path.join(self.folder, "hub"), fleet=FLEET.format(self.folder)).start()

    def tearDown(self):
        self.hub.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def places(self, dataset):
        known = self.hub.weir("data", "--json").json["datasets"]
        return {place["site"]: place["state"] for one in known if one["dataset"] == dataset
                for place in one["places"]}

    def agrees_with_its_journal(self):
        status = json.loads(self.hub.request("GET", "/v1/status")[1])
        answer = self.hub.weir("replay", self.hub.data, "--json")
        self.assertEqual(answer.status, 0, answer)
        self.assertEqual(answer.json["digest"], status["digest"])

    def test_a_job_reads_a_dataset_that_was_copied_to_its_site(self):
        job = self.hub.submit("run: 'cat in/era5/2020/jan $WEIR_DATA/era5/2020/jan'\n"
                              "sites: [here]\ndata: {in: [{dataset: era5, as: in/era5}]}\n")
        answer = self.hub.weir("wait", job)
        self.assertEqual(answer.status, 0, self.hub.said())
        self.assertEqual(self.hub.weir("logs", job).out, "snow and icesnow and ice")
        self.assertEqual(self.places("era5"), {"here": "there", "there": "there"})
        self.assertEqual(os.listdir(self.path("here/.weir/half")), [])
        table = self.hub.weir("data").out
        self.assertIn("here, there", table)
        self.agrees_with_its_journal()

    def test_what_is_not_there_is_refused_with_where_it_should_be(self):
        for dataset, names in [("era6", ["did you mean era5?"]), ("lost", [self.path("there/lost")])]:
            answer = self.hub.weir("submit", "-", input=f"run: x\ndata: {{in: [{{dataset: {dataset}}}]}}\n")
            self.assertIn(answer.status, (2, 3), answer)
            self.assertEqual(answer.out, "")
            for name in names:
                self.assertIn(name, answer.err)

    def test_a_link_does_not_replace_what_is_no_link(self):
        os.makedirs(self.path("work/era5"))
        job = self.hub.submit("run: 'true'\nsites: [there]\nworkdir: " + self.path("work") +
                              "\ndata: {in: [{dataset: era5, as: era5}]}\n")
        self.assertNotEqual(self.hub.weir("wait", job).status, 0)
        self.assertIn("is there and is no link", self.hub.job(job)["reason"])

    def test_what_a_job_makes_is_read_by_another_one_elsewhere(self):
        work = self.path("work")
        os.makedirs(work)
        maker = self.hub.submit(f"name: maker\nrun: 'mkdir out && echo 42 > out/x'\nsites: [there]\nworkdir: {work}\n"
                                "data: {out: [{path: out, dataset: answer, keep: 30d}]}\n")
        reader = self.hub.submit("run: 'cat $WEIR_DATA/answer/x'\nsites: [here]\nafter: [maker]\n"
                                 "data: {in: [{dataset: answer}]}\n")
        self.assertEqual(self.hub.weir("wait", reader).status, 0, self.hub.said())
        self.assertEqual(self.hub.weir("logs", reader).out, "42\n")
        self.assertEqual(os.readlink(os.path.join(work, "out")), self.path("there/answer"))
        known = {one["dataset"]: one for one in self.hub.weir("data", "--json").json["datasets"]}
        self.assertEqual((known["answer"]["size_bytes"], known["answer"]["made_by"]), (3, maker))
        self.agrees_with_its_journal()

    def test_a_copy_that_a_killed_hub_left_is_made_anew(self):
        # Whether the kill comes in the middle is chance.
        job = self.hub.submit("run: 'stat -L -c %s in'\nsites: [here]\n"
                              "data: {in: [{dataset: large, as: in}]}\n")
        eventually("the copy begins", lambda: os.path.exists(self.path("here/.weir/half/large"))
                   or os.path.exists(self.path("here/large")))
        self.hub.kill()
        self.hub.start()
        self.assertEqual(self.hub.weir("wait", job).status, 0, self.hub.said())
        self.assertEqual(self.hub.weir("logs", job).out, "100000000\n")
        self.agrees_with_its_journal()


if __name__ == "__main__":
    harness.main()
