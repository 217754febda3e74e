#!/usr/bin/env python3
"""Draws the charts of docs/results.md from its tables, so that a chart cannot say anything else.

    docs/images/charts.py            writes results-*.svg beside this file
    docs/images/charts.py --check    ends with 1 where one of them differs from the tables

Python 3 standard library only.
"""
import os
import re
import sys
from html import escape

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH = 720

STYLE = """<style>
  .ink { fill: #17364a } .soft { fill: #5b7482 } .grid { stroke: #c9d8e0 } .mark { stroke: #5b7482; stroke-dasharray: 4 4 }
  .a { fill: #2a7fa5 } .b { fill: #c8553d } .c { fill: #4f9d69 } .d { fill: #d99a2b } .o { fill: #a9bcc6 }
  @media (prefers-color-scheme: dark) {
    .ink { fill: #e6f1f6 } .soft { fill: #9db6c3 } .grid { stroke: #2c424e } .mark { stroke: #9db6c3 } .o { fill: #5f7683 }
  }
</style>"""


def tables():
    """Heading -> its tables, each a list of rows of cells without emphasis."""
    found, heading, table = {}, "", None
    with open(os.path.join(HERE, "..", "results.md"), encoding="utf-8") as page:
        for line in page:
            if line.startswith("## "):
                heading = line[3:].strip()
            if not line.startswith("|"):
                table = None
                continue
            if table is None:
                table = []
                found.setdefault(heading, []).append(table)
            table.append([cell.strip().replace("*", "").replace("`", "")
                          for cell in line.strip().strip("|").split("|")])
    return {heading: [t[2:] for t in its] for heading, its in found.items()}


def number(cell, which=0):
    return float(re.findall(r"\d[\d,]*\.?\d*", cell)[which].replace(",", ""))


def filled(rows):
    """An empty first cell repeats the one above."""
    above, out = "", []
    for row in rows:
        above = row[0] or above
        out.append([above, *row[1:]])
    return out


class Chart:
    def __init__(self, title, description, height):
        self.title, self.description, self.height = title, description, height
        self.parts = []

    def text(self, x, y, words, css="soft", anchor="start", extra=""):
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self.parts.append(f'<text class="{css}" x="{x:g}" y="{y:g}"{place}{extra}>{escape(words)}</text>')

    def heading(self, x, y, words):
        self.text(x, y, words, "ink", extra=' font-weight="600"')

    def bar(self, x, y, width, css, height=14):
        self.parts.append(f'<rect class="{css}" x="{x:.1f}" y="{y:g}" width="{max(width, 0.5):.1f}" '
                          f'height="{height}" rx="2"/>')

    def line(self, x1, y1, x2, y2, css="grid"):
        self.parts.append(f'<line class="{css}" x1="{x1:.1f}" y1="{y1:g}" x2="{x2:.1f}" y2="{y2:g}"/>')

    def legend(self, x, y, entries):
        for css, words in entries:
            self.bar(x, y - 10, 12, css, 12)
            self.text(x + 18, y, words)
            x += 18 + 7.1 * len(words) + 18

    def svg(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" role="img" '
                f'aria-labelledby="t d" font-family="system-ui, -apple-system, \'Segoe UI\', \'Noto Sans\', '
                f'sans-serif" font-size="13">\n<title id="t">{escape(self.title)}</title>\n'
                f'<desc id="d">{escape(self.description)}</desc>\n{STYLE}\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def bars(chart, x, y, width, groups, top, show, label_width):
    """Horizontal bars from zero: groups of (name, [(css, value)]). The y below the last one."""
    scale = (width - label_width - 58) / top
    start = x + label_width
    first = y
    for name, values in groups:
        middle = y + 9 * len(values) + 2
        chart.text(start - 8, middle, name, anchor="end")
        for css, value in values:
            chart.bar(start, y, value * scale, css)
            chart.text(start + value * scale + 6, y + 11.5, show(value), "ink")
            y += 18
        y += 10
    chart.line(start, first - 4, start, y - 6)
    return y


def waiting(table):
    rows = filled(table["Waiting, with promises kept"][0])
    chart = Chart("Waiting", "Mean wait and mean bounded slowdown of three logs under EASY and under weir.", 222)
    logs = list(dict.fromkeys(row[0] for row in rows))
    css = {"easy": "o", "weir": "a"}
    chart.legend(10, 18, [("o", "easy"), ("a", "weir")])
    for x, title, column, show, scale in ((10, "mean wait, hours", 2, "{:.1f}".format, 3600),
                                          (370, "mean bounded slowdown", 5, "{:.1f}".format, 1)):
        groups = [(log, [(css[row[1]], number(row[column]) / scale) for row in rows if row[0] == log])
                  for log in logs]
        chart.heading(x, 52, title)
        bars(chart, x, 70, 340, groups, max(v for _, vs in groups for _, v in vs), show, 104)
    return chart


def packing(table):
    policies = ("best fit", "FGD (published)", "FGD (here)", "supply")
    css = ("o", "d", "c", "a")
    chart = Chart("Packing", "Share of the GPU capacity that stays unused when the requests that arrived reach "
                  "100 per cent of it, by placement policy.", 196)
    chart.heading(10, 20, "GPU capacity that stays unused when requests reach 100 % of it, %")
    for x, row in zip((10, 370), table["Packing"][0]):
        chart.heading(x, 52, row[0])
        groups = [(policy, [(c, round(100 - number(cell), 2))])
                  for policy, c, cell in zip(policies, css, row[1:])]
        bars(chart, x, 70, 340, groups, 20, "{:.2f}".format, 112)
    return chart


def power(table):
    four, eight = (filled(t) for t in table["Power"])
    uncapped = number(four[-1][3])
    chart = Chart("Power", "Days until the same work is done for each budget of a rack: with whole nodes powered "
                  "off, with a live budget on all nodes, and with a live budget on as many nodes as it feeds best.",
                  312)
    chart.legend(10, 18, [("o", "whole nodes off"), ("d", "live budget, all nodes on"),
                          ("a", "live budget, best number of nodes on")])
    for x, title, rows in ((10, "racks of four nodes: days to the end", four), (370, "racks of eight nodes: days to the end", eight)):
        chart.heading(x, 52, title)
        all_on = max(int(number(row[1])) for row in rows)
        groups = {}
        for row in rows:
            of = groups.setdefault(row[0].replace(" and ", ", "), [])
            on = int(number(row[1]))
            css = "o" if "off" in row[1] else "d" if "live" in row[1] and on == all_on else "a"
            if "off" not in row[1] and "live" not in row[1]:
                css = "o"
            of.append((css, number(row[3])))
        top = max(v for vs in groups.values() for _, v in vs)
        end = bars(chart, x, 74, 340, list(groups.items()), top, "{:.1f}".format, 84)
        at = x + 84 + uncapped * (340 - 84 - 58) / top
        chart.line(at, 66, at, end - 6, "mark")
        chart.text(at, end + 10, "no cap", anchor="middle")
    return chart


def failures(table):
    rows = table["Failures"][0]
    chart = Chart("Failures", "Lost share of allocated chip-time, and days from first start to end of a job with 21 "
                  "days of work, for two checkpoint intervals, with and without replacement of failed nodes.", 206)
    parts = (("b", "done again", 2), ("d", "checkpoints", 3), ("o", "restarts", 4))
    chart.heading(10, 20, "lost share of allocated chip-time, %")
    chart.heading(440, 20, "first start to end, days")
    y, start, scale = 40, 176, 54
    for row in rows:
        chart.text(start - 8, y + 12, row[0], anchor="end")
        x = start
        for css, _, column in parts:
            chart.bar(x, y, number(row[column]) * scale, css, 16)
            x += number(row[column]) * scale
        chart.text(x + 6, y + 12.5, f"{100 - number(row[1]):.2f}", "ink")
        days = number(row[5])
        chart.bar(440, y, days * 7, "a", 16)
        chart.text(446 + days * 7, y + 12.5, f"{days:.2f}", "ink")
        y += 30
    chart.line(start, 36, start, y - 6)
    chart.line(440, 36, 440, y - 6)
    chart.line(440 + 21 * 7, 34, 440 + 21 * 7, y - 6, "mark")
    chart.text(440 + 21 * 7, y + 10, "21 days of work", anchor="middle")
    chart.legend(start, y + 26, [(css, words) for css, words, _ in parts])
    return chart


def converged(table):
    rows = table["A converged centre"][1]
    chart = Chart("A converged centre", "Where the chips of a month went, by who schedules and whether quotas are lent.", 202)
    y, start, scale = 12, 110, 5.6
    for row in rows:
        chart.text(start - 8, y + 15, row[0], anchor="end")
        x = start
        for shade, cell in zip("adbc", row[1:5]):
            chart.bar(x, y, number(cell) * scale, shade, 20)
            x += number(cell) * scale
        chart.bar(x, y, sum(number(cell) for cell in row[5:]) * scale, "o", 20)
        y += 32
    chart.legend(10, y + 14, [("a", "running"), ("d", "overhead"), ("b", "fragmentation, promises")])
    chart.legend(10, y + 36, [("c", "held back by quota"), ("o", "precision, no demand, no watts")])
    return chart


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    check, found, wrong = bool(sys.argv[1:]), tables(), []
    for draw in (waiting, packing, power, failures, converged):
        path = os.path.join(HERE, f"results-{draw.__name__}.svg")
        drawn = draw(found).svg()
        if not check:
            with open(path, "w", encoding="utf-8") as file:
                file.write(drawn)
        elif not os.path.exists(path) or open(path, encoding="utf-8").read() != drawn:
            wrong.append(path)
    for path in wrong:
        print(f"{path}: differs from the tables of docs/results.md; docs/images/charts.py draws it")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
