#!/bin/sh
# One month of a converged centre, twice: fixed quotas site by site, and one scheduler that lends.
# Takes a minute or two; leaves month.csv and report.html in the folder given (default: here).
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here}
weir=${WEIR:-weir}
cd "$here"
"$weir" trace generate --model converged --tenants fixed.yaml --load 0.8 --seed 1 --output "$out/month.csv"
"$weir" simulate "$out/month.csv" --fleet fleet.yaml --checkpoint 1h --policy "weir preemptions_per_hour=100000" \
    --vary tenants=fixed.yaml,lending.yaml --report "$out/report.html"
