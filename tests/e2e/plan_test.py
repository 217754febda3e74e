#!/usr/bin/env python3
"""`weir plan` and `weir models` as people use them: files, terminals, scripts, and slips."""
import fcntl
import os
import pty
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest
from html.parser import HTMLParser

import harness
from harness import Answer

CONFIG = """
model: llama-3-8b
chip: h100-sxm-80g
n_chips: 64
seq: 8192
global_batch: 128
tp: 2
zero_stage: 1
seq_parallel: y
overlap: [grad_reduce, param_gather]
"""
SMALL = ["llama-3-8b", "--chips", "h100-sxm-80g=16", "--sequence", "4096", "--global-batch", "64"]


class Plan(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def weir(self, *words, stdin=""):
        done = subprocess.run([harness.WEIR, *words], input=stdin, capture_output=True, text=True,
                              cwd=self.folder, timeout=300)
        return Answer(done.returncode, done.stdout, done.stderr)

    def file(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)
        return name

    def test_a_configuration_is_predicted_with_an_interval_and_its_terms_sum(self):
        answer = self.weir("plan", "--check", self.file("p.yaml", CONFIG), "--json")
        self.assertEqual(answer.status, 0, answer)
        plan = answer.json["plan"]
        self.assertLess(plan["step_s_low"], plan["step_s"])
        self.assertLess(plan["step_s"], plan["step_s_high"])
        self.assertAlmostEqual(sum(plan["terms_s"].values()), plan["step_s"], places=6)
        self.assertAlmostEqual(sum(plan["memory_parts_bytes"].values()) / plan["memory_bytes"], 1)
        self.assertEqual(plan["strategy"]["dp"], 32)
        text = self.weir("plan", "--check", "-", stdin=CONFIG)
        for words in ("matrix products", "MFU:", "it has", "90 % are", "overlap of gradients and weights"):
            self.assertIn(words, text.out)

    def test_what_was_measured_stands_beside_the_prediction(self):
        name = self.file("p.yaml", CONFIG + "step_time_s: 4\npeak_mem_gib: 60\n")
        answer = self.weir("plan", "--check", name)
        self.assertIn("measured: a step took 4.00 s; the prediction is", answer.out)
        self.assertIn("measured: a chip held 60.0 GiB", answer.out)

    def test_single_changes_to_a_configuration_are_tried(self):
        answer = self.weir("plan", "--check", self.file("p.yaml", CONFIG), "--explain", "--json")
        changes = answer.json["changes"]
        fitting = [change["gain"] for change in changes if change["fits"]]
        self.assertEqual(fitting, sorted(fitting, reverse=True))
        self.assertIn("recompute full", [change["what"] for change in changes])

    def test_plans_are_ranked_and_the_best_one_checks_to_the_same_numbers(self):
        answer = self.weir("plan", *SMALL, "--json")
        self.assertEqual(answer.status, 0, answer)
        plans = answer.json["pools"][0]["plans"]
        steps = [plan["step_s"] for plan in plans]
        self.assertEqual(steps, sorted(steps))
        self.assertTrue(all(plan["strategy"]["n_chips"] == 16 for plan in plans))
        best = plans[0]
        lines = [f"{key}: {value}" for key, value in best["strategy"].items() if value != []]
        lines += ["model: llama-3-8b", "chip: h100-sxm-80g", "seq: 4096", "global_batch: 64"]
        name = self.file("best.yaml", "\n".join(lines).replace("'", "") + "\n")
        checked = self.weir("plan", "--check", name, "--json")
        self.assertEqual(checked.status, 0, checked)
        self.assertAlmostEqual(checked.json["plan"]["step_s"], best["step_s"], places=9)

    def test_plans_keep_a_risk_of_memory_and_say_what_that_leaves_out(self):
        full = ["plan", "llama-3-8b", "--chips", "a100-sxm-80g=8", "--sequence", "4096", "--global-batch", "128"]
        answer = self.weir(*full, "--json").json
        pool = answer["pools"][0]
        for plan in pool["plans"]:
            self.assertLessEqual(plan["out_of_memory_probability"], 0.1 + 1e-9)
        out = pool["left_out"]
        self.assertGreater(out["out_of_memory_probability"], 0.1)
        self.assertLess(out["step_s"], pool["plans"][0]["step_s"])
        text = self.weir(*full).out
        self.assertIn("left out, to keep the risk of running out of memory at 10 %", text)
        option = text.split(" takes it")[0].rsplit("; ", 1)[1].split()
        self.assertEqual(option[0], "--risk")
        risky = self.weir(*full, *option, "--json").json["pools"][0]
        self.assertEqual(risky["plans"][0]["text"], out["text"])
        for plan in self.weir(*full, "--margin", "0.3", "--json").json["pools"][0]["plans"]:
            self.assertLessEqual(plan["memory_bytes"], 0.7 * 80 * 2**30)

    def test_what_a_framework_cannot_launch_is_not_ranked_under_its_name(self):
        for framework in ("megatron-lm", "mindspeed", "deepspeed"):
            asked = ["plan", "mixtral-8x7b", "--chips", "h100-sxm-80g=32", "--framework", framework]
            ranked = self.weir(*asked, "--top", "5", "--json").json["pools"][0]["plans"]
            self.assertTrue(ranked)
            for plan in ranked:
                lines = [f"{key}: {value}" for key, value in plan["strategy"].items() if value != []]
                lines += ["model: mixtral-8x7b", "chip: h100-sxm-80g", "seq: 4096", "global_batch: 1024"]
                name = self.file("plan.yaml", "\n".join(lines).replace("'", "") + "\n")
                launched = self.weir("plan", "--check", name, "--emit", framework)
                self.assertEqual(launched.status, 0, (plan["text"], launched))
        refused = self.weir("plan", "deepseek-v3", "--chips", "h800=256", "--framework", "deepspeed")
        self.assertEqual((refused.status, refused.out), (2, ""), refused)
        self.assertIn("--framework: deepspeed cannot launch this model: the model has latent attention (MLA), and "
                      "deepspeed has no option for that; take megatron-lm", refused.err)

    def test_where_nobody_names_a_framework_one_is_taken_that_can_launch_the_model(self):
        chips = ["--chips", "h100-sxm-80g=256"]
        for words, framework in ((["llama-3-70b", *chips], "megatron-lm"),
                                 (["mixtral-8x7b", *chips, "--precision", "fp16"], "deepspeed"),
                                 (["pangu-ultra-135b", "--chips", "ascend-910c=256"], "mindspeed")):
            answer = self.weir("plan", *words, "--json")
            self.assertEqual(answer.status, 0, answer)
            self.assertEqual(answer.json["framework"], framework)
            self.assertEqual("--framework: deepspeed, as megatron-lm cannot launch experts in fp16" in answer.err,
                             framework == "deepspeed", answer.err)
            self.assertEqual(self.weir("plan", *words, "--emit", framework).status, 0)
        # MindSpeed knows its norms, but not these chips.
        refused = self.weir("plan", "pangu-ultra-135b", *chips, "--emit", "megatron-lm")
        self.assertIn("megatron-lm cannot launch this model: the model has 4 norms in a layer", refused.err)
        self.assertNotIn("mindspeed", refused.err)
        # None can: the plans are those of kernels that are known, and that is said.
        spoken = self.weir("plan", "llama-4-scout", *chips)
        self.assertEqual(spoken.status, 0, spoken)
        self.assertIn("megatron-lm cannot launch this model: the model attends in chunks", spoken.err)
        self.assertIn("no other framework of these chips can, so plans are those of its kernels", spoken.err)
        refused = self.weir("plan", "llama-4-scout", *chips, "--emit", "megatron-lm")
        self.assertEqual((refused.status, refused.out), (2, ""), refused)
        self.assertIn("no other framework of these chips can", refused.err)

    def test_what_is_announced_of_a_launch_is_of_the_framework_that_is_launched(self):
        name = self.file("p.yaml", CONFIG.replace("zero_stage: 1", "zero_stage: 2"))
        here = self.weir("plan", "--check", name, "--json").json["plan"]
        for framework in ("torchtitan", "deepspeed"):
            if framework == "deepspeed":
                name = self.file("p.yaml", CONFIG.replace("[grad_reduce, param_gather]", "grad_reduce"))
            emitted = self.weir("plan", "--check", name, "--emit", framework, "--json")
            self.assertEqual(emitted.status, 0, emitted)
            self.assertIn(f"the plan is for megatron-lm; this is how it starts in {framework}", emitted.err)
            plan = emitted.json["plan"]
            self.assertEqual(plan["strategy"]["framework"], framework)
            self.assertNotEqual(plan["step_s"], here["step_s"])
            launch = self.file("launch", emitted.json["launch"])
            read = self.weir("plan", "llama-3-8b", "--read", launch, "--chips", "h100-sxm-80g", "--json").json
            self.assertAlmostEqual(read["plan"]["step_s"] / plan["step_s"], 1, places=9)

    def test_a_narrow_terminal_shows_whole_plans(self):
        plan = self.weir("plan", *SMALL, "--json").json["pools"][0]["plans"][0]["text"]
        for columns in (60, 80):
            terminal, other = pty.openpty()
            fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
            child = subprocess.Popen([harness.WEIR, "plan", *SMALL], stdout=other, stderr=subprocess.DEVNULL,
                                     env=dict(os.environ, NO_COLOR="1"))
            os.close(other)
            shown = b""
            while chunk := self.read(terminal):
                shown += chunk
            os.close(terminal)
            self.assertEqual(child.wait(60), 0)
            lines = shown.decode().replace("\r", "").split("\n")
            self.assertIn(plan, " ".join(" ".join(lines).split()))
            self.assertLessEqual(max(map(len, lines)), columns)

    @staticmethod
    def read(terminal):
        try:
            return os.read(terminal, 1 << 16)
        except OSError:  # the other side is closed
            return b""

    def test_hidden_communication_is_told_by_what_it_is_for(self):
        plan = self.weir("plan", *SMALL, "--json").json["pools"][0]["plans"][0]
        self.assertAlmostEqual(sum(plan["hidden_terms_s"].values()) / plan["hidden_s"], 1)
        self.assertGreater(plan["hidden_terms_s"]["data_parallel"], 0)

    def test_changes_keep_the_risk_and_the_framework(self):
        name = self.file("p.yaml", CONFIG.replace("tp: 2", "tp: 2\nframework: deepspeed"))
        everything = self.weir("plan", "--check", name, "--explain", "--risk", "0.5", "--json").json
        careful = self.weir("plan", "--check", name, "--explain", "--margin", "0.3", "--json").json
        room = max(0.7 * 80 * 2**30, careful["plan"]["memory_bytes"])
        fitting = {change["what"] for change in careful["changes"] if change["fits"]}
        self.assertLessEqual(fitting, {change["what"] for change in everything["changes"] if change["fits"]})
        for change in careful["changes"]:
            self.assertNotIn("pipeline sends", change["what"])
            self.assertFalse(change["fits"] and (change["missing_bytes"] or 0) > 0)
        self.assertGreater(room, 0)

    def test_it_explains_by_trying(self):
        answer = self.weir("plan", *SMALL, "--explain")
        for words in ("why this plan", "what limits it", "what would help", "twice the memory", "assumed"):
            self.assertIn(words, answer.out)

    def test_what_cannot_fit_says_by_how_much_and_what_would_help(self):
        answer = self.weir("plan", "llama-3.1-405b", "--chips", "a100-sxm-80g=8", "--explain")
        self.assertEqual(answer.status, 1, answer)
        self.assertIn("nothing fits", answer.out)
        self.assertIn("too much", answer.out)
        self.assertIn("what would make it fit", answer.out)

    def test_more_chips_give_more_tokens_a_second(self):
        answer = self.weir("plan", "llama-3-8b", "--chips", "h100-sxm-80g", "--scale", "8..64",
                           "--global-batch", "512", "--json")
        points = answer.json["pools"][0]["scale"]
        self.assertEqual([point["chips"] for point in points], [8, 16, 32, 64])
        rates = [point["plan"]["tokens_per_s"] for point in points]
        self.assertEqual(rates, sorted(rates))

    def test_the_report_is_one_page_that_needs_nothing_else(self):
        answer = self.weir("plan", *SMALL, "--report", "out.html", "--explain")
        self.assertEqual(answer.status, 0, answer)
        with open(os.path.join(self.folder, "out.html"), encoding="utf-8") as file:
            page = file.read()
        HTMLParser().feed(page)
        self.assertGreaterEqual(page.count("<svg"), 4)
        for foreign in ("<script", "http://", "https://", "src="):
            self.assertNotIn(foreign, page.replace("http://www.w3.org", ""))

    def test_what_is_emitted_reads_back_as_the_same_plan_in_every_framework(self):
        for framework in ("megatron-lm", "mindspeed", "deepspeed", "torchtitan"):
            emitted = self.weir("plan", *SMALL, "--emit", framework, "--json")
            self.assertEqual(emitted.status, 0, emitted)
            plan = emitted.json["plan"]
            name = self.file("launch", emitted.json["launch"])
            read = self.weir("plan", "llama-3-8b", "--read", name, "--chips", "h100-sxm-80g", "--json")
            self.assertEqual(read.status, 0, read)
            self.assertEqual(read.json["read_as"], framework)
            self.assertEqual(read.json["not_understood"], [])
            for key in ("n_chips", "tp", "pp", "dp", "cp", "micro_batch", "recompute", "precision"):
                self.assertEqual(read.json["plan"]["strategy"][key], plan["strategy"][key], (framework, key))
            self.assertAlmostEqual(read.json["plan"]["step_s"] / plan["step_s"], 1, places=2)

    def test_an_existing_launch_is_predicted_and_its_best_change_comes_first(self):
        name = self.file("pretrain.sh", """#!/bin/bash
TP=8
PP=2
MODEL_ARGS=(--num-layers 32 --hidden-size 4096 --ffn-hidden-size 14336 --num-attention-heads 32
  --group-query-attention --num-query-groups 8 --swiglu --normalization RMSNorm --seq-length 8192
  --max-position-embeddings 8192 --position-embedding-type rope --vocab-size 128256
  --untie-embeddings-and-output-weights --disable-bias-linear)
torchrun --nproc_per_node 8 --nnodes 8 pretrain_gpt.py ${MODEL_ARGS[@]} \\
  --tensor-model-parallel-size $TP --pipeline-model-parallel-size ${PP} --bf16 \\
  --micro-batch-size 1 --global-batch-size 128 --recompute-granularity full \\
  --recompute-method uniform --recompute-num-layers 1 --no-such-option 3
""")
        answer = self.weir("plan", "--read", name, "--chips", "h100-sxm-80g")
        self.assertEqual(answer.status, 0, answer)
        self.assertIn("tp 8, pp 2, dp 4", answer.out)
        self.assertIn("not understood", answer.err)
        self.assertIn("no-such-option", answer.err)
        changes = answer.out.split("changes, each tried", 1)[1]
        self.assertIn("everything at once", changes.split("\n")[2])
        self.assertIn("recompute none", changes)
        other = self.weir("plan", "llama-3-70b", "--read", name, "--chips", "h100-sxm-80g")
        self.assertIn("llama-3-70b: the launch says the shape of its model itself", other.err)
        self.assertIn("pretrain.sh (8.03 B parameters)", other.out)

    def test_tokens_go_to_experts_as_launch_and_chip_have_it(self):
        asked = ["plan", "deepseek-v2-lite", "--sequence", "4096", "--global-batch", "256", "--framework",
                 "megatron-lm", "--emit", "megatron-lm", "--chips"]
        launch = self.weir(*asked, "h100-sxm-80g=32").out
        self.assertIn("--moe-token-dispatcher-type flex", launch)
        self.assertIn("--moe-token-dispatcher-type alltoall", self.weir(*asked, "ascend-910b2=32").out)
        name = self.file("flex.sh", launch)
        for chip, sent in (("h100-sxm-80g", "deepep"), ("ascend-910b2", "all-to-all")):
            read = self.weir("plan", "--read", name, "--chips", chip, "--json")
            self.assertEqual(read.json["plan"]["strategy"]["expert_dispatch"], sent, chip)
            self.assertEqual("DeepEP does not run on" in read.err, sent == "all-to-all", read.err)

    def test_a_launch_is_not_emitted_for_what_the_framework_cannot_run(self):
        name = self.file("p.yaml", CONFIG.replace("tp: 2", "tp: 2\npp: 2"))
        answer = self.weir("plan", "--check", name, "--emit", "deepspeed")
        self.assertEqual(answer.out == "", answer.status != 0, answer)

    def test_serving_keeps_its_promises_or_says_what_it_misses(self):
        asked = ["plan", "llama-3-8b", "--serve", "--chips", "h100-sxm-80g=8", "--isl", "1024", "--osl", "256"]
        answer = self.weir(*asked, "--slo", "ttft=1s,tpot=40ms", "--json")
        self.assertEqual(answer.status, 0, answer)
        plans = answer.json["pools"][0]["plans"]
        rates = [plan["tokens_per_s_per_chip"] for plan in plans]
        self.assertEqual(rates, sorted(rates, reverse=True))
        for plan in plans:
            self.assertLessEqual(plan["ttft_s"], 1)
            self.assertLessEqual(plan["tpot_s"], 0.04)
            self.assertAlmostEqual(sum(plan["terms_s"].values()) / plan["tpot_s"], 1, places=6)
            for name in ("ttft_s", "tpot_s", "output_tokens_per_s"):
                self.assertLess(plan[name + "_low"], plan[name])
                self.assertLess(plan[name], plan[name + "_high"])
        text = self.weir(*asked, "--qps", "10", "--price", "2 USD/chip-hour")
        for words in ("time of a token", "keys and values", "10 requests a second need", "USD", "90 %"):
            self.assertIn(words, text.out)
        for option, value in (("--sequence", "4096"), ("--global-batch", "64"), ("--tokens", "1T"),
                              ("--precision", "fp8"), ("--framework", "torchtitan"),
                              ("--objective", "cost"), ("--margin", "0.1"), ("--mtbf", "5y/node"),
                              ("--risk", "0.2")):
            refused = self.weir(*asked, option, value)
            self.assertEqual(refused.status, 2, refused)
            self.assertIn(option + " is of training", refused.err)
        missed = self.weir(*asked, "--slo", "tpot=1ms")
        self.assertEqual(missed.status, 1, missed)
        self.assertIn("no plan keeps the promises", missed.out)
        for plan in plans:
            self.assertIsInstance(plan["batch"], int)
            self.assertLessEqual(plan["decoding_on_average"], plan["batch"])
        # What a prefix cache has, nobody computes again.
        fresh = self.weir(*asked, "--json").json["pools"][0]["plans"][0]
        cached = self.weir(*asked, "--cached-share", "0.9", "--json").json
        self.assertEqual(cached["cached_share"], 0.9)
        self.assertGreater(cached["pools"][0]["plans"][0]["tokens_per_s_per_chip"], fresh["tokens_per_s_per_chip"])
        self.assertIn("90.0 % of the prompts in the prefix cache", self.weir(*asked, "--cached-share", "0.9").out)
        few = self.weir(*asked, "--qps", "100000")
        self.assertEqual(few.status, 1, few)
        self.assertIn("more than the 8 chips", few.out)

    def test_several_kinds_of_chip_are_planned_alone_and_together(self):
        words = ["plan", "llama-3-8b", "--chips", "h100-sxm-80g=8,a100-sxm-80g=8", "--sequence", "4096",
                 "--global-batch", "64"]
        answer = self.weir(*words, "--json")
        self.assertEqual(answer.status, 0, answer)
        self.assertEqual(len(answer.json["pools"]), 2)
        mixed = answer.json["mixed"]
        ways = {way["way"]: way["step_s"] for way in mixed["ways"]}
        best_mix = min(step for way, step in ways.items() if way != "alone")
        self.assertEqual(mixed["pays"], best_mix < ways["alone"])
        for way in mixed["ways"]:
            self.assertLessEqual(way["out_of_memory_probability"], 0.1 + 1e-9)
            self.assertLess(way["step_s_low"], way["step_s"])
            self.assertGreater(way["step_s_high"], way["step_s"])
            for share in way["shares"]:
                self.assertLess(share["memory_bytes"], share["chip_memory_bytes"])
                self.assertLessEqual(share["out_of_memory_probability"], way["out_of_memory_probability"] + 1e-9)
                strategy = share["strategy"]
                self.assertEqual(share["micro_batches"] * strategy["micro_batch"] * strategy["dp"], share["sequences"])
        text = self.weir(*words).out
        self.assertIn("all together", text)
        self.assertRegex(text, "mixing (pays|does not pay): .* s a step instead of .* s")
        self.assertNotIn("--margin", text)
        self.assertRegex(text, "way +step .* risk")
        self.assertRegex(text, "way +chips .* risk +plan")

    def test_a_precision_is_the_least_and_never_lowered(self):
        for chip in ("a100-sxm-80g", "h100-sxm-80g"):
            answer = self.weir("plan", "llama-3-8b", "--chips", chip + "=8", "--global-batch", "64",
                               "--precision", "fp8", "--json")
            self.assertEqual(answer.status, 0, answer)
            used = {plan["strategy"]["precision"] for plan in answer.json["pools"][0]["plans"]}
            self.assertLessEqual(used, {"fp8", "bf16"} if chip.startswith("h100") else {"bf16"})
            self.assertEqual("has no units for it, so plans are in bf16" in answer.err, chip.startswith("a100"))
            answer = self.weir("plan", "llama-3-8b", "--chips", chip + "=8", "--global-batch", "64", "--json")
            used = {plan["strategy"]["precision"] for plan in answer.json["pools"][0]["plans"]}
            self.assertEqual(used, {"bf16"})

    def test_chips_may_be_a_pool_of_a_fleet_with_its_price_and_failures(self):
        fleet = self.file("fleet.yaml", """
sites:
  - name: a
    price: {h100-sxm-80g: 20 CNY/chip-hour}
    pools:
      - name: big
        chip: h100-sxm-80g
        nodes: 2
        chips_per_node: 8
        cpus: 64
        reliability: {mtbf: 1y/node, repair: 6h}
""")
        for objective in ("cost", "goodput", "energy"):
            answer = self.weir("plan", "llama-3-8b", "--chips", "big", "--fleet", fleet,
                               "--global-batch", "64", "--tokens", "1T", "--objective", objective,
                               "--json")
            self.assertEqual(answer.status, 0, answer)
            best = answer.json["pools"][0]["plans"][0]
            self.assertEqual(best["currency"], "CNY")
            self.assertGreater(best["goal_cost"], 0)
        answer = self.weir("plan", "llama-3-8b", "--chips", "h200=8", "--fleet", fleet)
        self.assertEqual((answer.status, answer.out), (2, ""), answer)
        self.assertIn("--chips names none of its pools, which are big", answer.err)
        # A price says what so many tokens cost, whether there is a goal or not.
        answer = self.weir("plan", "llama-3-8b", "--chips", "big", "--fleet", fleet, "--scale", "8..16")
        self.assertIn("cost of 1 B tokens", answer.out)
        self.assertIn("CNY", answer.out)

    def test_slips_get_one_sentence_that_says_what_is_valid(self):
        chips = ["--chips", "h100-sxm-80g=8"]
        cases = [
            (["lama-3-8b", *chips], 3, "did you mean llama-3-8b?"),
            (["llama-3-8b"], 2, "h100-sxm-80g=64"),
            (["llama-3-8b", "--chips", "h100-sxm-80=8"], 3, "did you mean h100-sxm-80g?"),
            (["llama-3-8b", "--chips", "h100-sxm-80g=many"], 2, "no number of chips"),
            (["llama-3-8b", "--chips", "h100-sxm-80g=0"], 2, "no number of chips"),
            (["llama-3-8b", "--chips", "h100-sxm-80g"], 2, "say how many"),
            (["llama-3-8b", *chips, "--precision", "fp6"], 2, "none of"),
            (["llama-3-8b", *chips, "--sequence", "0"], 2, "whole number"),
            (["llama-3-8b", *chips, "--tokens", "many"], 2, "15T"),
            (["llama-3-8b", *chips, "--objective", "cost"], 2, "--price"),
            (["llama-3-8b", *chips, "--objective", "goodput"], 2, "--mtbf"),
            (["llama-3-8b", *chips, "--mtbf", "5y", "--objective", "goodput"], 2, "5y/node"),
            (["llama-3-8b", *chips, "--global-batch", "99999999999"], 2, "is more than the 100000000"),
            (["llama-3-8b", *chips, "--sequence", "16777216"], 2, "published runs go from 512 to 131,072"),
            (["llama-3-8b", "--chips", "h100-sxm-80g=9999999"], 2, "published runs go from 1 to 8,192"),
            (["llama-3-8b", *chips, "--scale", "64..8"], 2, "8..4096"),
            (["llama-3-8b", *chips, "--scale", "8-64"], 2, "8..4096"),
            (["llama-3-8b", *chips, "--margin", "2"], 2, "--margin"),
            (["llama-3-8b", *chips, "--risk", "0.7"], 2, "no number from 0.001 to 0.5"),
            (["llama-3-8b", *chips, "--risk", "0.1", "--margin", "0.1"], 2, "do not go together"),
            (["llama-3-8b", "--chips", "h100=8"], 2, "'h100' may be h100-pcie-80g, h100-sxm-80g"),
            (["llama-3-8b", *chips, "--scale", "8..64"], 2, "write h100-sxm-80g alone"),
            (["llama-3-8b", "--chips", "h100-sxm-80g", "--scale", "8..64", "--top", "3"], 2, "do not go together"),
            (["llama-3-8b", "--chips", "h100-sxm-80g=8,h200=8", "--emit", "megatron-lm"], 2, "one kind of chips"),
            (["--check", "p.yaml", *chips], 2, "do not go together"),
            (["--check", "p.yaml", "--tokens", "1T"], 2, "do not go together"),
            (["--read", "x.sh", *chips, "--precision", "fp8"], 2, "do not go together"),
            (["llama-3-8b", *chips, "--isl", "10"], 2, "--serve"),
            (["llama-3-8b", *chips, "--serve", "--slo", "fast=1s"], 2, "ttft=1s"),
            (["llama-3-8b", *chips, "--serve", "--slo", "ttft=1"], 2, "ttft=1s"),
            (["llama-3-8b", *chips, "--serve", "--slo", "ttft=1e-300s"], 2, "from 0.1ms to 86400s"),
            (["llama-3-8b", *chips, "--serve", "--slo", "ttft=nans"], 2, "ttft=1s"),
            (["llama-3-8b", *chips, "--serve", "--slo", "ttft=1s,ttft=2s"], 2, "ttft stands there twice"),
            (["llama-3-8b", *chips, "--serve", "--slo", "ttft=1s", "--slo", "ttft=2s"], 2, "ttft stands there twice"),
            (["llama-3-8b", *chips, "--serve", "--cache", "int4"], 2, "none of bf16, fp16, fp8, int8"),
            (["llama-3-8b", *chips, "--serve", "--weights", "fp8,fp8"], 2, "fp8 stands there twice"),
            (["llama-3-8b", *chips, "--serve", "--cached-share", "1.5"], 2, "no number from 0 to 1"),
            (["llama-3-8b", *chips, "--cached-share", "0.5"], 2, "--serve"),
            (["llama-3-8b", *chips, "--margin", "-0"], 2, "no number from 0 to 0.9"),
            (["llama-3-8b", *chips, "--margin", "nan"], 2, "no number from 0 to 0.9"),
            (["llama-3-8b", *chips, "--risk", "1e300"], 2, "no number from 0.001 to 0.5"),
            (["llama-3-8b", *chips, "--price", "nan CNY/chip-hour"], 2, "is not a price"),
            (["llama-3-8b", *chips, "--mtbf", "infy/node"], 2, "5y/node"),
            (["llama-3-8b", *chips, "--tokens", ""], 2, "is no value"),
            (["llama-3-8b", "--check", ""], 2, "is no value"),
            (["llama-3-8b", *chips, "--report", "-", "--json"], 2, "name a file"),
            (["llama-3-8b", *chips, "--top", "1001"], 2, "is more than the 1000"),
            (["gpt3-175b", *chips, "--sequence", "4096"], 2, "gpt3-175b has 2,048 learned positions"),
            (["llama-3-8b", *chips, "--serve", "--weights", "fp3"], 2, "none of bf16"),
            (["llama-3-8b", *chips, "--serve", "--engine", "vlm"], 2, "vllm"),
            (["llama-3-8b", *chips, "--serve", "--qps", "0"], 2, "--qps"),
            (["llama-3-8b", *chips, "--emit", "megatron"], 2, "none of"),
            (["llama-3-8b", *chips, "--emit", "deepspeed", "--framework", "mindspeed"], 2, "give one"),
            (["--read", "no-such.sh", *chips], 3, "no-such.sh"),
            (["--read", "x.sh"], 2, "--chips"),
            (["--check", "no-such.yaml"], 3, "no-such.yaml"),
        ]
        for words, status, says in cases:
            answer = self.weir("plan", *words)
            self.assertEqual(answer.status, status, (words, answer))
            self.assertIn(says, answer.err, words)
            self.assertEqual(answer.out, "", words)

    def test_tiny_sequences_have_plans_of_which_something_can_be_said(self):
        answer = self.weir("plan", "llama-3-8b", "--chips", "h100-sxm-80g=8", "--sequence", "16", "--json")
        self.assertEqual(answer.status, 0, answer)
        for plan in answer.json["pools"][0]["plans"]:
            self.assertLessEqual(plan["strategy"]["micro_batch"], 2048)

    def test_one_number_is_spelled_alike_wherever_it_stands(self):
        words = ["plan", "gpt3-175b", "--chips", "a100-sxm-80g=1024", "--sequence", "2048", "--global-batch", "1536",
                 "--tokens", "300B"]
        self.weir(*words, "--report", "out.html")
        with open(os.path.join(self.folder, "out.html"), encoding="utf-8") as file:
            page = file.read()
        text = self.weir(*words).out
        plan = self.weir(*words, "--json").json["pools"][0]["plans"][0]
        step = f"{plan['step_s']:.1f} s"
        memory = f"{plan['memory_bytes'] / 2**30:.1f} GiB"
        for spelled in ("300 B tokens", "175 B parameters", step, memory, f"{plan['mfu'] * 100:.1f} %",
                        f"{plan['tokens_per_s']:,.0f}"):
            self.assertIn(spelled, text)
            self.assertIn(spelled, page)

    def test_models_are_listed_with_their_sources(self):
        self.assertIn("deepseek-v3", self.weir("models").out)
        self.assertIn("2412.19437", self.weir("models", "deepseek-v3").out)
        known = self.weir("models", "deepseek-v3", "--json").json["models"][0]
        self.assertAlmostEqual(known["parameters"] / 671e9, 1, places=2)

    def test_plan_files_have_a_schema_and_are_checked_by_it(self):
        self.assertIn('"micro_batch"', self.weir("schema", "plan").out)
        name = self.file("p.yaml", CONFIG)
        self.assertIn("a valid plan file", self.weir("schema", "check", name).out)
        wrong = self.file("wrong.yaml", CONFIG + "zero: 1\n")
        answer = self.weir("schema", "check", wrong)
        self.assertEqual(answer.status, 2, answer)
        self.assertIn("write zero_stage", answer.err)


if __name__ == "__main__":
    unittest.main()
