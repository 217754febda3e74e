#!/usr/bin/env python3
"""Asks one published planner: ask.py NAME reads a request on standard input and answers in JSON.

The request has "rows", lines of a table of published measurements (columns as in training.csv), and
"seconds", how long a search may take (0: none). The answer has "predictions" ({"id", "step_s"} of the rows
that this planner can describe), "cannot" (why not the others, with how many), "prediction_s"
(processor time of one prediction, median) and "search" ({"question", "tried", "of", "cpu_s",
"best"}; "of" is 0 where the planner tells only those that fit); or one word of why there is none: "missing"
(it is not installed) or "failed" (it is, and did not answer as its published interface does).

Each planner gets what it takes from its own files: Calculon's system files, llm-analysis' GPUs with
the efficiency that its manual names, SimuMax' measured system files. Interfaces are those of
calculon-ai/calculon c02c5e9 and dd35b00, cli99/llm-analysis 1acd5c7 and MooreThreads/SimuMax
1b8ca90. Processor time is that of this process. Python 3 standard library only.
"""
import contextlib
import inspect
import json
import logging
import os
import random
import statistics
import sys
import time


class Cannot(Exception):
    """This planner has no word for something in the row."""


def whole(row, column, otherwise=0):
    text = row.get(column, "")
    return int(float(text)) if text else otherwise


def is_yes(row, column):
    return row.get(column, "") == "y"


def refuse_unless_dense(row):
    for wrong, why in ((row["arch"] != "dense", "not a dense transformer"),
                       (whole(row, "cp", 1) > 1, "context parallelism"),
                       (row["precision"] not in ("bf16", "fp16"), f"precision {row['precision']}"),
                       (whole(row, "zero_stage") > 1, "ZeRO 2 and 3"),
                       (row.get("offload", "none") not in ("", "none"), "offload")):
        if wrong:
            raise Cannot(why)


def kind_of(row, names):
    for begin, name in names.items():
        if row["chip"].startswith(begin):
            return name
    raise Cannot(f"chip {row['chip']}")


class Calculon:
    """Isaev et al., SC 2023. Found on PYTHONPATH or in the checkout that CALCULON names."""

    SYSTEMS = {"A100-SXM-80GB": "a100_80g", "H100-SXM-80GB": "h100_80g_nvl8"}

    def __init__(self):
        folder = os.environ.get("CALCULON", "")
        if folder:
            sys.path.insert(0, folder)
        import calculon
        from calculon.llm import Llm
        from calculon.system import System
        self.llm, self.system = Llm, System
        self.folder = folder or os.path.dirname(os.path.dirname(calculon.__file__))
        self.systems = {}

    def system_of(self, name):
        if name not in self.systems:
            with open(os.path.join(self.folder, "systems", name + ".json"), encoding="utf-8") as file:
                self.systems[name] = self.system(json.load(file))
        return self.systems[name]

    def run(self, shape, system, execution):
        """Seconds of a step, with the fastest network of its lists that each group may use."""
        why = "no network for its groups"
        for tensor in range(system.num_networks if execution["tensor_par"] > 1 else 1):
            for pipeline in range(system.num_networks if execution["pipeline_par"] > 1 else 1):
                for data in range(system.num_networks if execution["data_par"] > 1 else 1):
                    execution.update(tensor_par_net=tensor, pipeline_par_net=pipeline,
                                     data_par_net=data)
                    try:
                        model = self.llm(self.llm.Application(shape), logging.getLogger("calculon"))
                        model.compile(system, self.llm.Execution.from_json(execution))
                        model.run(system)
                        return model.get_stats_json(False)["total_time"]
                    except (self.llm.Error, AssertionError) as error:
                        why = str(error) or "an assertion"
        raise Cannot(why)

    def predict(self, row):
        refuse_unless_dense(row)
        if is_yes(row, "gated_mlp") or whole(row, "kv_heads") != whole(row, "heads"):
            raise Cannot("gated feed-forward or grouped queries")
        recompute = {"none": "none", "": "none", "full": "full", "selective": "attn_only"}
        if row["recompute"] not in recompute:
            raise Cannot(f"recompute {row['recompute']}")
        tensor, data = whole(row, "tp", 1), whole(row, "dp", 1)
        kind = "rs_ag" if is_yes(row, "seq_parallel") and tensor > 1 else "ar"
        kept = recompute[row["recompute"]]
        shape = {"hidden": whole(row, "hidden"), "feedforward": whole(row, "ffn"),
                 "seq_size": whole(row, "seq"), "attn_heads": whole(row, "heads"),
                 "attn_size": whole(row, "head_dim"), "num_blocks": whole(row, "layers")}
        return self.run(shape, self.system_of(kind_of(row, self.SYSTEMS)), {
            "num_procs": whole(row, "n_chips"), "tensor_par": tensor,
            "pipeline_par": whole(row, "pp", 1), "data_par": data,
            "batch_size": whole(row, "global_batch"), "microbatch_size": whole(row, "micro_batch"),
            "datatype": "float16", "fused_activation": False, "attention_type": "multihead",
            "activation_recompute": kept, "pipeline_interleaving": whole(row, "vpp", 1),
            "optimizer_sharding": whole(row, "zero_stage") == 1 and data > 1,
            "tensor_par_comm_type": kind, "tensor_par_overlap": "none",
            "seq_par_ag_redo": kind == "rs_ag" and kept != "full", "data_par_overlap": False,
            "weight_offload": False, "activations_offload": False, "optimizer_offload": False,
            "training": True})

    def search(self, seconds):
        """All executions of GPT-3 175B on 4,096 A100-80, batch 4,096, in an order drawn by lot."""
        from calculon.llm.optimal_execution import OptimalExecution
        chips = batch = 4096
        # What Calculon calls GPT-3 175B (models/gpt3-175B.json).
        app = self.llm.Application({"hidden": 12288, "feedforward": 49152, "seq_size": 2048,
                                    "attn_heads": 96, "attn_size": 128, "num_blocks": 96})
        system = self.system_of("a100_80g")
        parts = []
        for tensor in self.llm.get_all_tensor_parallelisms(chips, app.hidden, app.attn_heads):
            for pipeline in self.llm.get_all_pipeline_parallelisms(chips, tensor, app.num_blocks):
                data = chips // (tensor * pipeline)
                for chunks in self.llm.get_valid_pipeline_interleavings(app.num_blocks, pipeline):
                    for kept in ("full", "attn_only", "none"):
                        for sharded in (True, False) if data > 1 else (False,):
                            for kind in ("ar", "p2p_rs_ag", "rs_ag"):
                                parts.append({
                                    "top_n": 1, "layers": False, "num_procs": chips,
                                    "max_batch_size": batch, "datatype": "float16", "app": app,
                                    "syst": system, "tp": tensor, "pp": pipeline, "dp": data,
                                    "ppint": chunks, "batch_size": batch // data * data,
                                    "activation_recompute": kept, "optimizer_sharding": sharded,
                                    "tensor_par_comm_type": kind, "fused_acts": [True],
                                    "mbs_break": False, "allow_tp_overlap": True,
                                    "allow_dp_overlap": True})
        names = list(inspect.signature(OptimalExecution.search).parameters)

        def searched(part, only_count):
            found, tried = OptimalExecution.search(
                *[only_count if name == "debug" else part[name] for name in names])[:2]
            return found, tried

        total = sum(searched(part, True)[1] for part in parts)
        random.Random(1).shuffle(parts)
        tried, best, began = 0, 0.0, time.process_time()
        for part in parts:
            found, count = searched(part, False)
            tried += count
            best = max([best] + [one[0] for one in found])
            if time.process_time() - began > seconds:
                break
        return {"question": "gpt3-175b, 4,096 a100-sxm-80g, batch 4,096", "tried": tried,
                "of": total, "cpu_s": time.process_time() - began,
                "best": f"{batch / best:.3g} s a step" if best else "nothing that fits"}


class LlmAnalysis:
    """One efficiency for everything: the half of peak that its manual names for training."""

    GPUS = {"A100-SXM-80GB": "a100-sxm-80gb", "A100-SXM-40GB": "a100-sxm-40gb",
            "H100-SXM-80GB": "h100-sxm-80gb", "V100-SXM3-32GB": "v100-sxm-32gb"}

    def __init__(self):
        from llm_analysis import analysis, config
        self.analysis, self.config = analysis, config
        logging.getLogger().setLevel(logging.ERROR)
        analysis.logger.setLevel(logging.ERROR)

    def predict(self, row):
        refuse_unless_dense(row)
        kinds = self.analysis.ActivationRecomputation
        # That of attention has had two names.
        attention = getattr(kinds, "SELECTIVE", getattr(kinds, "ATTN_COMPUTE", None))
        recompute = {"none": kinds.NONE, "": kinds.NONE, "full": kinds.FULL, "selective": attention}
        if row["recompute"] not in recompute:
            raise Cannot(f"recompute {row['recompute']}")
        if is_yes(row, "gated_mlp"):
            raise Cannot("gated feed-forward")
        gpu = self.config.get_gpu_config_by_name(kind_of(row, self.GPUS))
        tensor, data, micro = whole(row, "tp", 1), whole(row, "dp", 1), whole(row, "micro_batch")
        model = self.config.ModelConfig(
            name="row", num_layers=whole(row, "layers"), n_head=whole(row, "heads"),
            hidden_dim=whole(row, "hidden"), vocab_size=whole(row, "vocab"),
            max_seq_len=whole(row, "seq"), num_key_value_heads=whole(row, "kv_heads"),
            ffn_embed_dim=whole(row, "ffn"))
        parallel = self.config.ParallelismConfig(
            tp_size=tensor, pp_size=whole(row, "pp", 1), dp_size=data,
            sp_size=tensor if is_yes(row, "seq_parallel") else 1)
        try:
            summary = self.analysis.LLMAnalysis(
                model, gpu, parallelism_config=parallel, flops_efficiency=0.5).training(
                    batch_size_per_gpu=micro,
                    gradient_accumulation_steps=whole(row, "global_batch") // (micro * data),
                    global_batch_size=whole(row, "global_batch"), seq_len=whole(row, "seq"),
                    activation_recomputation=recompute[row["recompute"]],
                    ds_zero=self.analysis.DSZeRO(whole(row, "zero_stage")))
        except AssertionError:
            raise Cannot("by its account it does not fit the memory") from None
        return summary["latency_per_iter"]


class SimuMax:
    """Its system files hold efficiencies that were measured on the shapes of its own tables."""

    SYSTEMS = {"B200-SXM": ("b200_bf16_ceperm", "b200_bf16"), "A100-SXM": ("a100_bf16",),
               "H100-SXM": ("h100_nvlink",)}

    def __init__(self):
        os.environ.setdefault("SIMUMAX_TMP_PATH", os.path.join(os.getcwd(), "simumax"))
        from simumax.core import config
        from simumax.core.perf_llm import PerfLLM
        from simumax.utils import RELEASE_SYSTEM
        self.config, self.planner, self.files = config, PerfLLM, RELEASE_SYSTEM

    def asked(self, model, strategy, systems):
        known = [name for name in systems if name in self.files]
        if not known:
            raise Cannot("no system file for this chip")
        planner = self.planner()
        planner.configure(
            strategy_config=self.config.StrategyConfig.init_from_dict(strategy),
            model_config=self.config.ModelConfig.init_from_dict(model),
            system_config=self.config.SystemConfig.init_from_config_file(self.files[known[0]]))
        return planner

    def predict(self, row):
        refuse_unless_dense(row)
        if row["recompute"] not in ("none", "", "full"):
            raise Cannot(f"recompute {row['recompute']}")
        layers, micro = whole(row, "layers"), whole(row, "micro_batch")
        full = row["recompute"] == "full"
        model = {"model_type": "dense", "model_name": "row", "hidden_size": whole(row, "hidden"),
                 "head_num": whole(row, "heads"), "kv_head_num": whole(row, "kv_heads"),
                 "head_size": whole(row, "head_dim"), "intermediate_size": whole(row, "ffn"),
                 "layer_num": layers, "vocab_size": whole(row, "vocab"),
                 "use_swiglu": is_yes(row, "gated_mlp")}
        strategy = {"seq_len": whole(row, "seq"), "micro_batch_size": micro,
                    "micro_batch_num": whole(row, "global_batch") // (micro * whole(row, "dp", 1)),
                    "dtype": "bf16", "world_size": whole(row, "n_chips"),
                    "tp_size": whole(row, "tp", 1), "pp_size": whole(row, "pp", 1), "ep_size": 1,
                    "etp_size": 1, "interleaving_size": whole(row, "vpp", 1),
                    "enable_sequence_parallel": is_yes(row, "seq_parallel"),
                    "zero_state": whole(row, "zero_stage"), "enable_recompute": full,
                    "recompute_granularity": "full_block" if full else None,
                    "recompute_layer_num": layers // whole(row, "pp", 1) if full else 0}
        planner = self.asked(model, strategy, kind_of(row, self.SYSTEMS))
        planner.run_estimate()
        # Its times are text for people; tokens a second of a chip are a number.
        speed = float(planner.analysis_cost().data["throughput_per_accelerator"])
        return whole(row, "global_batch") * whole(row, "seq") / (whole(row, "n_chips") * speed)

    def search(self, _seconds):
        """The grid of its manual: micro-batches of one, no context or interleaved parallelism."""
        model = {"model_type": "dense", "model_name": "llama3_70b", "hidden_size": 8192,
                 "head_num": 64, "kv_head_num": 8, "head_size": 128, "intermediate_size": 28672,
                 "layer_num": 80, "vocab_size": 128256, "use_swiglu": True}
        strategy = {"seq_len": 4096, "micro_batch_size": 1, "micro_batch_num": 8, "dtype": "bf16",
                    "world_size": 2048, "tp_size": 8, "pp_size": 1, "ep_size": 1, "etp_size": 1,
                    "enable_recompute": False}
        planner = self.asked(model, strategy, self.SYSTEMS["H100-SXM"])
        every, began = {}, time.process_time()
        best = planner.search_best_parallel_strategy(
            world_size=2048, gmi_error=10, micro_batch_size=1, global_batch_size=2048,
            all_search_result=every, tp_search_list=[1, 2, 4, 8], ep_search_list=[1],
            pp_search_list=[1, 2, 4, 5, 8, 10, 16, 20],
            recompute_search_type=["no_recompute", "full_block"], use_reserved_memory=True,
            dump_path=None, verbose=False)
        fitting = max((len(column) for column in every.values()), default=0)
        return {"question": "llama-3-70b, 2,048 h100-sxm-80g, batch 2,048", "tried": fitting,
                "of": 0, "cpu_s": time.process_time() - began,
                "best": f"{best.get('iter_time', '?')}: {best.get('parallelism', '?')}"}


PEERS = {"calculon": Calculon, "llm-analysis": LlmAnalysis, "simumax": SimuMax}


def answers(peer, request):
    predictions, times, cannot = [], [], {}
    for row in request["rows"]:
        began = time.process_time()
        try:
            predictions.append({"id": row["id"], "step_s": peer.predict(row)})
            times.append(time.process_time() - began)
        except Cannot as why:
            cannot[str(why)] = cannot.get(str(why), 0) + 1
    answer = {"predictions": predictions, "cannot": cannot}
    if times:
        answer["prediction_s"] = statistics.median(times)
    if hasattr(peer, "search") and request["seconds"] > 0:
        answer["search"] = peer.search(request["seconds"])
    return answer


def main():
    request = json.load(sys.stdin)
    # Planners print as they like; the answer is the only thing on standard output.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            peer = PEERS[sys.argv[1]]()
        except ImportError as error:
            answer = {"missing": str(error)}
        else:
            try:
                answer = answers(peer, request)
            except Exception as error:  # whatever another program throws is its answer
                answer = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
