#!/usr/bin/python3
"""One member of the sweep: the logistic map x -> r x (1 - x) over its share of the range of r.

Member k of n takes the k-th strip of [2.5, 4]. For each r it lets the orbit settle, then measures
the Lyapunov exponent (mean of ln |r (1 - 2x)|: below 0 order, above 0 chaos) and keeps some points
of the orbit, from which the last job draws the bifurcation diagram.
Writes OUT_DIR/logistic/strip-KK.csv. Plain Python, one CPU.
"""
import csv
import math
import os

MEMBERS = 12
VALUES = 100      # of r, per member
SETTLE = 1000
MEASURE = 25000
KEEP = 60         # points of the orbit


def measure(r):
    x = 0.4
    for _ in range(SETTLE):
        x = r * x * (1.0 - x)
    total = 0.0
    for _ in range(MEASURE):
        x = r * x * (1.0 - x)
        total += math.log(max(abs(r * (1.0 - 2.0 * x)), 1e-300))
    orbit = []
    for _ in range(KEEP):
        x = r * x * (1.0 - x)
        orbit.append(x)
    return total / MEASURE, orbit


def main():
    member = int(os.environ.get("WEIR_ARRAY_INDEX", "0"))
    out = os.path.join(os.environ.get("OUT_DIR", "out"), "logistic")
    os.makedirs(out, exist_ok=True)
    chaotic = 0
    path = os.path.join(out, f"strip-{member:02d}.csv")
    with open(path + ".new", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["r", "lyapunov"] + [f"x{i}" for i in range(KEEP)])
        for i in range(VALUES):
            r = 2.5 + 1.5 * (member + i / VALUES) / MEMBERS
            exponent, orbit = measure(r)
            chaotic += exponent > 0
            rows.writerow([f"{r:.6f}", f"{exponent:.6f}"] + [f"{x:.5f}" for x in orbit])
    os.replace(path + ".new", path)
    print(f"strip {member}: {chaotic} of {VALUES} values of r are chaotic")


if __name__ == "__main__":
    main()
