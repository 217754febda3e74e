#!/usr/bin/env python3
"""Draws where the time of a training step goes, from what `weir plan --json` says.

    weir plan gpt3-175b --chips a100-sxm-80g=1024 ... --json | docs/images/plan.py > docs/images/plan.svg

Python 3 standard library only.
"""
import json
import sys
from html import escape

WIDTH, LEFT, ROW = 720, 10, 52
# Work is water, communication is bright, waiting is pale.
COLOURS = {
    "matrix_products": "#2a7fa5", "attention": "#17577a", "memory_bound_work": "#79b3cf", "recompute": "#d99a2b",
    "tensor_parallel": "#4f9d69", "context_parallel": "#8f7a1f", "expert_parallel": "#a8468c", "pipeline_sends": "#c96a72",
    "data_parallel": "#c8553d", "bubble": "#c3d7e0", "optimizer": "#5b6770", "overhead": "#ecd3a6",
}


def main():
    answer = json.load(sys.stdin)
    pool = answer["pools"][0]
    plans = pool["plans"]
    longest = max(plan["step_s_high"] for plan in plans)
    scale = (WIDTH - LEFT - 96) / longest
    shown = [term for term in COLOURS if any(plan["terms_s"][term] > 0.002 * plan["step_s"] for plan in plans)]
    parts, x, y = [], LEFT, 18
    for term in shown:
        name = term.replace("_", " ")
        wide = 34 + 7.6 * len(name)
        if x + wide > WIDTH:
            x, y = LEFT, y + 20
        parts.append(f'<rect fill="{COLOURS[term]}" x="{x:.0f}" y="{y - 10}" width="12" height="12" rx="2"/>'
                     f'<text class="soft" x="{x + 18:.0f}" y="{y}">{name}</text>')
        x += wide
    y += 22
    for rank, plan in enumerate(plans, 1):
        parts.append(f'<text class="ink" x="{LEFT}" y="{y + 10}">{rank}. {escape(plan["text"])}</text>')
        x = LEFT
        for term in shown:
            wide = plan["terms_s"][term] * scale
            parts.append(f'<rect fill="{COLOURS[term]}" x="{x:.1f}" y="{y + 17}" width="{wide:.1f}" height="16">'
                         f'<title>{term.replace("_", " ")}: {plan["terms_s"][term]:.2f} s</title></rect>')
            x += wide
        low, high = (LEFT + plan[key] * scale for key in ("step_s_low", "step_s_high"))
        middle = y + 25
        parts.append(f'<path class="whisker" d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 5}v10M{high:.1f} {middle - 5}v10"/>')
        parts.append(f'<text class="ink" x="{high + 8:.1f}" y="{middle + 4}">{plan["step_s"]:.1f} s, {100 * plan["mfu"]:.0f} %</text>')
        y += ROW
    title = f'{answer["job"]["model"]} on {pool["chips"]} {pool["machine"]["chip"]}: where the time of a step goes'
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{escape(title)}" '
          'font-family="system-ui, -apple-system, \'Segoe UI\', \'Noto Sans\', sans-serif" font-size="13">\n'
          f'<title>{escape(title)}</title>\n<style>\n'
          '  .ink { fill: #17364a } .soft { fill: #5b7482 } .whisker { fill: none; stroke: #17364a; stroke-width: 1.4 }\n'
          '  @media (prefers-color-scheme: dark) { .ink { fill: #e6f1f6 } .soft { fill: #9db6c3 } .whisker { stroke: #e6f1f6 } }\n'
          '</style>\n' + "\n".join(parts) + "\n</svg>")


main()
