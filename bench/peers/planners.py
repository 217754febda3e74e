#!/usr/bin/env python3
"""Puts weir's planner beside published ones, on this machine and in the same minutes.

    bench/peers/planners.py [--truth DIR] [--seconds S] [--only WORD] [--json]

For each planner that is installed: processor time of one prediction, of its search (at most S
seconds, 120 unless told; how far it came is said) and its error on the published measurements that
it can describe, with weir's on the very same rows and weir's search of the same model, chips and
batch. Rows are those of Korthikanti et al. 2022 beside this file, which no constant of weir was
fitted to, and of DIR/training.csv where that is there (WEIR_TRUTH). A planner that is not installed
is one line with how to get it.

Weir's programs are taken from build-release/bin, or WEIR_BIN. Planners run in the interpreter that
WEIR_PEERS_PYTHON names, this one unless told. Python 3 standard library only.
"""
import argparse
import csv
import functools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
BIN = os.environ.get("WEIR_BIN", os.path.join(ROOT, "build-release", "bin"))
TRUTH = os.environ.get("WEIR_TRUTH", os.path.join(ROOT, "..", "shared", "truth"))

# How people get each.
PEERS = {
    "calculon": "git clone https://github.com/calculon-ai/calculon, pip install psutil, and name "
                "the folder in CALCULON",
    "llm-analysis": "pip install llm-analysis",
    "simumax": "git clone https://github.com/MooreThreads/SimuMax and pip install -e SimuMax",
}
AICONFIGURATOR = "pip install aiconfigurator"
# The question of its manual: prompts of 4,000 and answers of 500 tokens on 32 H200.
SERVING = {"chips": 32, "isl": 4000, "osl": 500, "ttft_ms": 300, "tpot_ms": 10}


said = []


def say(line):
    said.append(line)
    print(line, file=sys.stderr if "--json" in sys.argv else sys.stdout, flush=True)


def rows_of(path):
    if not os.path.exists(path):
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def weir_predictions(rows):
    """Step times by row, of those rows that weir scores: complete and verified ones."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "training.csv"), "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, columns, restval="")
            table.writeheader()
            table.writerows(rows)
        with open(os.path.join(folder, "inference.csv"), "w", encoding="utf-8") as file:
            file.write("id\n")
        done = subprocess.run([os.path.join(BIN, "plan_truth"), folder, "--json", "--rows"],
                              capture_output=True, text=True, check=True)
    return {one["id"]: one for one in json.loads(done.stdout)["predictions"]}


@functools.cache
def weir_timings():
    done = subprocess.run([os.path.join(BIN, "bench_plan_search"), "--json", "--peers"],
                          capture_output=True, text=True, check=True)
    return {one["question"]: one for one in json.loads(done.stdout)}


def mean_error(predictions, known):
    errors = [abs(step_s / known[name]["measured_s"] - 1) for name, step_s in predictions]
    return sum(errors) / len(errors)


def asked(name, rows, seconds):
    """What a planner in a process of its own answers; a search may overrun by one of its parts."""
    request = json.dumps({"rows": rows, "seconds": seconds})
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [os.environ.get("WEIR_PEERS_PYTHON", sys.executable), os.path.join(HERE, "ask.py"), name],
            input=request, capture_output=True, text=True, cwd=folder)
    if done.returncode != 0:
        return {"failed": (done.stderr.strip().splitlines() or ["it said nothing"])[-1]}
    return json.loads(done.stdout)


def beside(name, rows, known, seconds):
    """One planner's report, or None where there is none."""
    answer = asked(name, rows, seconds)
    if "missing" in answer:
        say(f"{name} is not installed ({answer['missing']}): {PEERS[name]}")
        return None
    if "failed" in answer:
        say(f"{name} was found and could not be asked: {answer['failed']}")
        return None
    report = {"planner": name, "accuracy": []}
    say(name)
    if "prediction_s" in answer:
        ours = weir_timings()["one prediction, gpt3-175b"]["measured"] / 1e6
        report["prediction_s"] = {name: answer["prediction_s"], "weir": ours}
        say(f"  one prediction: {1e3 * answer['prediction_s']:.3g} ms; weir {1e6 * ours:.2g} us")
    if "search" in answer:
        search = answer["search"]
        ours = weir_timings()[search["question"]]
        report["search"] = {name: search, "weir": ours}
        came = f" of {search['of']:,}" if search["of"] else " that fit"
        whole = ("" if not search["of"] or search["tried"] == search["of"] else
                 f", so all take {search['cpu_s'] * search['of'] / max(search['tried'], 1) / 3600:.3g} h")
        say(f"  {search['question']}: {search['tried']:,}{came} in {search['cpu_s']:.3g} s{whole}; "
              f"best {search['best']}\n    weir: {ours['measured']:.3g} ms; {ours['answer']}")
    by_source = {}
    for one in answer["predictions"]:
        by_source.setdefault(one["id"].split("-")[0], []).append((one["id"], one["step_s"]))
    for source, theirs in by_source.items():
        ours = [(row, known[row]["predicted_s"]) for row, _ in theirs]
        line = {"source": source, "rows": len(theirs), name: mean_error(theirs, known),
                "weir": mean_error(ours, known)}
        report["accuracy"].append(line)
        say(f"  {source:<10} {line['rows']:>5} rows: mean error {100 * line[name]:6.1f} %; "
              f"weir {100 * line['weir']:6.1f} %")
    for why, count in sorted(answer["cannot"].items(), key=lambda item: -item[1])[:6]:
        say(f"  {count:,} rows not predicted: {why}")
    return report


def child_seconds(command):
    """Processor time of a whole process, with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def serving():
    """aiconfigurator's whole process beside `weir plan --serve`, the question of its manual."""
    program = shutil.which("aiconfigurator")
    if program is None:
        say(f"aiconfigurator is not installed: {AICONFIGURATOR}")
        return None
    said = subprocess.run([program, "cli", "default", "--help"], capture_output=True, text=True)
    # The name of the model's option, and how the others are spelt, changed between releases.
    flag = next((f for f in ("--model-path", "--model_path", "--hf_id", "--model")
                 if f in said.stdout), None)
    if flag is None:
        say("aiconfigurator was found and could not be asked: no option names the model")
        return None
    dash = "--total-gpus" if "--total-gpus" in said.stdout else "--total_gpus"
    theirs, theirs_s = child_seconds([
        program, "cli", "default", flag, "QWEN3_32B" if flag == "--model" else "Qwen/Qwen3-32B",
        dash, str(SERVING["chips"]), "--system", "h200_sxm", "--isl", str(SERVING["isl"]),
        "--osl", str(SERVING["osl"]), "--ttft", str(SERVING["ttft_ms"]), "--tpot",
        str(SERVING["tpot_ms"])])
    if theirs.returncode != 0:
        last = (theirs.stderr.strip().splitlines() or ["it said nothing"])[-1]
        say(f"aiconfigurator was found and could not be asked: {last}")
        return None
    _, ours_s = child_seconds([
        os.path.join(BIN, "weir"), "plan", "qwen3-32b", "--serve", "--chips",
        f"h200={SERVING['chips']}", "--isl", str(SERVING["isl"]), "--osl", str(SERVING["osl"]),
        "--slo", f"ttft={SERVING['ttft_ms']}ms,tpot={SERVING['tpot_ms']}ms", "--json"])
    say(f"aiconfigurator\n  qwen3-32b on 32 h200, whole process: {theirs_s:.3g} s; weir {ours_s:.3g} s")
    return {"planner": "aiconfigurator", "process_s": {"aiconfigurator": theirs_s, "weir": ours_s}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--truth", default=TRUTH, help="folder with training.csv")
    parser.add_argument("--seconds", type=float, default=120, help="for a planner's search")
    parser.add_argument("--only", default="", help="only planners whose name contains this")
    parser.add_argument("--json", action="store_true", help="the same for programs")
    options = parser.parse_args()

    rows = rows_of(os.path.join(HERE, "korthikanti-2022", "training.csv"))
    unseen = [row["id"] for row in rows]
    rows += rows_of(os.path.join(options.truth, "training.csv"))
    known = weir_predictions(rows)
    ours = mean_error([(row, known[row]["predicted_s"]) for row in unseen], known)
    say(f"weir, on the {len(unseen)} rows of Korthikanti et al. 2022: mean error {100 * ours:.1f} %")
    rows = [row for row in rows if row["id"] in known]
    reports = [beside(name, rows, known, options.seconds)
               for name in PEERS if options.only in name]
    if options.only in "aiconfigurator":
        reports.append(serving())
    if options.json:
        print(json.dumps({"reports": [one for one in reports if one], "said": said}, indent=1))


if __name__ == "__main__":
    main()
