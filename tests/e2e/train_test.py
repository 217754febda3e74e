#!/usr/bin/env python3
"""Training jobs: the planner says what a number of chips is worth, the hub starts the one that ends
first, and the program finds its plan. The chips are a fleet file's; the processes are real."""
import json
import os
import shutil
import tempfile
import time
import unittest

import harness
from harness import Hub, HubCase

FLEET = """
sites:
  - name: local
    executor: {kind: local}
    price: {h100-sxm-80g: 20 CNY/chip-hour}
    pools:
      - {name: new, chip: h100-sxm-80g, nodes: 4, chips_per_node: 8, cpus: 8, memory: 1GiB}
      - {name: small, chip: a100-sxm-80g, nodes: 1, chips_per_node: 8, cpus: 8, memory: 1GiB}
"""
TRAIN = """
name: {name}
train:
  model: {model}
  sequence: 4096
  global_batch: 256
  tokens: {tokens}
  chips: {chips}
  framework: {framework}
gang: {{cpus: 0.1}}
run: '{run}'
"""


def train(name, chips="8..32", model="llama-3-8b", tokens="2e9", framework="megatron-lm",
          run='env | grep ^WEIR_ | sort; sleep 0.1', more=""):
    return TRAIN.format(name=name, chips=chips, model=model, tokens=tokens, framework=framework,
                        run=run) + more


class Train(HubCase):
    fleet = FLEET

    def log(self, job):
        return self.hub.weir("logs", job).out

    def test_a_job_starts_with_its_plan_in_the_environment(self):
        job = self.hub.submit(train("plan"))
        self.assertEqual(self.hub.weir("wait", job).status, 0, self.hub.said())
        env = dict(line.split("=", 1) for line in self.read_rank(job, 0).splitlines())
        degrees = [int(env["WEIR_" + one]) for one in ("TP", "PP", "DP", "CP")]
        product = 1
        for degree in degrees:
            product *= degree
        self.assertEqual(product, int(env["WEIR_CHIPS"]), env)
        self.assertGreaterEqual(int(env["WEIR_MICRO_BATCH"]), 1)
        self.assertIn("WEIR_EP", env)
        self.assertIn("--tensor-model-parallel-size " + env["WEIR_TP"], env["WEIR_LAUNCH_ARGS"])
        self.assertIn("--micro-batch-size " + env["WEIR_MICRO_BATCH"], env["WEIR_LAUNCH_ARGS"])
        shown = self.hub.job(job)
        self.assertEqual(shown["chips"], int(env["WEIR_CHIPS"]))
        self.assertEqual(shown["replicas"], int(env["WEIR_CHIPS"]) // 8)
        # What was decided can be decided again.
        status = json.loads(self.hub.request("GET", "/v1/status")[1])
        answer = self.hub.weir("replay", self.hub.data, "--json")
        self.assertEqual(answer.status, 0, answer)
        self.assertEqual(answer.json["digest"], status["digest"])

    def read_rank(self, job, rank):
        task = self.hub.job(job)["attempts"][-1]["tasks"][rank]
        return self.read(task["stdout"])

    def test_offers_say_what_each_size_is_worth(self):
        name = self.write("job.yaml", train("offered"))
        fleet = os.path.join(self.folder, "fleet.yaml")
        answer = self.hub.weir("offers", name, "--fleet", fleet, "--json")
        self.assertEqual(answer.status, 0, answer)
        sizes = answer.json["sizes"]
        self.assertEqual({one["basis"] for one in sizes}, {"predicted"})
        self.assertEqual({one["chips"] for one in sizes if one["pools"] == ["new"]} & {8, 16, 32},
                         {8, 16, 32})
        times = [one["time_s"] for one in sizes]
        self.assertEqual(times, sorted(times))
        for one in sizes:
            self.assertLess(one["step_low_s"], one["step_s"])
            self.assertLess(one["step_s"], one["step_high_s"])
            self.assertTrue(0.1 < one["mfu"] < 0.9, one)
            self.assertEqual(one["cost"] is None, one["pools"] == ["small"])
        text = self.hub.weir("offers", name, "--fleet", fleet)
        for words in ("to the goal", "90 % are", "MFU", "new", "small", "CNY"):
            self.assertIn(words, text.out)

    def test_offers_refuse_what_a_hub_refuses(self):
        fleet = os.path.join(self.folder, "fleet.yaml")
        only = "chips: {any_of: [h100-sxm-80g]}\n"
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
        for more, all_refused, words in (
                ("deadline: %s\n" % soon, True, "deadline: with a limit of "),
                ("deadline: 2020-01-01T00:00:00Z\n", True, "deadline: 2020-01-01"),
                ("budget: 10 CNY\n", True, "budget"),
                ("budget: 10 USD\n", True, "this hub counts in CNY"),
                ("deadline: 2099-01-01T00:00:00Z\n", True, "more than 10y from now"),
                ("budget: 100000 CNY\n", False, "")):
            name = self.write("job.yaml", train("offered", more=only + more, run="true"))
            offers = self.hub.weir("offers", name, "--fleet", fleet, "--json")
            submit = self.hub.weir("submit", name)
            self.assertEqual(offers.status != 0, all_refused, (more, offers))
            self.assertEqual(submit.status != 0, all_refused, (more, submit))
            sizes = offers.json["sizes"]
            self.assertEqual(any(one["serves"] for one in sizes), not all_refused, more)
            if all_refused:
                self.assertIn(words, sizes[0]["reason"], more)
                self.assertIn(words, submit.err, more)
        # What a budget leaves are the same sizes.
        name = self.write("job.yaml", train("part", more=only + "budget: 1400 CNY\n"))
        offers = self.hub.weir("offers", name, "--fleet", fleet, "--json")
        job = self.hub.weir("submit", name, "--json").json["jobs"][0]["id"]
        spec = self.hub.job(job)["spec"]
        left = sorted(one["chips"] for one in offers.json["sizes"] if one["serves"])
        self.assertEqual(left, sorted(one["replicas"] * one["chips"] for one in spec["sizes"]))
        self.assertTrue(0 < len(left) < len(offers.json["sizes"]), left)
        self.hub.until(job, "succeeded")

    def test_show_tells_the_plan(self):
        job = self.hub.submit(train("shown", chips="16..32"))
        self.assertEqual(self.hub.weir("wait", job).status, 0, self.hub.said())
        shown = self.hub.job(job)
        size = shown["spec"]["sizes"][shown["size"]]
        self.assertEqual(size["replicas"] * size["chips"], shown["chips"])
        text = self.hub.weir("show", job).out
        for words in (size["plan"], "%d chips on" % shown["chips"], " of new; it took one of ",
                      "predicted; of ten such runs nine take", "MFU"):
            self.assertIn(words, text)

    def test_a_job_that_waits_says_with_which_size_and_why(self):
        holder = self.hub.submit("run: sleep 60\nname: holder\ntime: {limit: 1min}\n"
                                 "chips: {any_of: [h100-sxm-80g]}\n"
                                 "gang: {replicas: 4, chips: 8, cpus: 0.1}\n")
        self.hub.until(holder, "running")
        job = self.hub.submit(train("waits", chips=32, tokens="1e11",
                                    more="chips: {any_of: [h100-sxm-80g]}\n"))
        self.assertEqual(self.hub.state(job), "pending")
        elastic = self.hub.submit(train("elastic", chips="8..32", tokens="2e11",
                                        more="chips: {any_of: [h100-sxm-80g]}\n"))
        why = self.hub.weir("explain", elastic)
        self.assertIn("of its sizes: with ", why.out)
        self.assertIn("nodes of new)", " ".join(why.out.split()))
        self.assertNotIn("replica", why.out.split("What would help")[-1])
        self.assertIn("it would end in", why.out)
        self.hub.weir("cancel", holder, job, elastic)
        for one in (holder, job, elastic):
            self.hub.until(one, "cancelled")

    def test_what_nobody_could_train_is_refused_in_a_sentence(self):
        for text, words in (
                (train("a", model="lama-3-8b"), "did you mean llama-3-8b?"),
                (train("b", chips="1000..2000"), "it has 32 chips, and the job wants at least 1000"),
                (train("c", chips="8..16", model="llama-3.1-405b"), "the leanest plan needs"),
                (train("d", chips="0..16"), "is not a number of chips or a range of them"),
                (train("e", tokens="-1"), "tokens"),
                (train("f") + "array: 0-3\n", "array"),
                (train("g", model="nowhere/config.json"), "train.model")):
            answer = self.hub.weir("submit", "-", input=text)
            self.assertNotEqual(answer.status, 0, text)
            self.assertIn(words, answer.err)

    def test_the_model_may_be_a_file_beside_the_job(self):
        folder = os.path.dirname(self.write("config.json", json.dumps({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048,
            "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
            "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192,
            "tie_word_embeddings": True, "hidden_act": "silu", "rms_norm_eps": 1e-5})))
        text = train("own", model="./config.json", chips="8", run="echo $WEIR_LAUNCH_ARGS")
        answer = self.hub.weir("submit", "-", input=text, cwd=folder)
        self.assertEqual(answer.status, 0, answer)
        job = answer.out.strip()
        self.assertEqual(self.hub.weir("wait", job).status, 0, self.hub.said())
        self.assertIn("--hidden-size 2048", self.read_rank(job, 0))


class TrainRestarts(HubCase):
    fleet = FLEET

    def test_a_hub_that_was_killed_knows_the_size_of_who_runs_and_of_who_waits(self):
        run = self.hub.submit(train("runs", chips="32", run="sleep 600",
                                    more="chips: {any_of: [h100-sxm-80g]}\n"))
        self.hub.until(run, "running")
        wait = self.hub.submit(train("waits", chips="16..32", tokens="4e9",
                                     more="chips: {any_of: [h100-sxm-80g]}\n"))
        before = [self.hub.job(one) for one in (run, wait)]
        self.hub.kill()
        time.sleep(0.1)
        self.hub.start()
        after = [self.hub.job(one) for one in (run, wait)]
        self.assertEqual([one["state"] for one in after], ["running", "pending"])
        self.assertEqual([one["chips"] for one in before], [one["chips"] for one in after])
        self.hub.weir("cancel", run)
        self.hub.until(run, "cancelled")
        self.assertEqual(self.hub.weir("wait", wait).status, 0, self.hub.said())
        answer = self.hub.weir("replay", self.hub.data, "--json")
        self.assertEqual(answer.status, 0, answer)


    def test_a_wrong_fleet_file_loses_nobody_who_waits(self):
        """Of a hub that is killed, and started with a file in which the pool is missing."""
        holder = self.hub.submit("run: sleep 600\nname: holder\ntime: {limit: 20min}\n"
                                 "chips: {any_of: [h100-sxm-80g]}\n"
                                 "gang: {replicas: 4, chips: 8, cpus: 0.1}\n")
        self.hub.until(holder, "running")
        only = "chips: {any_of: [h100-sxm-80g]}\n"
        waits = self.hub.submit(train("waits", chips="16..32", tokens="4e9", more=only))
        plain = self.hub.submit("run: 'true'\nname: plain\ntime: {limit: 1min}\n" + only +
                                "gang: {replicas: 2, chips: 8, cpus: 0.1}\n")
        behind = self.hub.submit("run: 'true'\nname: behind\ntime: {limit: 1min}\nafter: [plain]\n"
                                 "gang: {cpus: 0.1}\n")
        for one in (waits, plain):
            self.assertEqual(self.hub.state(one), "pending")
        self.hub.weir("cancel", holder)
        self.hub.kill()
        path = os.path.join(self.hub.folder, "fleet.yaml")
        with open(path, encoding="utf-8") as file:
            right = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(line for line in right.split("\n")
                                 if "name: new" not in line and "price" not in line))
        self.hub.start()
        self.hub.until(holder, "cancelled", "lost", "failed")
        for one in (waits, plain, behind):
            self.hub.until(one, "held")
        for one in (waits, plain):
            shown = self.hub.job(one)
            self.assertIn("in this fleet it can never start", shown["reason"])
            self.assertIn("h100-sxm-80g", shown["reason"])
            self.assertIn("waits for another fleet", self.hub.weir("explain", one).out)
        self.hub.kill()
        with open(path, "w", encoding="utf-8") as file:
            file.write(right)
        self.hub.start()
        for one in (waits, plain, behind):
            self.assertEqual(self.hub.weir("wait", one).status, 0, self.hub.said())
        answer = self.hub.weir("replay", self.hub.data, "--json")
        self.assertEqual(answer.status, 0, answer)


SITES = """
sites:
  - name: here
    executor: {{kind: local}}
    storage: {{root: {0}/here}}
    pools: [{{name: new, chip: h100-sxm-80g, nodes: 4, chips_per_node: 8, cpus: 8, memory: 1GiB}}]
  - name: there
    executor: {{kind: local}}
    storage: {{root: {0}/there, datasets: {{tokens: 12B, more: 12B}}}}
    pools: [{{name: old, chip: a100-sxm-80g, nodes: 2, chips_per_node: 8, cpus: 8, memory: 1GiB}}]
links:
  - {{between: [here, there], bandwidth: 1GB/s, latency: 1ms}}
"""


class TrainData(unittest.TestCase):
    """Sizes at two sites, and what is read lies at the slower one."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        for name in ("tokens", "more"):
            os.makedirs(os.path.join(self.folder, "there", name))
            with open(os.path.join(self.folder, "there", name, "a"), "w", encoding="utf-8") as file:
                file.write("once upon a")
        os.makedirs(os.path.join(self.folder, "here"))
        self.hub = Hub(os.path.join(self.folder, "hub"), fleet=SITES.format(self.folder)).start()

    def tearDown(self):
        self.hub.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def test_its_data_goes_to_the_site_where_it_ends_first(self):
        reads = "data: {in: [{dataset: %s, as: in}]}\n"
        show = "cat in/a; echo; env | grep ^WEIR_CHIPS="
        job = self.hub.submit(train("reads", chips="8..32", run=show, more=reads % "tokens"))
        self.assertEqual(self.hub.weir("wait", job).status, 0, self.hub.said())
        shown = self.hub.job(job)
        self.assertGreater(len(shown["spec"]["sizes"]), 4)
        self.assertEqual(shown["spec"]["sizes"][shown["size"]]["pools"], ["new"])
        task = shown["attempts"][-1]["tasks"][0]
        with open(task["stdout"], encoding="utf-8") as file:
            self.assertEqual(file.read().split(), ["once", "upon", "a", "WEIR_CHIPS=32"])
        # Where the fast ones are busy for days, it goes where it is: fewer chips, and at once.
        holder = self.hub.submit("run: sleep 600\nname: holder\ntime: {limit: 60d}\n"
                                 "chips: {any_of: [h100-sxm-80g]}\n"
                                 "gang: {replicas: 4, chips: 8, cpus: 0.1}\n")
        self.hub.until(holder, "running")
        job = self.hub.submit(train("stays", chips="8..32", run=show, more=reads % "more"))
        self.assertEqual(self.hub.weir("wait", job).status, 0, self.hub.said())
        shown = self.hub.job(job)
        self.assertEqual(shown["spec"]["sizes"][shown["size"]]["pools"], ["old"])
        self.hub.weir("cancel", holder)
        self.hub.until(holder, "cancelled")
        answer = self.hub.weir("replay", self.hub.data, "--json")
        self.assertEqual(answer.status, 0, answer)


if __name__ == "__main__":
    harness.main()
