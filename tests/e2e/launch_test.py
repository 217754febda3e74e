#!/usr/bin/env python3
"""Launches, started: `weir plan --emit` for four frameworks, up to where the framework's own program begins.

Each script is really run by bash; torchrun and deepspeed are stand-ins that write down what they are
given. The words are then read by a parser that declares what the framework declares
(launch/FRAMEWORK.txt: names, kinds and choices as its sources have them, renewed by
tools/launch_options), held against the conditions that its sources check before training
(refusals.py), and the sizes that come out are compared with those of the plan. Where a framework is
installed, its own parser reads the same words.
"""
import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

import harness
import refusals

HERE = os.path.dirname(os.path.abspath(__file__))
# Fewer launches than this, of those that the lists below make, would be no test.
LEAST = {"megatron-lm": 30, "mindspeed": 20, "deepspeed": 12, "torchtitan": 8}

# Memory is no question here.
CHIP = {"chip": "h100-sxm-80g", "chip_mem_gb": 100000}
MODELS = {"gpt3-175b": {"seq": 2048, "global_batch": 128},
          "llama-3.1-8b": {"seq": 8192, "global_batch": 64},
          "mixtral-8x7b": {"seq": 4096, "global_batch": 64},
          "qwen3-30b-a3b": {"seq": 4096, "global_batch": 64},
          "gpt-oss-20b": {"seq": 4096, "global_batch": 64},
          "deepseek-v3": {"seq": 4096, "global_batch": 256}}
# Ways to run a model of each kind; what a framework or a model cannot do, weir says.
DENSE = [
    {"dp": 8},
    {"dp": 8, "zero_stage": 1, "overlap": ["grad_reduce"], "offload": ["optimizer"]},
    {"dp": 8, "zero_stage": 3, "overlap": ["grad_reduce", "param_gather"], "micro_batch": 2},
    {"dp": 8, "precision": "fp16", "fp32_gradients": "n"},
    {"tp": 2, "dp": 4, "seq_parallel": "y", "zero_stage": 2, "recompute": "full"},
    {"tp": 4, "pp": 2, "dp": 2, "seq_parallel": "y", "zero_stage": 1, "precision": "fp16"},
    {"tp": 2, "pp": 4, "dp": 2, "seq_parallel": "y", "zero_stage": 3, "recompute": "full"},
    {"tp": 2, "pp": 4, "vpp": 2, "dp": 2, "seq_parallel": "y", "zero_stage": 1, "precision": "fp8",
     "overlap": ["pipeline", "tensor", "grad_reduce", "param_gather"]},
    {"pp": 5, "dp": 8, "zero_stage": 1, "recompute": "selective:norms"},
    {"cp": 2, "tp": 2, "dp": 2, "seq_parallel": "y", "zero_stage": 1},
    {"cp": 2, "dp": 4, "zero_stage": 3, "zero_group": 2},
    {"cp": 2, "dp": 4, "cp_algorithm": "all-to-all", "zero_stage": 2}]
EXPERTS = [
    {"ep": 4, "dp": 8, "zero_stage": 1},
    {"ep": 8, "tp": 2, "etp": 1, "dp": 8, "seq_parallel": "y", "zero_stage": 1},
    {"ep": 4, "tp": 2, "dp": 8, "seq_parallel": "y", "zero_stage": 3},
    {"ep": 8, "dp": 16, "zero_stage": 2},
    {"ep": 2, "cp": 4, "dp": 4, "zero_stage": 3},
    {"ep": 4, "cp": 4, "dp": 4, "zero_stage": 3},
    {"ep": 4, "pp": 4, "vpp": 2, "dp": 4, "zero_stage": 1, "overlap": ["experts", "pipeline"]},
    {"ep": 8, "tp": 2, "etp": 1, "pp": 4, "dp": 8, "seq_parallel": "y", "schedule": "dualpipe",
     "zero_stage": 1},
    {"ep": 8, "pp": 4, "dp": 8, "schedule": "dualpipe", "zero_stage": 3}]


def declared(name):
    """{option: kind} of one table."""
    with open(os.path.join(HERE, "launch", name + ".txt"), encoding="utf-8") as file:
        return dict(line.split() for line in file if line.strip() and not line.startswith("#"))


def frequency(text):
    """Which layers are of a kind: every N-th, or a list written as sums and products of lists."""
    if "[" not in text:
        return int(text)
    if set(text) - set("0123456789,[]()+*"):
        raise ValueError(text)
    return eval(text)  # nothing but digits and brackets


CONVERSIONS = {"int": int, "float": float, "text": str, "moe_freq_type": frequency,
               "tuple_type": lambda text: tuple(int(part) for part in text.strip("()").split(","))}


class Parser(argparse.ArgumentParser):
    """Declares what a framework declares, and takes no abbreviations, as they take none."""

    def __init__(self, *names):
        super().__init__(allow_abbrev=False)
        options = {}
        for name in names:
            options.update(declared(name))
        for option, kind in options.items():
            if kind == "flag":
                self.add_argument(option, action="store_true")
                continue
            many = kind[-1] if kind[-1] in "+*" else None
            kind = kind.rstrip("+*")
            choices = kind.split("|") if "|" in kind or kind not in CONVERSIONS else None
            self.add_argument(option, type=str if choices else CONVERSIONS[kind], choices=choices,
                              nargs=many)

    def error(self, message):
        raise AssertionError(message)


class Started:
    """What a launcher was given: its own options, the program's words, and the environment."""

    STAND_IN = '#!/bin/sh\nprintf "%s\\0" "$@" > "$WEIR_RECORD"\nenv -0 > "$WEIR_RECORD.env"\n'

    def __init__(self, script, folder):
        for name in ("torchrun", "deepspeed"):
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.STAND_IN)
            os.chmod(path, 0o755)
        record = os.path.join(folder, "words")
        environment = {"PATH": folder + ":/usr/bin:/bin", "WEIR_RECORD": record}
        done = subprocess.run(["bash", "-eu", "-c", script, "launch.sh", "--mock-data"], cwd=folder,
                              env=environment, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"the script ended with {done.returncode}: {done.stderr}")
        with open(record, encoding="utf-8") as file:
            words = file.read().split("\0")[:-1]
        with open(record + ".env", encoding="utf-8") as file:
            self.environment = dict(one.split("=", 1) for one in file.read().split("\0") if one)
        at = words.index("pretrain_gpt.py")
        self.launcher = dict(zip(words[:at:2], words[1:at:2]))
        if words[-1] != "--mock-data":
            raise AssertionError("the script's own arguments do not come last")
        self.words = words[at + 1:-1]
        nodes = self.launcher.get("--nnodes") or self.launcher["--num_nodes"]
        chips = self.launcher.get("--nproc_per_node") or self.launcher["--num_gpus"]
        self.world = int(nodes) * int(chips)


def flat(table, before=""):
    keys = {}
    for key, value in table.items():
        keys.update(flat(value, before + key + ".") if isinstance(value, dict) else
                    {before + key: value})
    return keys


class Launch(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def emitted(self, framework, plan):
        """The launch, or None where weir says in one sentence why there is none."""
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in plan.items())
        done = subprocess.run([harness.WEIR, "plan", "--check", "-", "--emit", framework], input=text,
                              capture_output=True, text=True, cwd=self.folder, timeout=60)
        if done.returncode == 0:
            return done.stdout
        self.assertIn(done.returncode, (1, 2), done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        return None

    def launches(self, framework):
        """Every plan of the lists that can be launched, with its launch."""
        found = 0
        for model, sizes in MODELS.items():
            ways = DENSE + EXPERTS if model in ("qwen3-30b-a3b", "deepseek-v3") else (
                EXPERTS if model in ("mixtral-8x7b", "gpt-oss-20b") else DENSE)
            for strategy in ways:
                plan = {"model": model, **CHIP, **sizes, **strategy, "framework": framework}
                text = self.emitted(framework, plan)
                if text is not None:
                    found += 1
                    yield plan, text
        self.assertGreater(found, LEAST[framework], f"hardly a plan launches with {framework}")

    def compare(self, plan, found):
        wanted = {key: plan.get(key, 1) for key in ("tp", "pp", "dp", "cp", "ep", "vpp", "micro_batch")}
        wanted.update(seq=plan["seq"], global_batch=plan["global_batch"])
        self.assertEqual({key: found[key] for key in wanted}, wanted)

    def test_megatron_lm_takes_its_launches_and_reads_the_plan(self):
        parser = Parser("megatron-lm")
        for plan, text in self.launches("megatron-lm"):
            with self.subTest(**plan):
                started = Started(text, self.folder)
                words = parser.parse_args(started.words)
                self.assertEqual(refusals.of_megatron(words, started), [])
                self.compare(plan, refusals.sizes_of_megatron(words, started.world))
                self.assertEqual(words.use_distributed_optimizer, plan.get("zero_stage", 0) > 0)

    def test_mindspeed_takes_its_launches_and_reads_the_plan(self):
        parser = Parser("megatron-lm", "mindspeed")
        for plan, text in self.launches("mindspeed"):
            with self.subTest(**plan):
                started = Started(text, self.folder)
                words = parser.parse_args(started.words)
                self.assertEqual(refusals.of_mindspeed(words, started), [])
                self.compare(plan, refusals.sizes_of_mindspeed(words, started.world))

    def test_deepspeed_takes_its_launches_and_reads_the_plan(self):
        parser = Parser("deepspeed")
        for plan, text in self.launches("deepspeed"):
            with self.subTest(**plan):
                started = Started(text, self.folder)
                words = parser.parse_args(started.words)
                with open(os.path.join(self.folder, words.deepspeed_config), encoding="utf-8") as file:
                    settings = json.load(file)
                self.assertEqual(refusals.of_deepspeed(words, settings, started), [])
                self.compare(plan, refusals.sizes_of_deepspeed(words, settings, started.world))
                self.assertEqual(settings["zero_optimization"]["stage"], plan.get("zero_stage", 0))

    def test_torchtitan_takes_its_launches_and_reads_the_plan(self):
        kinds = declared("torchtitan")
        for plan, text in self.launches("torchtitan"):
            with self.subTest(**plan):
                keys = flat(tomllib.loads(text))
                for key, value in keys.items():
                    kind = kinds[key]
                    choices = kind.split("|") if "|" in kind else None
                    read_as = {"flag": bool, "int": int, "text+": list}.get(kind, str)
                    self.assertIsInstance(value, read_as, key)
                    if choices:
                        self.assertIn(value, choices, key)
                start = next(line for line in text.splitlines() if "torchrun" in line).split()
                nodes, chips = (int(start[start.index(name) + 1]) for name in ("--nnodes", "--nproc_per_node"))
                world = nodes * chips
                self.assertEqual(refusals.of_torchtitan(keys, world), [])
                found = refusals.sizes_of_torchtitan(keys)
                found["vpp"] = plan.get("vpp", 1)  # told by the schedule and the layers of a stage
                self.compare(plan, found)

    def test_what_a_framework_refuses_is_found(self):
        """The conditions are no dead letters: broken launches are told, each with its reason."""
        plan = {"model": "mixtral-8x7b", **CHIP, "seq": 4096, "global_batch": 64, "tp": 2,
                "pp": 4, "vpp": 2, "dp": 2, "ep": 2, "seq_parallel": "y", "zero_stage": 1,
                "overlap": ["grad_reduce", "param_gather", "pipeline"]}
        text = self.emitted("megatron-lm", plan)
        for old, new, reason in (
                ("--num-layers 32", "--num-layers 30", "layers"),
                ("NNODES=2", "NNODES=3", "chips"),
                ("--global-batch-size 64", "--global-batch-size 63", "batch"),
                ("--bf16", "--fp16", "bf16"),
                ("    --use-distributed-optimizer\n", "", "distributed optimizer"),
                ("    --overlap-grad-reduce\n", "", "overlap-grad-reduce"),
                ("export CUDA_DEVICE_MAX_CONNECTIONS=1", "", "CUDA_DEVICE_MAX_CONNECTIONS"),
                ("--expert-model-parallel-size 2", "--expert-model-parallel-size 3", "experts")):
            self.assertIn(old, text)
            started = Started(text.replace(old, new), self.folder)
            words = Parser("megatron-lm").parse_args(started.words)
            found = refusals.of_megatron(words, started)
            self.assertTrue(any(reason in one for one in found), f"{old} -> {new}: {found}")
        with self.assertRaises(AssertionError):
            Parser("megatron-lm").parse_args(["--num-layer", "3"])
        with self.assertRaises(AssertionError):
            Parser("megatron-lm").parse_args(["--fp8-recipe", "rowwise"])


class Installed(unittest.TestCase):
    """The frameworks' own parsers, where Python finds them. What they refuse is a failure; that
    their interface is another one than asked here is said and left out."""

    PLAN = {"model": "llama-3.1-8b", "chip": "h100-sxm-80g", "seq": 8192, "global_batch": 64, "tp": 2,
            "cp": 2, "dp": 4, "seq_parallel": "y"}

    PROGRAMS = {
        "megatron-lm": ("megatron.training", {"zero_stage": 1}, """
import json, os, sys
import torch
torch.cuda.get_device_capability = lambda *_: (9, 0)
torch.cuda.get_device_properties = lambda *_: type('H100', (), {'major': 9, 'minor': 0})
from megatron.training.arguments import parse_args, validate_args
args = validate_args(parse_args())
print(json.dumps({'tp': args.tensor_model_parallel_size, 'pp': args.pipeline_model_parallel_size,
                  'cp': args.context_parallel_size, 'dp': args.data_parallel_size}))
"""),
        "deepspeed": ("deepspeed", {"cp": 1, "zero_stage": 2, "fp32_gradients": "n"}, """
import json, sys, types
from deepspeed.runtime import config
words = sys.argv[1:]
def value(name):
    return words[words.index(name) + 1]
with open(value('--deepspeed_config')) as file:
    given = json.load(file)
dp = 4
config.dist = types.SimpleNamespace(get_rank=lambda: 0, get_world_size=lambda *_: dp)
read = config.DeepSpeedConfig(value('--deepspeed_config'))
assert read.zero_optimization_stage == 2 and read.bfloat16_config.enabled and not read.float16_config.enabled
assert read.grad_accum_dtype == 'bf16', read.grad_accum_dtype
print(json.dumps({'tp': int(value('--tensor-model-parallel-size')),
                  'pp': int(value('--pipeline-model-parallel-size')), 'cp': 1,
                  'dp': read.train_batch_size // read.train_micro_batch_size_per_gpu //
                        read.gradient_accumulation_steps}))
"""),
        "torchtitan": ("torchtitan.config", {"zero_stage": 3}, """
import json, sys
from torchtitan.config import ConfigManager
p = ConfigManager().parse_args(['--job.config_file', sys.argv[1]]).parallelism
print(json.dumps({'tp': p.tensor_parallel_degree, 'pp': p.pipeline_parallel_degree,
                  'cp': p.context_parallel_degree,
                  'dp': p.data_parallel_replicate_degree * p.data_parallel_shard_degree}))
""")}

    def read_by(self, framework):
        module, more, program = self.PROGRAMS[framework]
        try:
            here = importlib.util.find_spec(module)
        except ImportError:
            here = None
        if here is None:
            self.skipTest(f"{framework} is not installed: Python has no {module}")
        plan = {**self.PLAN, **more, "framework": framework}
        folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.addCleanup(shutil.rmtree, folder, True)
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in plan.items())
        launch = subprocess.run([harness.WEIR, "plan", "--check", "-", "--emit", framework], input=text,
                                capture_output=True, text=True, check=True).stdout
        environment = dict(os.environ, RANK="0", WORLD_SIZE="16", CUDA_DEVICE_MAX_CONNECTIONS="1")
        if framework == "torchtitan":
            words = [os.path.join(folder, "job.toml")]
            with open(words[0], "w", encoding="utf-8") as file:
                file.write(launch)
        else:
            words = Started(launch, folder).words
        done = subprocess.run([sys.executable, "-c", program, *words], cwd=folder, env=environment,
                              capture_output=True, text=True, timeout=300)
        last = (done.stderr.strip().splitlines() or [""])[-1]
        if done.returncode != 0 and last.startswith(("ImportError", "ModuleNotFoundError", "AttributeError")):
            self.skipTest(f"{framework} is installed and cannot be asked: {last}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout.strip().splitlines()[-1]),
                         {key: plan.get(key, 1) for key in ("tp", "pp", "cp", "dp")})

    def test_torchrun_starts_a_process_for_each_chip_of_two_nodes(self):
        python = next((one for one in (sys.executable, "/usr/bin/python3") if subprocess.run(
            [one, "-c", "import torch.distributed.run"], capture_output=True).returncode == 0), None)
        if python is None:
            self.skipTest("torchrun is not installed: Python has no torch.distributed")
        plan = {**self.PLAN, "pp": 2, "dp": 2, "zero_stage": 1, "framework": "megatron-lm"}
        folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.addCleanup(shutil.rmtree, folder, True)
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in plan.items())
        launch = subprocess.run([harness.WEIR, "plan", "--check", "-", "--emit", "megatron-lm"],
                                input=text, capture_output=True, text=True, check=True).stdout
        for name, program in (
                ("torchrun", f'#!/bin/sh\nexec {python} -m torch.distributed.run "$@"\n'),
                ("pretrain_gpt.py", "import json, os, sys\n"
                 "with open('rank.' + os.environ['RANK'], 'w') as file:\n"
                 "    json.dump([os.environ['WORLD_SIZE'], os.environ['LOCAL_RANK'], sys.argv[1:]],\n"
                 "              file)\n")):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(program)
            os.chmod(os.path.join(folder, name), 0o755)
        # torch 1.13 with Python 3.11 finds no name for 0, its default of both.
        environment = {"PATH": folder + ":/usr/bin:/bin", "MASTER_PORT": str(harness.free_port()),
                       "PET_REDIRECTS": "1", "PET_TEE": "1", "PET_LOG_DIR": folder}
        nodes = [subprocess.Popen(["bash", "-eu", "-c", launch, "launch.sh"], cwd=folder, text=True,
                                  env={**environment, "NODE_RANK": str(rank)},
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for rank in (0, 1)]
        for node in nodes:
            said, _ = node.communicate(timeout=120)
            self.assertEqual(node.returncode, 0, said)
        words = Started(launch, folder).words
        for rank in range(16):
            with open(os.path.join(folder, f"rank.{rank}"), encoding="utf-8") as file:
                self.assertEqual(json.load(file), ["16", str(rank % 8), words])

    def test_megatron_lm_reads_the_plan(self):
        self.read_by("megatron-lm")

    def test_deepspeed_reads_the_plan(self):
        self.read_by("deepspeed")

    def test_torchtitan_reads_the_plan(self):
        self.read_by("torchtitan")


class Renewal(unittest.TestCase):
    """tools/launch_options, on sources that declare in every way that it reads."""

    SOURCES = {"arguments.py": """
def add(group):
    group.add_argument('--depth', type=int, default=None)
    group.add_argument('--kind', '--sort', type=str, choices=['a', 'b'])
    group.add_argument('--parts', nargs='*', type=str)
    group.add_argument('--quiet', action='store_true')
    group.add_argument('--engine', choices=list(Engine))
    group.add_argument('--every', type=moe_freq_type)
""", "later/config.py": """
@dataclass
class Inner:
    degree: int = 1

@dataclass(kw_only=True)
class JobConfig:
    inner: Inner = field(default_factory=Inner)
    batch_size: int | None = None
    mode: Optional[Literal["x", "y"]] = None
    names: list[str] = field(default_factory=list)
    overlap: bool = True
    old_name: bool = field(default=True, metadata={"argparse_meta": {"arg_names": ["--new-name"]}})
"""}
    TABLE = """# What it takes.
# from someone/thing 0 arguments.py
--batch-size text
--depth int
--engine fast|slow
--every int
--gone flag
--kind a
--names text+
--mode text
--new-name flag
--no-overlap text
--parts text
--quiet int
inner.degree text
"""

    def test_a_table_is_renewed_from_the_sources(self):
        folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.addCleanup(shutil.rmtree, folder, True)
        clone = os.path.join(folder, "thing")
        os.makedirs(os.path.join(clone, "later"))
        for name, text in self.SOURCES.items():
            with open(os.path.join(clone, name), "w", encoding="utf-8") as file:
                file.write(text)
        for command in (["init", "-q"], ["add", "."],
                        ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
            subprocess.run(["git", "-C", clone, *command], check=True)
        commit = subprocess.run(["git", "-C", clone, "rev-parse", "HEAD"], check=True, text=True,
                                capture_output=True).stdout.strip()
        table = os.path.join(folder, "table.txt")
        with open(table, "w", encoding="utf-8") as file:
            file.write(self.TABLE)
        tool = os.path.join(HERE, "..", "..", "tools", "launch_options")
        done = subprocess.run([sys.executable, tool, table, clone], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertEqual(done.stdout, """--batch-size: was text, is int
--engine: its kind is not to be read; left as it was
--every: was int, is moe_freq_type
--gone: not found; left as it was
--kind: was a, is a|b
--mode: was text, is x|y
--no-overlap: was text, is flag
--parts: was text, is text*
--quiet: was int, is flag
inner.degree: was text, is int
""")
        with open(table, encoding="utf-8") as file:
            self.assertEqual(file.read(), f"""# What it takes.
# from someone/thing {commit} arguments.py
# from someone/thing {commit} later/config.py
--batch-size int
--depth int
--engine fast|slow
--every moe_freq_type
--gone flag
--kind a|b
--mode x|y
--names text+
--new-name flag
--no-overlap flag
--parts text*
--quiet flag
inner.degree int
""")
        done = subprocess.run([sys.executable, tool, table], capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
