#!/usr/bin/env python3
"""Draws waterfall.svg beside this file from what `weir simulate --waterfall FILE` wrote.

    docs/images/waterfall.py waterfall.csv

Python 3 standard library only. The commands that write the file are on docs/concepts/waterfall.md.
"""
import csv
import os
import sys

from charts import HERE, Chart

TITLES = {
    "unpowered": "no watts for it", "failed": "on failed nodes", "drained": "on drained nodes",
    "not_demanded": "nobody waits for it", "over_quota": "held back by quota",
    "wrong_precision": "wrong precision", "awaiting_data": "waiting for data",
    "set_apart": "set apart for others",
    "promised": "held for a promise", "shared_rest": "rest of shared chips",
    "fragmented": "fragmentation, order", "staging": "staging", "start_up": "start-up",
    "checkpoint": "checkpoints", "restart": "restarts", "lost_work": "lost work",
    "open": "not ended yet", "plan": "plan", "kernel": "kernels",
}
IDLE = list(TITLES)[:11]
HELD = list(TITLES)[11:17]


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        total = next(row for row in csv.DictReader(file) if row["of"] == "total")
    amount = {name: int(total[name]) for name in [*TITLES, "running", "useful"]}
    peak = sum(amount.values())
    held = peak - sum(amount[name] for name in IDLE)
    running = held - sum(amount[name] for name in HELD)
    lines = [("peak", peak, True)]
    lines += [(TITLES[name], amount[name], False) for name in IDLE if amount[name]]
    lines.append(("allocated", held, True))
    lines += [(TITLES[name], amount[name], False) for name in HELD if amount[name]]
    lines.append(("running", running, True))
    height, start, width = 24, 160, 380
    chart = Chart("The waterfall", "What a fleet could have given, what was lost on the way, and what ran.",
                  14 + height * len(lines))
    held_titles = [TITLES[name] for name in HELD]
    left, y = peak, 10
    for name, value, level in lines:
        above, left = left, value if level else left - value
        begin, end = (0, value) if level else (left, above)
        css = "a" if level else "d" if name in held_titles else "o"
        chart.text(start - 10, y + 11, name, "ink" if level else "soft", "end")
        chart.bar(start + width * begin / peak, y, width * (end - begin) / peak, css)
        chart.text(start + width + 70, y + 11, f"{100 * value / peak:.2f} %", "ink" if level else "soft", "end")
        chart.text(start + width + 82, y + 11, f"{value / 3.6e9:,.0f} h")
        if name != lines[-1][0]:
            chart.line(start + width * left / peak, y + 14, start + width * left / peak, y + height)
        y += height
    with open(os.path.join(HERE, "waterfall.svg"), "w", encoding="utf-8") as file:
        file.write(chart.svg())


if __name__ == "__main__":
    main()
