#!/usr/bin/python3
"""The last job: reads what the others left in OUT_DIR, draws campaign.png, writes results.md.

It runs only after all of them succeeded, so a missing file is an error, not a gap in the picture.
"""
import csv
import glob
import os
import sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt

INK, WATER, CLAY = "#1c3d4f", "#2a7fa5", "#c8553d"


def read_results(path):
    with open(path) as file:
        return dict(line.strip().split("=", 1) for line in file if "=" in line)


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))[1:]


def main():
    out = os.environ.get("OUT_DIR", "out")
    linpack = read_results(os.path.join(out, "linpack", "result.txt"))
    gpt = read_results(os.path.join(out, "gpt", "result.txt"))
    loss = [(int(step), float(value)) for step, value in read_rows(os.path.join(out, "gpt", "loss.csv"))]
    strips = sorted(glob.glob(os.path.join(out, "logistic", "strip-*.csv")))
    sweep = [[float(cell) for cell in row] for path in strips for row in read_rows(path)]
    if len(strips) != 12:
        sys.exit(f"picture: the sweep left {len(strips)} strips in {out}/logistic; 12 are needed")

    plt.rcParams.update({"font.size": 9, "axes.edgecolor": INK, "axes.labelcolor": INK,
                         "xtick.color": INK, "ytick.color": INK, "axes.titlecolor": INK,
                         "axes.titleweight": "bold", "axes.spines.top": False,
                         "axes.spines.right": False})
    figure, (orbit, lyapunov, curve) = plt.subplots(
        3, 1, figsize=(8, 9), height_ratios=[3, 1.4, 2], constrained_layout=True)

    xs = [row[0] for row in sweep for _ in row[2:]]
    orbit.plot(xs, [x for row in sweep for x in row[2:]], ",", color=WATER, alpha=0.6)
    orbit.set(title="university/maths: where the logistic map settles", ylabel="x", xlim=(2.5, 4))
    r, exponent = [row[0] for row in sweep], [max(row[1], -3) for row in sweep]
    lyapunov.axhline(0, color=INK, linewidth=0.6)
    lyapunov.plot(r, exponent, color=WATER, linewidth=0.7)
    lyapunov.fill_between(r, 0, exponent, where=[e > 0 for e in exponent], color=CLAY, alpha=0.5)
    lyapunov.set(xlabel="r", ylabel="Lyapunov exponent", xlim=(2.5, 4), ylim=(-3, 1))
    curve.plot(*zip(*loss), color=CLAY)
    curve.set(title=f"startup: a small GPT on {gpt['ranks']} ranks", xlabel="step",
              ylabel="loss (nats per character)")
    curve.grid(alpha=0.2)
    figure.suptitle(f"One pool, one day: Linpack {1000 * float(linpack['HPL_Tflops']):.1f} "
                    "GFLOP/s in FP64, a language model, a sweep", color=INK, fontweight="bold")
    figure.savefig(os.path.join(out, "campaign.png"), dpi=130)

    chaotic = sum(row[1] > 0 for row in sweep)
    results = f"""# The first day

| who | what | result |
| --- | --- | --- |
| university/physics | Linpack, FP64, n = {linpack['n']}, 2 MPI ranks | {1000 * float(linpack['HPL_Tflops']):.1f} GFLOP/s, residual check passed |
| startup | small GPT, PyTorch data-parallel, {gpt['ranks']} ranks | loss {gpt['first_loss']} to {gpt['last_loss']}, {gpt['tokens_per_s']} tokens/s |
| university/maths | logistic map, 12 array members | {chaotic} of {len(sweep)} values of r are chaotic |

![the sweep and the training](campaign.png)
"""
    with open(os.path.join(out, "results.md"), "w") as file:
        file.write(results)
    print(results)
    print(f"drew {os.path.join(out, 'campaign.png')}, wrote {os.path.join(out, 'results.md')}")


if __name__ == "__main__":
    main()
